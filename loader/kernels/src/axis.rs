//! What each pixel of a resized axis takes from which pixels: the triangle filter of antialiased
//! bilinear resizing, as Pillow and torchvision define it, in integer weights.
//!
//! A filter is `max(1, from / to)` pixels of the window wide to either side of the output's centre, so it
//! has two taps when a window grows, and more when it shrinks. A tap outside of the window has no weight.

/// Bits of a weight's fraction: as many as a signed word holds. With them, a byte differs from the one
/// that exact weights give where a sum lies within a hundredth of a level of the rounding bound.
pub(crate) const BITS: u32 = 15;

/// The sum of the weights of an output.
const ONE: i32 = 1 << BITS;

/// Half of the last bit that remains of a sum.
pub(crate) const HALF: i32 = ONE / 2;

/// Values of a block of resized bytes.
pub(crate) const BLOCK: usize = 32;

/// A block of values between the two passes: an integer level each, 0 to 255. Each instruction set has
/// its own order within the block.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Levels(pub(crate) [i16; BLOCK]);

impl Levels {
    pub(crate) const ZERO: Self = Self([0; BLOCK]);

    /// Blocks of a row of `pixels`.
    pub(crate) const fn of_row(pixels: usize) -> usize {
        (pixels * 3).div_ceil(BLOCK)
    }
}

/// The weights of one axis.
#[derive(Default)]
pub(crate) struct Axis {
    /// Pixels of the window.
    pub(crate) from: usize,
    /// Taps of each output: 2 if the window is not larger than the output, else a multiple of 4.
    pub(crate) taps: usize,
    /// The first tap of each output. Taps behind the window's last pixel have no weight.
    pub(crate) starts: Vec<u32>,
    /// The pixel behind the last tap of each output that has a weight.
    pub(crate) ends: Vec<u32>,
    /// With 2 taps the weight of the second, which leaves the rest of `ONE` to the first; else one for
    /// each tap, and `ONE` in all.
    pub(crate) weights: Vec<i16>,
}

impl Axis {
    /// Whether every output lies between two pixels.
    pub(crate) const fn is_pairs(&self) -> bool {
        self.taps == 2
    }

    /// Resizes `from` pixels to `to`; `flip` reflects the outputs.
    pub(crate) fn set(&mut self, from: usize, to: usize, flip: bool) {
        assert!(from > 0 && to > 0, "{from} pixels resized to {to}");
        self.from = from;
        self.starts.resize(to, 0);
        self.ends.resize(to, 0);
        if from <= to {
            self.set_pairs(flip);
        } else {
            self.set_sums(flip);
        }
    }

    /// An output's centre, `(x + 0.5) * from / to - 0.5`, in steps of 2^-32 pixels.
    fn set_pairs(&mut self, flip: bool) {
        let to = self.starts.len();
        self.taps = 2;
        self.weights.resize(to, 0);
        let step = ((self.from as u64) << 32) / to as u64;
        let mut centre = (step / 2) as i64 - (1 << 31);
        let last = self.from as u64 - 1;
        for x in 0..to {
            let x = if flip { to - 1 - x } else { x };
            let rounded = ((centre + (1 << (31 - BITS))) >> (32 - BITS)).max(0) as u64;
            let start = rounded >> BITS;
            let weight = if start < last { rounded & 0x7FFF } else { 0 };
            self.starts[x] = start.min(last) as u32;
            self.ends[x] = self.starts[x] + if weight > 0 { 2 } else { 1 };
            self.weights[x] = weight as i16;
            centre += step as i64;
        }
    }

    /// Pillow's rule: a pixel has a tap if its centre lies within the filter, rounded to whole pixels,
    /// and weights are divided by their sum.
    fn set_sums(&mut self, flip: bool) {
        let (from, to) = (self.from, self.starts.len());
        let scale = from as f64 / to as f64;
        self.taps = from.min(2 * scale.ceil() as usize + 1).next_multiple_of(4);
        self.weights.clear();
        self.weights.resize(to * self.taps, 0);
        // Where that is possible, taps end with the window.
        let latest = from.saturating_sub(self.taps);
        for x in 0..to {
            let centre = (x as f64 + 0.5) * scale;
            // A conversion to an integer cuts off, and makes 0 of negative numbers.
            let low = (centre - scale + 0.5) as usize;
            let high = ((centre + scale + 0.5) as usize).min(from);
            let weight = |tap: usize| (1.0 - (tap as f64 + 0.5 - centre).abs() / scale).max(0.0);
            let total: f64 = (low..high).map(weight).sum();
            let x = if flip { to - 1 - x } else { x };
            let start = low.min(latest);
            self.starts[x] = start as u32;
            self.ends[x] = high as u32;
            let weights = &mut self.weights[x * self.taps..][..self.taps];
            // The sum up to each tap is rounded, so that the weights sum to one.
            let (mut sum, mut before) = (0.0, 0);
            for tap in low..high {
                sum += weight(tap);
                let rounded = (sum / total * f64::from(ONE)).round() as i32;
                // No weight is ONE: the filter is wider than a pixel to both sides.
                weights[tap - start] = (rounded - before) as i16;
                before = rounded;
            }
        }
    }
}
