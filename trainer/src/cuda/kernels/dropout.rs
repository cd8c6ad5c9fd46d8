//! Dropout.
//!
//! Contract: the kernel reads and writes only inside its views, whose types and lengths are checked
//! before their pointers are handed over.

use shardmill_formats::{Philox, Stream};

use crate::cuda::device::{Argument, CudaError, Device, Entry, Grid, View, ViewMut};
use crate::cuda::kernels::check;
use crate::net::MaskKey;

/// Multiplies values by a mask from its value `first` on: the CPU's mask, which may begin at any value
/// here. The share `rate` of the mask is 0.
pub(crate) fn dropout(
    device: &Device,
    rate: f32,
    key: MaskKey,
    first: usize,
    input: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    check(input, output.element, output.len);
    // The key that `Philox::derive` makes of the step.
    let [key0, key1, ..] = Philox::new(key.seed, Stream::Dropout).block(key.step, u32::MAX);
    let threshold = (f64::from(rate) * 4_294_967_296.0) as u32;
    let values = [input.into(), (&output).into(), Argument::count(output.len)];
    let rate = [Argument::U32(threshold), Argument::F32(1.0 / (1.0 - rate))];
    let key = [key0, key1, key.layer].map(Argument::U32);
    let arguments = [&values[..], &rate, &key, &[Argument::count(first)]].concat();
    let entry = Entry::typed("dropout", output.element);
    let grid = Grid::over(output.len.div_ceil(4));
    // SAFETY: the kernel's arguments; both views have the length given.
    unsafe { device.launch(entry, grid, &arguments) }
}
