//! Rows of components that are stored smaller than the image, at its size: to the bit as libjpeg's "fancy"
//! upsampling makes them. Where a sample stands for two pixels across or down, each pixel is three parts of the
//! nearest sample and one of the next nearest; all other samples are repeated.

use crate::planes::{Plane, Region};

/// How a component becomes as large as the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is as large.
    Same,
    /// Each sample is repeated.
    Repeated,
    /// Interpolated across, down, or in both directions.
    Across,
    Down,
    Both,
}

impl Way {
    /// libjpeg's choice for samples of `across` by `down` pixels, `width` of them in a row of the whole image.
    pub(crate) const fn of(across: usize, down: usize, width: usize) -> Self {
        match (across, down) {
            (1, 1) => Self::Same,
            (2, 1) if width > 2 => Self::Across,
            (2, 2) if width > 2 => Self::Both,
            (1, 2) => Self::Down,
            _ => Self::Repeated,
        }
    }

    /// Whether rows depend on the samples above and below.
    pub(crate) const fn looks_down(self) -> bool {
        matches!(self, Self::Down | Self::Both)
    }
}

/// The samples that some pixels need, for samples of `step` pixels, `length` of them: those that are interpolated
/// look at their neighbours.
pub(crate) fn reach((from, to): (usize, usize), step: usize, length: usize) -> (usize, usize) {
    match step {
        2 => (from.saturating_sub(1) / 2, (to / 2 + 1).min(length)),
        _ => (from / step, to.div_ceil(step)),
    }
}

/// A row at the image's size.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// What is interpolated across: one sample more on either side.
    sums: Vec<u16>,
    pixels: Vec<u8>,
}

impl Row {
    /// Row `y` of the image between the region's left and right, of the plane itself or made here, and at least
    /// `spare` bytes after it, where `spare` is at most what a plane has.
    #[inline(always)]
    pub(crate) fn make<'a>(
        &'a mut self,
        plane: &'a Plane,
        way: Way,
        y: usize,
        region: Region,
        spare: usize,
    ) -> &'a [u8] {
        let width = region.right - region.left;
        // Two more: what is interpolated begins and ends with a whole sample.
        if self.pixels.len() < width + spare + 2 {
            self.pixels.resize(width + spare + 2, 0);
        }
        let near = line(plane, y / plane.down);
        // The next nearest row; there is none beyond the image.
        let far = || {
            let row = y / plane.down + y % 2 * 2;
            let last = plane.top + plane.height - 1;
            line(plane, row.saturating_sub(1).clamp(plane.top, last))
        };
        let from = region.left / plane.across - plane.left;
        let end = region.right.div_ceil(plane.across) - plane.left;
        match way {
            Way::Same => return &near[from..],
            Way::Repeated => {
                for (x, pixel) in (region.left..region.right).zip(&mut self.pixels) {
                    *pixel = near[x / plane.across - plane.left];
                }
            }
            Way::Down => {
                let bias = 1 + (y % 2) as u16;
                let samples = near[from..end].iter().zip(&far()[from..end]);
                for (pixel, (&near, &far)) in self.pixels.iter_mut().zip(samples) {
                    *pixel = ((u16::from(near) * 3 + u16::from(far) + bias) >> 2) as u8;
                }
            }
            Way::Across => {
                self.sum(near, near, (from, end, plane.width), |near, _| near);
                self.interpolate::<2>(end - from, [1, 2]);
            }
            Way::Both => {
                let sum = |near, far| near * 3 + far;
                self.sum(near, far(), (from, end, plane.width), sum);
                self.interpolate::<4>(end - from, [8, 7]);
            }
        }
        let first = match way {
            Way::Across | Way::Both => region.left % 2,
            _ => 0,
        };
        &self.pixels[first..]
    }

    /// Fills the sums for samples from `from` to before `end`; a row has `width` of them, and at its ends the
    /// sample itself is its own neighbour.
    #[inline(always)]
    fn sum(
        &mut self,
        near: &[u8],
        far: &[u8],
        (from, end, width): (usize, usize, usize),
        of: impl Fn(u16, u16) -> u16,
    ) {
        let count = end - from;
        if self.sums.len() < count + 2 {
            self.sums.resize(count + 2, 0);
        }
        let sum = |&near: &u8, &far: &u8| of(near.into(), far.into());
        self.sums[0] = sum(&near[from.max(1) - 1], &far[from.max(1) - 1]);
        let after = end.min(width - 1);
        self.sums[count + 1] = sum(&near[after], &far[after]);
        let samples = near[from..end].iter().zip(&far[from..end]);
        for (value, (near, far)) in self.sums[1..=count].iter_mut().zip(samples) {
            *value = sum(near, far);
        }
    }

    /// Makes two pixels of each of `count` sums: three parts of it and one of the neighbour, plus a bias that
    /// rounds the two differently, divided by 2 to the power of `SHIFT`.
    #[inline(always)]
    fn interpolate<const SHIFT: u32>(&mut self, count: usize, bias: [u16; 2]) {
        let sums = &self.sums[..count + 2];
        let sides = sums[..count].iter().zip(&sums[2..]);
        let sums = sums[1..=count].iter().zip(sides);
        for (pair, (&sum, (&before, &after))) in self.pixels.as_chunks_mut().0.iter_mut().zip(sums)
        {
            let left = (sum * 3 + before + bias[0]) >> SHIFT;
            let right = (sum * 3 + after + bias[1]) >> SHIFT;
            // One value of 16 bits: the compiler stores whole registers of them.
            *pair = (right << 8 | left).to_le_bytes();
        }
    }
}

/// A row of a plane, and what follows it.
#[inline(always)]
fn line(plane: &Plane, row: usize) -> &[u8] {
    &plane.memory[(row - plane.top) * plane.stride..]
}
