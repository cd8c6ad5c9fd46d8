//! Response normalisation across channels.
//!
//! Contract: the kernels read and write only inside their views, whose types and lengths are checked
//! before their pointers are handed over.

use crate::cuda::device::{Argument, CudaError, Device, Entry, Grid, View, ViewMut};
use crate::cuda::kernels::check;
use crate::net::config::LrnConfig;

/// The constants of a normalisation whose sum is over `neighbours` values, as the kernels take them.
pub(super) fn constants(config: &LrnConfig, neighbours: usize) -> [Argument; 4] {
    [
        Argument::size(config.size),
        Argument::F32(config.k),
        Argument::F32(config.alpha / neighbours as f32),
        Argument::F32(config.beta),
    ]
}

/// Writes the normalised values of pixels of `channels` channels.
pub(crate) fn lrn(
    device: &Device,
    config: &LrnConfig,
    channels: usize,
    input: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    let (len, element) = (output.len, output.element);
    check(input, element, len);
    assert_eq!(len % channels, 0, "whole pixels");
    let views = [input.into(), (&output).into()];
    let sizes = [Argument::count(len), Argument::size(channels)];
    let arguments = [&views[..], &sizes, &constants(config, config.size)].concat();
    // SAFETY: the kernel's arguments; both views have the length given.
    unsafe { device.launch(Entry::typed("lrn", element), Grid::over(len), &arguments) }
}

/// Writes the gradient of the values.
pub(crate) fn lrn_backward(
    device: &Device,
    config: &LrnConfig,
    channels: usize,
    input: View<'_>,
    gradient: View<'_>,
    input_gradient: ViewMut<'_>,
) -> Result<(), CudaError> {
    let (len, element) = (input_gradient.len, input_gradient.element);
    check(input, element, len);
    check(gradient, element, len);
    assert_eq!(len % channels, 0, "whole pixels");
    let views = [input.into(), gradient.into(), (&input_gradient).into()];
    let sizes = [Argument::count(len), Argument::size(channels)];
    let arguments = [&views[..], &sizes, &constants(config, config.size)].concat();
    let entry = Entry::typed("lrn_backward", element);
    // SAFETY: the kernel's arguments; the three views have the length given.
    unsafe { device.launch(entry, Grid::over(len), &arguments) }
}
