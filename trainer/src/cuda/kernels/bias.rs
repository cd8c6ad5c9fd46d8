//! The gradient of a bias.
//!
//! Contract: the kernels read and write only inside their views, whose types and lengths are checked
//! before their pointers are handed over.

use crate::cuda::device::{Argument, CudaError, Device, Element, Entry, Grid, View, ViewMut};
use crate::cuda::kernels::check;

/// Rows of a bias gradient that one thread sums.
const ROWS: usize = 256;

/// The most partial sums of a bias gradient.
const MAX_PARTS: usize = 512;

/// Partial sums of a bias gradient of `rows` rows.
fn parts(rows: usize) -> usize {
    rows.div_ceil(ROWS).clamp(1, MAX_PARTS)
}

/// Scratch values for a bias gradient of `rows` rows.
pub(crate) fn bias_scratch(rows: usize, channels: usize) -> usize {
    parts(rows) * channels
}

/// Writes the sums over the rows of a gradient, in f32, in an order that depends only on the sizes.
pub(crate) fn bias_gradient(
    device: &Device,
    gradient: View<'_>,
    sums: ViewMut<'_>,
    scratch: ViewMut<'_>,
) -> Result<(), CudaError> {
    let channels = sums.len;
    assert_eq!(gradient.len % channels, 0, "whole rows");
    check(sums.view(), Element::F32, channels);
    let rows = gradient.len / channels;
    let parts = parts(rows);
    let scratch = scratch.head(parts * channels);
    check(scratch.view(), Element::F32, parts * channels);
    let sizes = [rows, channels, rows.div_ceil(parts)].map(Argument::size);
    let partial = [&[gradient.into(), (&scratch).into()][..], &sizes].concat();
    let sizes = [parts, channels].map(Argument::size);
    let whole = [&[scratch.view().into(), (&sums).into()][..], &sizes].concat();
    let entry = Entry::typed("bias_partial", gradient.element);
    let [many, one] = [parts, 1].map(|rows| Grid::threads(channels, rows));
    // SAFETY: the kernels' arguments; the first writes a row of `channels` sums for each part.
    unsafe {
        device.launch(entry, many, &partial)?;
        device.launch(Entry::plain("bias_final"), one, &whole)
    }
}
