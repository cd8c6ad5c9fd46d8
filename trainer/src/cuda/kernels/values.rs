//! Casts, conv1's kernels as they are computed with, and sums.
//!
//! Contract: the kernels read and write only inside their views, whose types and lengths are checked
//! before their pointers are handed over.

use crate::cuda::device::{Argument, CudaError, Device, Element, Entry, Grid, View, ViewMut, copy};
use crate::cuda::kernels::check;

/// The kernels of a convolution, and how they are computed with: over blocks of pixels, each a pixel of the channels of
/// all its pixels, and of added ones. Added weights are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConvKernels {
    /// Pixels of a side.
    pub(crate) side: usize,
    /// Channels of a pixel.
    pub(crate) own: usize,
    /// Pixels of a block's side; 1 for none.
    pub(crate) block: usize,
    /// Channels of a block.
    pub(crate) channels: usize,
}

impl ConvKernels {
    /// Weights of a kernel.
    const fn len(self) -> usize {
        self.side * self.side * self.own
    }

    /// Weights that a kernel is computed with.
    const fn wide_len(self) -> usize {
        let blocks = self.side.div_ceil(self.block);
        blocks * blocks * self.channels
    }

    /// Weights that all kernels are computed with, of `len` weights.
    pub(crate) const fn widened(self, len: usize) -> usize {
        len / self.len() * self.wide_len()
    }

    /// The sizes of `kernels` kernels, as the kernels of the GPU take them.
    fn sizes(self, kernels: usize) -> [Argument; 5] {
        let Self {
            side,
            own,
            block,
            channels,
        } = self;
        assert!(block * block * own <= channels, "a block's channels");
        [kernels, side, own, block, channels].map(Argument::size)
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

/// Writes f32 kernels as they are computed with, in the type of activations.
pub(crate) fn widen(
    device: &Device,
    kernels: ConvKernels,
    input: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    let count = input.len / kernels.len();
    check(input, Element::F32, count * kernels.len());
    check(output.view(), device.element(), count * kernels.wide_len());
    let views = [input.into(), (&output).into()];
    let arguments = [&views[..], &kernels.sizes(count)].concat();
    let entry = Entry::typed("widen", output.element);
    // SAFETY: the kernel's arguments; the views hold as many kernels.
    unsafe { device.launch(entry, Grid::over(output.len), &arguments) }
}

/// Writes what belongs to the kernels' own weights, as f32, of values that belong to those they are computed with.
pub(crate) fn narrow(
    device: &Device,
    kernels: ConvKernels,
    input: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    let count = output.len / kernels.len();
    check(input, device.element(), count * kernels.wide_len());
    check(output.view(), Element::F32, count * kernels.len());
    let views = [input.into(), (&output).into()];
    let arguments = [&views[..], &kernels.sizes(count)].concat();
    let entry = Entry::typed("narrow", input.element);
    // SAFETY: the kernel's arguments; the views hold as many kernels.
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
