//! The two passes of resizing. Values stand in their order in the rows between them.

use crate::axis::{Axis, BITS, HALF};

/// The last rows of a window, resized horizontally: as many as the vertical filter has taps, row `y` at
/// `y` modulo that.
#[derive(Default)]
pub(crate) struct Passes {
    ring: Vec<i16>,
    /// Values of a row.
    values: usize,
    /// Sums of a row of the output.
    sums: Vec<i32>,
}

impl Passes {
    /// Begins a window that is resized with these weights.
    pub(crate) fn begin(&mut self, horizontal: &Axis, vertical: &Axis) {
        self.values = horizontal.starts.len() * 3;
        self.ring.resize(self.values * vertical.taps, 0);
    }

    /// Resizes row `y` of the window horizontally.
    pub(crate) fn take(&mut self, axis: &Axis, y: usize, row: &[u8]) {
        let slot = y % (self.ring.len() / self.values);
        let out = &mut self.ring[slot * self.values..][..self.values];
        let (out, _) = out.as_chunks_mut::<3>();
        let (pixels, _) = row.as_chunks::<3>();
        let outputs = out.iter_mut().zip(&axis.starts);
        if axis.is_pairs() {
            let last = pixels.len() - 1;
            for ((out, &start), &weight) in outputs.zip(&axis.weights) {
                let first = pixels[start as usize];
                let second = pixels[(start as usize + 1).min(last)];
                let value = |c: usize| between(first[c].into(), second[c].into(), weight);
                *out = [value(0), value(1), value(2)];
            }
        } else {
            for ((out, &start), weights) in outputs.zip(axis.weights.chunks_exact(axis.taps)) {
                let mut sums = [HALF; 3];
                for (pixel, &weight) in pixels[start as usize..].iter().zip(weights) {
                    for (sum, &value) in sums.iter_mut().zip(pixel) {
                        *sum += i32::from(value) * i32::from(weight);
                    }
                }
                *out = sums.map(|sum| (sum >> BITS) as i16);
            }
        }
    }

    /// Writes row `y` of the output, whose rows were taken.
    pub(crate) fn write(&mut self, axis: &Axis, y: usize, out: &mut [u8]) {
        let start = axis.starts[y] as usize;
        let row = |tap: usize| {
            let slot = (start + tap) % axis.taps;
            &self.ring[slot * self.values..][..self.values]
        };
        if axis.is_pairs() {
            let weight = axis.weights[y];
            for ((out, &first), &second) in out.iter_mut().zip(row(0)).zip(row(1)) {
                *out = between(first, second, weight) as u8;
            }
            return;
        }
        self.sums.clear();
        self.sums.resize(self.values, HALF);
        let weights = &axis.weights[y * axis.taps..][..axis.taps];
        for (tap, &weight) in weights.iter().enumerate() {
            for (sum, &value) in self.sums.iter_mut().zip(row(tap)) {
                *sum += i32::from(value) * i32::from(weight);
            }
        }
        for (out, sum) in out.iter_mut().zip(&self.sums) {
            *out = (sum >> BITS) as u8;
        }
    }
}

/// The rounded sum of two levels, of which the first has the rest of the second's weight. Their
/// difference is a word, so that the compiler multiplies words.
#[inline(always)]
const fn between(first: i16, second: i16, weight: i16) -> i16 {
    let apart = second - first;
    first + ((apart as i32 * weight as i32 + HALF) >> BITS) as i16
}
