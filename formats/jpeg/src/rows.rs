//! From planes to rows of RGB, as soon as the samples are there.

use crate::coefficients::Coefficients;
use crate::colour_space::ColourSpace;
use crate::convert::{ACROSS, convert};
use crate::damage::Damage;
use crate::frame::Frame;
use crate::lanes::Lanes;
use crate::pairs::Integer;
use crate::planes::{Cut, Plane, Region};
use crate::sequential::Scan;
use crate::tables::Steps;
use crate::upsample::{Row, Way};
use crate::vectorise::WithLanes;

/// Some finished rows of a region.
#[derive(Clone, Copy, Debug)]
pub struct Strip<'a> {
    /// Number of the first one, counted from the region's top.
    pub top: usize,
    /// Whole rows of interleaved RGB, `3 * (right - left)` bytes each: at least one.
    pub rgb: &'a [u8],
}

/// Memory for rows on their way.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    parts: [Row; 4],
    rgb: Vec<u8>,
}

/// Rows of a region that become RGB.
pub(crate) struct Rows<'a> {
    memory: &'a mut Memory,
    space: ColourSpace,
    region: Region,
    ways: [Way; 4],
    /// Rows that wait for the samples below them: 1 if rows are interpolated, else 0.
    lag: usize,
    /// The next row of the image.
    next: usize,
}

impl<'a> Rows<'a> {
    /// Rows of a region of an image that is `width` pixels wide, from planes of this shape.
    pub(crate) fn new(
        memory: &'a mut Memory,
        space: ColourSpace,
        width: usize,
        region: Region,
        planes: &[Plane],
    ) -> Self {
        let mut ways = [Way::Same; 4];
        for (way, plane) in ways.iter_mut().zip(planes) {
            *way = Way::of(plane.across, plane.down, width.div_ceil(plane.across));
        }
        Self {
            memory,
            space,
            region,
            ways,
            lag: usize::from(ways.into_iter().any(Way::looks_down)),
            next: region.top,
        }
    }

    /// Hands over the rows that can be made of planes whose samples are there for all rows of the image above
    /// `bottom`: a row that depends on the samples below waits for them, except at the image's end, which is
    /// where `last` is set.
    #[inline(always)]
    pub(crate) fn finish(
        &mut self,
        lanes: impl Lanes,
        planes: &[Plane],
        (bottom, last): (usize, bool),
        sink: &mut dyn FnMut(Strip<'_>),
    ) {
        let lag = if last { 0 } else { self.lag };
        let end = bottom.saturating_sub(lag).min(self.region.bottom);
        if end <= self.next {
            return;
        }
        let Memory { parts, rgb } = &mut *self.memory;
        let length = 3 * (self.region.right - self.region.left);
        let whole = length.next_multiple_of(3 * ACROSS);
        let rows = end - self.next;
        if rgb.len() < rows * length + 3 * ACROSS {
            rgb.resize(rows * length + 3 * ACROSS, 0);
        }
        for y in self.next..end {
            let mut made: [&[u8]; 4] = [&[]; 4];
            for (i, (plane, row)) in planes.iter().zip(&mut *parts).enumerate() {
                made[i] = row.make(plane, self.ways[i], y, self.region, ACROSS);
            }
            // The last chunk reaches into the next row, which is made after it.
            let start = (y - self.next) * length;
            convert(lanes, self.space, &made, &mut rgb[start..start + whole]);
        }
        sink(Strip {
            top: self.next - self.region.top,
            rgb: &rgb[..rows * length],
        });
        self.next = end;
    }
}

/// A scan that becomes rows.
pub(crate) struct ScanToRgb<'a> {
    pub(crate) scan: Scan<'a, ()>,
    pub(crate) steps: &'a [Steps; 4],
    pub(crate) rows: Rows<'a>,
    pub(crate) sink: &'a mut dyn FnMut(Strip<'_>),
}

impl WithLanes for ScanToRgb<'_> {
    type Output = Result<bool, Damage>;

    #[inline(always)]
    fn run(self, lanes: impl Lanes) -> Self::Output {
        let Self {
            scan,
            steps,
            mut rows,
            sink,
        } = self;
        let frame = &scan.header.frame;
        scan.with(Integer::new(steps, lanes)).run(
            #[inline(always)]
            |planes, done| rows.finish(lanes, planes, below(frame, done), sink),
        )
    }
}

/// Coefficients that become rows.
pub(crate) struct CoefficientsToRgb<'a> {
    pub(crate) coefficients: &'a Coefficients,
    pub(crate) frame: &'a Frame,
    pub(crate) cuts: &'a [Cut],
    pub(crate) planes: &'a mut [Plane],
    pub(crate) steps: &'a [Steps; 4],
    pub(crate) rows: Rows<'a>,
    pub(crate) sink: &'a mut dyn FnMut(Strip<'_>),
}

impl WithLanes for CoefficientsToRgb<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, lanes: impl Lanes) {
        let Self {
            coefficients,
            frame,
            mut rows,
            sink,
            ..
        } = self;
        coefficients.transform(
            frame,
            self.cuts,
            self.planes,
            Integer::new(self.steps, lanes),
            #[inline(always)]
            |planes, done| rows.finish(lanes, planes, below(frame, done), sink),
        );
    }
}

/// The row of the image below this many rows of units, and whether it is the end.
fn below(frame: &Frame, units: usize) -> (usize, bool) {
    let bottom = (units * 8 * frame.most().1).min(frame.height);
    (bottom, bottom == frame.height)
}
