//! Casts, copies with other channels, and sums.
//!
//! Contract: the kernels read and write only inside their views, whose types and lengths are checked
//! before their pointers are handed over.

use crate::cuda::device::{Argument, CudaError, Device, Element, Entry, Grid, View, ViewMut, copy};
use crate::cuda::kernels::check;

/// The channels of a parameter, and those that it is computed with: the added ones are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Channels {
    pub(crate) own: usize,
    pub(crate) padded: usize,
}

impl Channels {
    /// Values with the added channels, of `len` without.
    pub(crate) const fn padded_len(self, len: usize) -> usize {
        len / self.own * self.padded
    }
}

/// Copies values into another type, f32 or bf16, or into the same.
pub(crate) fn cast(device: &Device, input: View<'_>, output: ViewMut<'_>) -> Result<(), CudaError> {
    check(input, input.element, output.len);
    let entry = match (input.element, output.element) {
        (Element::F32, Element::Bf16) => Entry::plain("cast_f32_bf16"),
        (Element::Bf16, Element::F32) => Entry::plain("cast_bf16_f32"),
        (same, other) if same == other => return copy(&device.stream, input, output),
        (from, to) => unreachable!("no cast from {from:?} to {to:?}"),
    };
    let arguments = [input.into(), (&output).into(), Argument::count(output.len)];
    // SAFETY: the kernel's arguments; both views have the length given.
    unsafe { device.launch(entry, Grid::over(output.len), &arguments) }
}

/// Writes f32 pixels as pixels with added channels in the type of activations.
pub(crate) fn widen(
    device: &Device,
    channels: Channels,
    input: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    let Channels { own, padded } = channels;
    let pixels = input.len / own;
    check(input, Element::F32, pixels * own);
    check(output.view(), device.element(), pixels * padded);
    let pixels = [input.into(), (&output).into(), Argument::count(pixels)];
    let arguments = [&pixels[..], &[own, padded].map(Argument::size)].concat();
    let entry = Entry::typed("widen", output.element);
    // SAFETY: the kernel's arguments; the views hold as many pixels.
    unsafe { device.launch(entry, Grid::over(output.len), &arguments) }
}

/// Writes the own channels of pixels with added channels as f32.
pub(crate) fn narrow(
    device: &Device,
    channels: Channels,
    input: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    let Channels { own, padded } = channels;
    let pixels = output.len / own;
    check(input, device.element(), pixels * padded);
    check(output.view(), Element::F32, pixels * own);
    let pixels = [input.into(), (&output).into(), Argument::count(pixels)];
    let arguments = [&pixels[..], &[own, padded].map(Argument::size)].concat();
    let entry = Entry::typed("narrow", input.element);
    // SAFETY: the kernel's arguments; the views hold as many pixels.
    unsafe { device.launch(entry, Grid::over(output.len), &arguments) }
}

/// `sum = sum + share * values`, or `share * values` if this is the first.
pub(crate) fn add_scaled(
    device: &Device,
    values: View<'_>,
    share: f32,
    first: bool,
    sum: ViewMut<'_>,
) -> Result<(), CudaError> {
    check(values, values.element, sum.len);
    check(sum.view(), Element::F32, sum.len);
    let arguments = [
        values.into(),
        (&sum).into(),
        Argument::F32(share),
        Argument::U32(u32::from(first)),
        Argument::count(sum.len),
    ];
    let entry = Entry::typed("add_scaled", values.element);
    // SAFETY: the kernel's arguments; both views have the length given.
    unsafe { device.launch(entry, Grid::over(sum.len), &arguments) }
}
