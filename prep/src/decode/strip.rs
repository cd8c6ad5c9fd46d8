//! The resize of a plane, a strip of rows at a time: first downwards, where neighbours are side by side in
//! memory; then the strip is turned, so that they do so again across. Everything between stays in the
//! processor's nearest cache.
//!
//! Sums are in 16 bits, of which the lowest are parts of a level; products are rounded to them. Levels are
//! counted from 128, so that they fill the sign too.

use shardmill_jpeg::Plane;

use super::lanes::{Column, Lanes};
use super::taps::{Tap, Taps};

/// Rows of a strip.
pub(super) const ROWS: usize = 16;
/// Pixels of a row that are taken at once.
pub(super) const PIXELS: usize = 32;
/// Parts of a level in a finished strip.
pub(super) const PARTS: i16 = 64;

/// A strip, and memory for making it.
#[derive(Debug, Default)]
pub(super) struct Strip {
    /// Some columns of the plane, in 1/256 of a level and in the order of [`Lanes::widened`].
    source: Vec<[[i16; 16]; 2]>,
    /// Columns of the plane with rows of the record, in 1/128 of a level.
    turned: Vec<Column>,
    /// Columns of the record, in 1/[`PARTS`] of a level.
    columns: Vec<Column>,
    /// The same row by row; each is as long as [`Strip::stride`] says.
    rows: Vec<i16>,
}

impl Strip {
    /// Length of a row for a record of `size` pixels.
    const fn stride(size: usize) -> usize {
        size.next_multiple_of(PIXELS)
    }

    /// Row `y` of the strip, in 1/[`PARTS`] of a level from 128, with values without meaning after its
    /// end that make it a multiple of [`PIXELS`].
    #[inline(always)]
    pub(super) fn row(&self, y: usize, size: usize) -> &[i16] {
        let stride = Self::stride(size);
        &self.rows[y * stride..][..stride]
    }

    /// Makes rows `first` to `first + ROWS` of a record of `size` pixels; those after the record's last
    /// are its last one again.
    #[inline(always)]
    pub(super) fn make(
        &mut self,
        lanes: impl Lanes,
        plane: &Plane,
        taps: PlaneTaps<'_>,
        first: usize,
        size: usize,
    ) {
        self.downwards(lanes, plane, |y| taps.down.pixel((first + y).min(size - 1)));
        let stride = Self::stride(size);
        self.columns.resize(stride, [[0; 16]]);
        for (x, column) in self.columns.iter_mut().take(size).enumerate() {
            let tap = taps.across.pixel(x);
            *column = sums(lanes, &self.turned[tap.start..], tap);
        }
        self.rows.resize(stride * ROWS, 0);
        for (left, columns) in self.columns.as_chunks().0.iter().enumerate() {
            for (y, row) in lanes.rows(columns).iter().enumerate() {
                self.rows[y * stride + left * 8..][..8].copy_from_slice(row);
            }
        }
    }

    /// Makes `turned` of a plane, whose samples for each row of the strip `taps` gives.
    #[inline(always)]
    fn downwards<'a>(&mut self, lanes: impl Lanes, plane: &Plane, taps: impl Fn(usize) -> Tap<'a>) {
        let (mut top, mut bottom) = (usize::MAX, 0);
        for y in 0..ROWS {
            let tap = taps(y);
            top = top.min(tap.start);
            bottom = bottom.max(tap.start + tap.weights.len());
        }
        let height = bottom - top;
        self.source.resize(height, [[0; 16]; 2]);
        let width = plane.width.next_multiple_of(PIXELS);
        self.turned.resize(width, [[0; 16]]);
        let columns = self.turned.as_chunks_mut::<PIXELS>().0.iter_mut();
        for (number, columns) in columns.enumerate() {
            for (y, wide) in self.source.iter_mut().enumerate() {
                let from = (top + y) * plane.stride + number * PIXELS;
                let pixels = plane.memory[from..].first_chunk();
                *wide = lanes.widened(pixels.expect("a plane has bytes to spare"));
            }
            let mut rows = [[[0; 16]; 2]; ROWS];
            for (y, row) in rows.iter_mut().enumerate() {
                let tap = taps(y);
                *row = sums(lanes, &self.source[tap.start - top..], tap);
            }
            for (eight, columns) in columns.as_chunks_mut().0.iter_mut().enumerate() {
                *columns = lanes.columns(
                    #[inline(always)]
                    |y| {
                        let values = rows[y][eight % 2][eight / 2 * 8..].first_chunk();
                        *values.expect("half of sixteen")
                    },
                );
            }
        }
    }
}

/// The weights of a plane, downwards and across.
#[derive(Clone, Copy)]
pub(super) struct PlaneTaps<'a> {
    pub(super) down: &'a Taps,
    pub(super) across: &'a Taps,
}

/// Sums of values and those after them, `K` times sixteen at once. The usual numbers of weights are spelled
/// out, so that there is no loop: a third less time.
#[inline(always)]
fn sums<const K: usize>(
    lanes: impl Lanes,
    values: &[[[i16; 16]; K]],
    tap: Tap<'_>,
) -> [[i16; 16]; K] {
    match tap.weights.len() {
        2 => of_length::<K, 2>(lanes, values, tap),
        3 => of_length::<K, 3>(lanes, values, tap),
        4 => of_length::<K, 4>(lanes, values, tap),
        5 => of_length::<K, 5>(lanes, values, tap),
        6 => of_length::<K, 6>(lanes, values, tap),
        _ => any(lanes, values, tap.weights),
    }
}

/// [`any`] with `N` weights, a number that the compiler knows.
#[inline(always)]
fn of_length<const K: usize, const N: usize>(
    lanes: impl Lanes,
    values: &[[[i16; 16]; K]],
    tap: Tap<'_>,
) -> [[i16; 16]; K] {
    let values: &[_; N] = values.first_chunk().expect("a value for each weight");
    let weights: &[_; N] = tap.weights.first_chunk().expect("as many weights");
    any(lanes, values, weights)
}

#[inline(always)]
fn any<const K: usize>(
    lanes: impl Lanes,
    values: &[[[i16; 16]; K]],
    weights: &[i16],
) -> [[i16; 16]; K] {
    let mut sums = [[0; 16]; K];
    for (values, &weight) in values.iter().zip(weights) {
        for (sum, values) in sums.iter_mut().zip(values) {
            *sum = lanes.add_products(*sum, values, weight);
        }
    }
    sums
}
