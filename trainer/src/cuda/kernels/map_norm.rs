//! Response normalisation within each channel's map.
//!
//! Contract: the kernels read and write only inside their views, whose types and lengths are checked for
//! the shape and the rows before their pointers are handed over.

use crate::cuda::device::{Argument, CudaError, Device, Entry, Grid, View, ViewMut};
use crate::cuda::kernels::check;
use crate::cuda::kernels::lrn::constants;
use crate::net::config::LrnConfig;
use crate::net::shape::MapShape;

/// A normalisation of `rows` images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapNorm<'a> {
    pub(crate) config: &'a LrnConfig,
    pub(crate) shape: &'a MapShape,
    pub(crate) rows: usize,
}

impl MapNorm<'_> {
    fn len(&self) -> usize {
        self.rows * self.shape.len()
    }

    /// Sizes and constants, as the kernels take them.
    fn arguments(&self) -> Vec<Argument> {
        let shape = self.shape;
        let sizes = [self.rows, shape.height, shape.width, shape.channels].map(Argument::size);
        let square = self.config.size * self.config.size;
        [&sizes[..], &constants(self.config, square)].concat()
    }
}

/// Writes the normalised values.
pub(crate) fn map_norm(
    device: &Device,
    norm: MapNorm<'_>,
    input: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    let (len, element) = (norm.len(), output.element);
    check(input, element, len);
    check(output.view(), element, len);
    let views = [input.into(), (&output).into()];
    let arguments = [&views[..], &norm.arguments()].concat();
    let entry = Entry::typed("map_norm", element);
    // SAFETY: the kernel's arguments; both views have the sizes of the shape.
    unsafe { device.launch(entry, Grid::over(len), &arguments) }
}

/// Writes the gradient of the values, from the values and the gradient of the output.
pub(crate) fn map_norm_backward(
    device: &Device,
    norm: MapNorm<'_>,
    input: View<'_>,
    gradient: View<'_>,
    input_gradient: ViewMut<'_>,
) -> Result<(), CudaError> {
    let (len, element) = (norm.len(), input_gradient.element);
    check(input, element, len);
    check(gradient, element, len);
    check(input_gradient.view(), element, len);
    let views = [input.into(), gradient.into(), (&input_gradient).into()];
    let arguments = [&views[..], &norm.arguments()].concat();
    let entry = Entry::typed("map_norm_backward", element);
    // SAFETY: the kernel's arguments; the three views have the sizes of the shape.
    unsafe { device.launch(entry, Grid::over(len), &arguments) }
}
