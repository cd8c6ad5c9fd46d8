//! What curves over epochs and over steps have in common.

use crate::report::chart::{Axis, Colour, Point, Series};
use crate::report::thin::thinned;
use crate::run::log::{History, StepPoint};

/// Most points of a curve over steps.
pub(super) const MOST: usize = 150;

/// What a chart shows over.
#[derive(Clone, Copy)]
pub(super) struct Over {
    /// `epochs` or `steps`, for names within a page.
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    pub(super) high: f64,
}

impl Over {
    /// From 0 to its end.
    pub(super) fn axis(self) -> Axis<'static> {
        Axis {
            label: self.label,
            low: Some(0.0),
            high: Some(self.high),
            whole: true,
            ..Axis::default()
        }
    }
}

/// A line.
pub(super) fn series(label: impl Into<String>, colour: usize, points: Vec<Point>) -> Series {
    Series {
        name: label.into(),
        colour: Colour::Series(colour),
        points,
        ..Series::default()
    }
}

/// A line with a mark at each point.
pub(super) fn marked(label: impl Into<String>, colour: usize, points: Vec<Point>) -> Series {
    Series {
        marks: true,
        ..series(label, colour, points)
    }
}

/// A value of every line of steps.
pub(super) fn of_steps(history: &History, value: fn(&StepPoint) -> f64) -> Vec<Point> {
    let points = history.steps.iter();
    points
        .map(|point| Point::new(point.step as f64, value(point)))
        .collect()
}

/// A curve over steps in few points, and what its caption says about that.
pub(super) fn thin(
    history: &History,
    label: &str,
    colour: usize,
    value: fn(&StepPoint) -> f64,
) -> (Series, String) {
    let thinned = thinned(&of_steps(history, value), MOST);
    let note = match (thinned.joined, thinned.omitted) {
        (1, 0) => String::new(),
        (1, omitted) => format!("Lines whose value is no number are left out: {omitted}."),
        (joined, omitted) => {
            let mut note = format!(
                "The {} lines are drawn as means of {joined} each; the band reaches from the lowest to the highest \
                 of them.",
                history.steps.len()
            );
            if omitted > 0 {
                note += &format!(" Left out, since they are no numbers: {omitted}.");
            }
            note
        }
    };
    let series = Series {
        band: thinned.band,
        ..series(label, colour, thinned.points)
    };
    (series, note)
}
