//! The gradient of a bias.
//!
//! Contract: the kernels read and write only inside their views, whose types and lengths are checked
//! before their pointers are handed over.

use crate::cuda::device::{Argument, CudaError, Device, Element, Entry, Grid, View, ViewMut};
use crate::cuda::kernels::activation::number;
use crate::cuda::kernels::check;
use crate::net::config::Activation;

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

/// Channels of a block of the last sum, as in the kernel.
const FINAL: usize = 8;

/// Writes the sums over the rows of a gradient, in f32, in an order that depends only on the sizes.
pub(crate) fn bias_gradient(
    device: &Device,
    gradient: View<'_>,
    sums: ViewMut<'_>,
    scratch: ViewMut<'_>,
) -> Result<(), CudaError> {
    sum_rows(device, None, gradient, sums, scratch)
}

/// Turns the gradient of an activation's output into that of its input, given the output, and writes the sums over
/// the rows of that.
pub(crate) fn activation_bias_gradient(
    device: &Device,
    function: Activation,
    output: View<'_>,
    gradient: ViewMut<'_>,
    sums: ViewMut<'_>,
    scratch: ViewMut<'_>,
) -> Result<(), CudaError> {
    check(output, gradient.element, gradient.len);
    let through = Some((function, output));
    sum_rows(device, through, gradient.view(), sums, scratch)
}

/// The sums; with an activation the kernel writes to the gradient too, which is the caller's to change then.
fn sum_rows(
    device: &Device,
    through: Option<(Activation, View<'_>)>,
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
    let output = through.map(|(_, output)| output);
    let views = [output.into(), gradient.into(), (&scratch).into()];
    let sizes = [rows, channels, rows.div_ceil(parts)].map(Argument::size);
    let function = [number(through.map(|(function, _)| function))];
    let partial = [&views[..], &sizes, &function].concat();
    let sizes = [parts, channels].map(Argument::size);
    let whole = [&[scratch.view().into(), (&sums).into()][..], &sizes].concat();
    let entry = Entry::typed("bias_partial", gradient.element);
    let (many, one) = (
        Grid::threads(channels, parts),
        Grid::blocks(channels.div_ceil(FINAL), 1),
    );
    // SAFETY: the kernels' arguments; the first writes a row of `channels` sums for each part, and to the gradient
    // only where there is an output, which has as many values; a missing output is a null pointer.
    unsafe {
        device.launch(entry, many, &partial)?;
        device.launch(Entry::plain("bias_final"), one, &whole)
    }
}
