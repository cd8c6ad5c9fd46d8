//! Response normalisation within each channel's map.
//!
//! Contract: the kernels read and write only inside their views, whose types and lengths are checked for
//! the shape and the rows before their pointers are handed over.

use crate::cuda::device::{Argument, CudaError, Device, Entry, Grid, View, ViewMut};
use crate::cuda::kernels::check;
use crate::cuda::kernels::lrn::constants;
use crate::net::layer::MapNormLayer;

/// The sizes and constants of a normalisation of `rows` images, as the kernels take them.
fn arguments(norm: &MapNormLayer, rows: usize) -> Vec<Argument> {
    let shape = &norm.shape;
    let sizes = [rows, shape.height, shape.width, shape.channels].map(Argument::size);
    let square = norm.config.size * norm.config.size;
    [&sizes[..], &constants(&norm.config, square)].concat()
}

/// Writes the normalised values.
pub(crate) fn map_norm(
    device: &Device,
    norm: &MapNormLayer,
    rows: usize,
    input: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    let (len, element) = (rows * norm.shape.len(), output.element);
    check(input, element, len);
    check(output.view(), element, len);
    let views = [input.into(), (&output).into()];
    let arguments = [&views[..], &arguments(norm, rows)].concat();
    let entry = Entry::typed("map_norm", element);
    // SAFETY: the kernel's arguments; both views have the sizes of the shape.
    unsafe { device.launch(entry, Grid::over(len), &arguments) }
}

/// Writes the gradient of the values, from the values and the gradient of the output.
pub(crate) fn map_norm_backward(
    device: &Device,
    norm: &MapNormLayer,
    rows: usize,
    input: View<'_>,
    gradient: View<'_>,
    input_gradient: ViewMut<'_>,
) -> Result<(), CudaError> {
    let (len, element) = (rows * norm.shape.len(), input_gradient.element);
    check(input, element, len);
    check(gradient, element, len);
    check(input_gradient.view(), element, len);
    let views = [input.into(), gradient.into(), (&input_gradient).into()];
    let arguments = [&views[..], &arguments(norm, rows)].concat();
    let entry = Entry::typed("map_norm_backward", element);
    // SAFETY: the kernel's arguments; the three views have the sizes of the shape.
    unsafe { device.launch(entry, Grid::over(len), &arguments) }
}
