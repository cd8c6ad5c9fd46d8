//! The two passes of resizing. Values stand in their order in the rows between them.

use crate::axis::{Axis, BITS, BLOCK, HALF, Levels};

/// The last rows of a window, resized horizontally: as many as the vertical filter has taps, row `y` at
/// `y` modulo that.
#[derive(Default)]
pub(crate) struct Passes {
    ring: Vec<Levels>,
    /// Blocks of a row.
    blocks: usize,
}

impl Passes {
    /// Begins a window that is resized with these weights.
    pub(crate) fn begin(&mut self, horizontal: &Axis, vertical: &Axis) {
        self.blocks = Levels::of_row(horizontal.starts.len());
        self.ring.resize(self.blocks * vertical.taps, Levels::ZERO);
    }

    /// Resizes row `y` of the window horizontally.
    pub(crate) fn take(&mut self, axis: &Axis, y: usize, row: &[u8]) {
        let slot = y % (self.ring.len() / self.blocks);
        let out = &mut self.ring[slot * self.blocks..][..self.blocks];
        let (pixels, _) = row.as_chunks::<3>();
        let mut put = |x: usize, sums: [i32; 3]| {
            for (c, sum) in sums.into_iter().enumerate() {
                let i = 3 * x + c;
                out[i / BLOCK].0[i % BLOCK] = ((sum + HALF) >> BITS) as i16;
            }
        };
        for (x, &start) in axis.starts.iter().enumerate() {
            let taps = &pixels[start as usize..];
            if axis.is_pairs() {
                let weight = i32::from(axis.weights[x]);
                let (a, b) = (taps[0], taps.get(1).unwrap_or(&taps[0]));
                put(
                    x,
                    std::array::from_fn(|c| between(a[c].into(), b[c].into(), weight)),
                );
            } else {
                let weights = &axis.weights[x * axis.taps..][..axis.taps];
                let mut sums = [0; 3];
                for (pixel, &weight) in taps.iter().zip(weights) {
                    for (sum, &value) in sums.iter_mut().zip(pixel) {
                        *sum += i32::from(value) * i32::from(weight);
                    }
                }
                put(x, sums);
            }
        }
    }

    /// Writes row `y` of the output, whose rows were taken.
    pub(crate) fn write(&self, axis: &Axis, y: usize, out: &mut [u8]) {
        let start = axis.starts[y] as usize;
        let row = |tap: usize| {
            let slot = (start + tap) % axis.taps;
            &self.ring[slot * self.blocks..][..self.blocks]
        };
        if axis.is_pairs() {
            let weight = i32::from(axis.weights[y]);
            let pairs = row(0).iter().zip(row(1));
            for (out, (a, b)) in out.chunks_mut(BLOCK).zip(pairs) {
                for (i, out) in out.iter_mut().enumerate() {
                    let sum = between(a.0[i].into(), b.0[i].into(), weight);
                    *out = ((sum + HALF) >> BITS) as u8;
                }
            }
            return;
        }
        let weights = &axis.weights[y * axis.taps..][..axis.taps];
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let mut sums = [HALF; BLOCK];
            for (tap, &weight) in weights.iter().enumerate() {
                for (sum, &value) in sums.iter_mut().zip(&row(tap)[block].0) {
                    *sum += i32::from(value) * i32::from(weight);
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = (sum >> BITS) as u8;
            }
        }
    }
}

/// The sum of two taps: the weight of `a` is the rest of `b`'s.
#[inline(always)]
const fn between(a: i32, b: i32, weight: i32) -> i32 {
    (a << BITS) + (b - a) * weight
}
