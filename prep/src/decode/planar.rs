//! From colour planes to a record: each plane is resized alone, from the size it was stored at, and the
//! three are put together at the record's size.

use shardmill_jpeg::{Plane, Region};

use super::colours::{colours, greys};
use super::geometry::{CropBox, Size};
use super::lanes::Lanes;
use super::options::DecodeOptions;
use super::strip::{PlaneTaps, ROWS, Strip};
use super::taps::{Axis, Taps};
use super::vectorise::{WithLanes, vectorised_lanes};

/// Axes whose weights are kept, at most four for an image: of 300 ImageNet samples 127 have one of four
/// sizes.
const KEPT: usize = 16;

/// Memory for pixels on their way.
#[derive(Debug, Default)]
pub(super) struct Planar {
    taps: [Taps; KEPT],
    /// The one of them that was made last.
    last: usize,
    strips: [Strip; 3],
}

impl Planar {
    /// Resizes `crop`, a region of an image of size `image`, into `record`, `size * size` pixels of RGB.
    pub(super) fn resize(
        &mut self,
        planes: &[Plane],
        crop: CropBox,
        image: Size,
        options: &DecodeOptions,
        record: &mut [u8],
    ) {
        vectorised_lanes(self.task(planes, crop, image, options, record));
    }

    fn task<'a>(
        &'a mut self,
        planes: &'a [Plane],
        crop: CropBox,
        image: Size,
        options: &DecodeOptions,
        record: &'a mut [u8],
    ) -> ResizeTask<'a> {
        let size = (record.len() / 3).isqrt();
        let mut taps = [[usize::MAX; 2]; 3];
        for (i, plane) in planes.iter().enumerate() {
            let down = Axis {
                length: image.height,
                span: (crop.top, crop.height),
                size,
                step: plane.down,
                samples: (plane.top, plane.height),
            };
            let across = Axis {
                length: image.width,
                span: (crop.left, crop.width),
                size,
                step: plane.across,
                samples: (plane.left, plane.width),
            };
            for (k, axis) in [down, across].into_iter().enumerate() {
                taps[i][k] = self.taps(axis, options, taps.as_flattened());
            }
        }
        ResizeTask {
            planar: self,
            planes,
            taps,
            size,
            record,
        }
    }

    /// Where an axis's weights are; they are worked out in another place than those `in_use`.
    fn taps(&mut self, axis: Axis, options: &DecodeOptions, in_use: &[usize]) -> usize {
        let mut kept = self.taps.iter();
        if let Some(place) = kept.position(|taps| taps.are_for(axis, options)) {
            return place;
        }
        loop {
            self.last = (self.last + 1) % KEPT;
            if !in_use.contains(&self.last) {
                break;
            }
        }
        self.taps[self.last].make(axis, options);
        self.last
    }
}

/// A resize whose weights are computed.
struct ResizeTask<'a> {
    planar: &'a mut Planar,
    planes: &'a [Plane],
    /// Where each plane's weights are, downwards and across.
    taps: [[usize; 2]; 3],
    size: usize,
    record: &'a mut [u8],
}

impl WithLanes for ResizeTask<'_> {
    #[inline(always)]
    fn run(self, lanes: impl Lanes) {
        let Self {
            planar,
            planes,
            size,
            ..
        } = self;
        let Planar { taps, strips, .. } = planar;
        for (number, rows) in self.record.chunks_mut(ROWS * size * 3).enumerate() {
            let planes_of = planes.iter().zip(&self.taps);
            for ((plane, &[down, across]), strip) in planes_of.zip(&mut *strips) {
                let taps = PlaneTaps {
                    down: &taps[down],
                    across: &taps[across],
                };
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
pub(super) fn region(crop: CropBox, size: u32, options: &DecodeOptions, image: Size) -> Region {
    let span = |start: f64, length: f64, most: usize| {
        let reach = options.filter_reach() * (length / f64::from(size)).max(1.0) + 2.0;
        let from = (start - reach).max(0.0) as usize;
        (from, ((start + length + reach).ceil() as usize).min(most))
    };
    let (left, right) = span(crop.left, crop.width, image.width);
    let (top, bottom) = span(crop.top, crop.height, image.height);
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
