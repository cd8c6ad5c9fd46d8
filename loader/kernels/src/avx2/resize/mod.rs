//! The two passes of resizing, 32 values at a time.
//!
//! Between the passes a block of 32 values is two registers of words, with values 0 to 7 and 16 to 23 in
//! the first and the others in the second: packing two registers to bytes puts them in order.
//!
//! Contract: `Passes` is made only where the processor has AVX2, as `resize.rs` ensures. `begin` is given
//! the weights that the other methods are; with them, taps end at most [`SLACK`] bytes behind a row.
#![allow(unsafe_code)]

mod horizontal;
mod vertical;

use super::{AHEAD, prefetch_bytes};
use crate::axis::{Axis, Levels};
use crate::window::Strip;

use horizontal::{Pairs, Sums};

/// Bytes behind a row's pixels that are read, without effect on the result.
const SLACK: usize = 16;

/// The last rows of a window, resized horizontally: as many as the vertical filter has taps, row `y` at
/// `y` modulo that.
#[derive(Default)]
pub(crate) struct Passes {
    pairs: Pairs,
    sums: Sums,
    ring: Vec<Levels>,
    /// Blocks of a row.
    blocks: usize,
    /// A copy of a row that has nothing behind it.
    row: Vec<u8>,
    /// The weights of an output in the order in which the ring has its rows, two and two.
    weights: Vec<[i16; 2]>,
}

impl Passes {
    /// Begins a window that is resized with these weights.
    pub(crate) fn begin(&mut self, horizontal: &Axis, vertical: &Axis) {
        self.blocks = Levels::of_row(horizontal.starts.len());
        self.ring.resize(self.blocks * vertical.taps, Levels::ZERO);
        self.weights.resize(vertical.taps / 2, [0; 2]);
        self.row.resize(horizontal.from * 3 + SLACK, 0);
        if horizontal.is_pairs() {
            self.pairs.set(horizontal);
        } else {
            self.sums.set(horizontal);
        }
    }

    /// Resizes row `y` of the strip, which is row `taken` of the window, horizontally.
    pub(crate) fn take(&mut self, axis: &Axis, taken: usize, strip: &Strip<'_>, y: usize) {
        if y + AHEAD < strip.rows {
            prefetch_bytes(strip.row(y + AHEAD, axis.from));
        }
        let row = strip.rgb[y * strip.stride..].get(..axis.from * 3 + SLACK);
        let row = row.unwrap_or_else(|| {
            let pixels = strip.row(y, axis.from);
            self.row[..pixels.len()].copy_from_slice(pixels);
            &self.row
        });
        let slot = taken % (self.ring.len() / self.blocks);
        let out = &mut self.ring[slot * self.blocks..][..self.blocks];
        // SAFETY: the processor has AVX2; the tables were made from the axis, and the row has its
        // pixels and the slack.
        unsafe {
            if axis.is_pairs() {
                self.pairs.resize(row, out);
            } else {
                self.sums.resize(row, out);
            }
        }
    }

    /// Writes row `y` of the output, whose rows were taken. With `stream` it is written around the
    /// caches; it is aligned to registers then, and a whole number of them.
    pub(crate) fn write(&mut self, axis: &Axis, y: usize, stream: bool, out: &mut [u8]) {
        let start = axis.starts[y] as usize;
        if axis.is_pairs() {
            let (even, odd) = self.ring.split_at(self.blocks);
            let (first, second) = if start.is_multiple_of(2) {
                (even, odd)
            } else {
                (odd, even)
            };
            // SAFETY: the processor has AVX2; the caller's promise.
            return unsafe {
                match stream {
                    true => vertical::between::<true>(first, second, axis.weights[y], out),
                    false => vertical::between::<false>(first, second, axis.weights[y], out),
                }
            };
        }
        for (tap, &weight) in axis.weights[y * axis.taps..][..axis.taps]
            .iter()
            .enumerate()
        {
            let slot = (start + tap) % axis.taps;
            self.weights[slot / 2][slot % 2] = weight;
        }
        // SAFETY: as above.
        unsafe {
            match stream {
                true => vertical::sums::<true>(&self.ring, self.blocks, &self.weights, out),
                false => vertical::sums::<false>(&self.ring, self.blocks, &self.weights, out),
            }
        }
    }
}
