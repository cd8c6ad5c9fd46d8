//! Charts as SVG: lines, points and bars in the colours of a page, light or dark, with values on hover.
//!
//! The plotting crate lays out the axes; colours are variables of the page's style sheet. A value that is
//! no number, not above 0 on a logarithmic axis, or beyond 1e100 is left out and counted.

mod axes;
mod bars;
mod label;
mod lines;
mod number;
mod series;
mod svg;

pub(crate) use axes::{Axis, Chart, Scale, Size};
pub(crate) use bars::{Bar, bars};
pub(crate) use lines::{lines, scatter};
pub(crate) use number::number;
pub(crate) use series::{Colour, Point, Range, SERIES_COLOURS, Series, Stroke};
pub(crate) use svg::Svg;

#[cfg(test)]
mod tests;
