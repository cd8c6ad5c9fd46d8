//! Bias and activation.
//!
//! Contract: the kernels read and write only inside their views, whose types and lengths are checked
//! before their pointers are handed over; without a bias its pointer is null.

use crate::cuda::device::{Argument, CudaError, Device, Element, Entry, Grid, View, ViewMut};
use crate::cuda::kernels::check;
use crate::net::config::Activation;

/// The kernels' number of an activation.
pub(super) fn number(function: Option<Activation>) -> Argument {
    Argument::U32(match function {
        None => 0,
        Some(Activation::Relu) => 1,
        Some(Activation::Tanh) => 2,
        Some(Activation::Sigmoid) => 3,
    })
}

/// Adds a bias, one value for each of the last dimension, and applies the activation, in place.
pub(crate) fn bias_activation(
    device: &Device,
    values: ViewMut<'_>,
    bias: Option<View<'_>>,
    function: Option<Activation>,
) -> Result<(), CudaError> {
    let channels = bias.map_or(1, |bias| bias.len);
    assert_eq!(values.len % channels, 0, "whole rows");
    if let Some(bias) = bias {
        check(bias, Element::F32, channels);
    }
    let arguments = [
        (&values).into(),
        bias.into(),
        Argument::count(values.len),
        Argument::size(channels),
        number(function),
    ];
    let entry = Entry::typed("bias_activation", values.element);
    // SAFETY: the kernel's arguments; a missing bias is a null pointer, which it does not follow.
    unsafe { device.launch(entry, Grid::over(values.len), &arguments) }
}

/// Turns the gradient of an activation's output into that of its input, given the output.
pub(crate) fn activation_backward(
    device: &Device,
    function: Activation,
    output: View<'_>,
    gradient: ViewMut<'_>,
) -> Result<(), CudaError> {
    check(output, gradient.element, gradient.len);
    let arguments = [
        output.into(),
        (&gradient).into(),
        Argument::count(gradient.len),
        number(Some(function)),
    ];
    let entry = Entry::typed("activation_backward", gradient.element);
    // SAFETY: the kernel's arguments; both views have the length given.
    unsafe { device.launch(entry, Grid::over(gradient.len), &arguments) }
}

/// Writes the gradient of an activation's input, given the output and its gradient, each in two tensors with half of
/// the channels of all pixels, as pixels of `channels` channels.
pub(crate) fn activation_backward_joined(
    device: &Device,
    function: Option<Activation>,
    channels: usize,
    output: View<'_>,
    gradient: View<'_>,
    joined: ViewMut<'_>,
) -> Result<(), CudaError> {
    check(output, joined.element, joined.len);
    check(gradient, joined.element, joined.len);
    assert!(channels.is_multiple_of(2) && joined.len.is_multiple_of(channels));
    let arguments = [
        output.into(),
        gradient.into(),
        (&joined).into(),
        Argument::count(joined.len),
        Argument::size(channels),
        number(function),
    ];
    let entry = Entry::typed("activation_backward_joined", joined.element);
    // SAFETY: the kernel's arguments; the three views have the length given, in whole pixels.
    unsafe { device.launch(entry, Grid::over(joined.len), &arguments) }
}
