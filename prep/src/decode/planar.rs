//! From colour planes to a record: each plane is resized alone, from the size it was stored at, and the
//! three are put together at the record's size.

use super::baseline::{Plane, Region};
use super::colours::{colours, greys};
use super::lanes::Lanes;
use super::options::DecodeOptions;
use super::strip::{ROWS, Strip};
use super::taps::{Axis, Taps};
use super::vectorise::{WithLanes, vectorised_lanes};
use crate::geometry::CropBox;

/// Memory for pixels on their way.
#[derive(Debug, Default)]
pub(super) struct Planar {
    /// Weights downwards and across, of the luminance and of colours that were sampled down.
    down: [Taps; 2],
    across: [Taps; 2],
    strips: [Strip; 3],
}

impl Planar {
    /// Resizes `crop`, a region of an image of `width` times `height` pixels, into `record`,
    /// `size * size` pixels of RGB.
    pub(super) fn resize(
        &mut self,
        planes: &[Plane],
        crop: CropBox,
        (width, height): (usize, usize),
        options: &DecodeOptions,
        record: &mut [u8],
    ) {
        let size = (record.len() / 3).isqrt();
        let Some(luma) = planes.first() else {
            return;
        };
        let axes = |plane: &Plane| {
            let down = Axis {
                length: height,
                span: (crop.top, crop.height),
                size,
                step: plane.down,
                samples: (plane.top, plane.height),
            };
            let across = Axis {
                length: width,
                span: (crop.left, crop.width),
                size,
                step: plane.across,
                samples: (plane.left, plane.width),
            };
            (down, across)
        };
        // Colours of the luminance's size share its weights.
        let last = planes.last().map_or(luma, |plane| plane);
        let kinds = usize::from(axes(last) != axes(luma));
        for (kind, plane) in [luma, last].into_iter().enumerate().take(kinds + 1) {
            let (down, across) = axes(plane);
            self.down[kind].make(down, options);
            self.across[kind].make(across, options);
        }
        vectorised_lanes(Job {
            planar: self,
            planes,
            kinds,
            size,
            record,
        });
    }
}

/// A resize whose weights are worked out.
struct Job<'a> {
    planar: &'a mut Planar,
    planes: &'a [Plane],
    /// The weights of the colours: those of the luminance, 0, or their own, 1.
    kinds: usize,
    size: usize,
    record: &'a mut [u8],
}

impl WithLanes for Job<'_> {
    #[inline(always)]
    fn run(self, lanes: impl Lanes) {
        let Self {
            planar,
            planes,
            size,
            ..
        } = self;
        let Planar {
            down,
            across,
            strips,
        } = planar;
        for (number, rows) in self.record.chunks_mut(ROWS * size * 3).enumerate() {
            for (i, (plane, strip)) in planes.iter().zip(&mut *strips).enumerate() {
                let kind = if i == 0 { 0 } else { self.kinds };
                let taps = (&down[kind], &across[kind]);
                strip.make(lanes, plane, taps, number * ROWS, size);
            }
            let [luma, blue, red] = &*strips;
            for (y, line) in rows.chunks_exact_mut(size * 3).enumerate() {
                let luma = luma.row(y, size);
                if planes.len() == 1 {
                    greys(luma, line);
                } else {
                    colours(lanes, luma, blue.row(y, size), red.row(y, size), line);
                }
            }
        }
    }
}

/// The pixels that resizing `crop` to `size` looks at, with some to spare.
pub(super) fn region(
    crop: CropBox,
    size: u32,
    options: &DecodeOptions,
    (width, height): (usize, usize),
) -> Region {
    let span = |start: f64, length: f64, most: usize| {
        let reach = options.filter_reach() * (length / f64::from(size)).max(1.0) + 2.0;
        let from = (start - reach).max(0.0) as usize;
        (from, ((start + length + reach).ceil() as usize).min(most))
    };
    let (left, right) = span(crop.left, crop.width, width);
    let (top, bottom) = span(crop.top, crop.height, height);
    Region {
        left,
        top,
        right,
        bottom,
    }
}

#[cfg(test)]
#[path = "planar_tests.rs"]
mod tests;
