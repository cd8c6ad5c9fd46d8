//! Response normalisation: across channels, and within each channel's map.
//!
//! Contract: the kernels read and write only inside their views, whose types and lengths are checked
//! before their pointers are handed over.

use crate::compute::Precision;
use crate::cuda::device::{Argument, CudaError, Device, Entry, Grid, View, ViewMut};
use crate::cuda::kernels::check;
use crate::net::config::LrnConfig;
use crate::net::layer::MapNormLayer;

/// The constants of a normalisation whose sum is over `neighbours` values, as the kernels take them.
fn constants(config: &LrnConfig, neighbours: usize) -> [Argument; 4] {
    [
        Argument::size(config.size),
        Argument::F32(config.k),
        Argument::F32(config.alpha / neighbours as f32),
        Argument::F32(config.beta),
    ]
}

/// The channels of a pixel that are normalised together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormChannels {
    pub(crate) count: usize,
    /// In how many tensors of equal parts of them the values lie: 1 or 2, one behind the other.
    pub(crate) columns: usize,
}

impl NormChannels {
    /// All in one tensor.
    pub(crate) const fn joined(count: usize) -> Self {
        Self { count, columns: 1 }
    }

    /// The sizes of `len` values, as the kernels take them.
    fn sizes(self, len: usize) -> [Argument; 3] {
        let Self { count, columns } = self;
        assert!(matches!(columns, 1 | 2) && count.is_multiple_of(columns));
        assert_eq!(len % count, 0, "whole pixels");
        [
            Argument::count(len),
            Argument::size(count),
            Argument::size(columns),
        ]
    }
}

/// The kernel of a device's precision: that of f32 has the CPU's bits, the others a faster arithmetic.
fn entry(device: &Device, typed: &'static str, tf32: &'static str) -> Entry {
    match device.precision {
        Precision::Tf32 => Entry::plain(tf32),
        Precision::F32 | Precision::Bf16 => Entry::typed(typed, device.element()),
    }
}

/// Writes the normalised values of pixels.
pub(crate) fn lrn(
    device: &Device,
    config: &LrnConfig,
    channels: NormChannels,
    input: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    let len = output.len;
    check(input, device.element(), len);
    check(output.view(), device.element(), len);
    let views = [input.into(), (&output).into()];
    let sizes = channels.sizes(len);
    let arguments = [&views[..], &sizes, &constants(config, config.size)].concat();
    // SAFETY: the kernel's arguments; both views have the length given.
    unsafe {
        device.launch(
            entry(device, "lrn", "lrn_tf32"),
            Grid::over(len),
            &arguments,
        )
    }
}

/// What a normalisation's gradient comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormGradient<'a> {
    /// The values.
    pub(crate) input: View<'a>,
    /// The gradient of the output.
    pub(crate) gradient: View<'a>,
    /// Whether the values are what a ReLU has left, and the gradient of the ReLU's input is wanted.
    pub(crate) after_relu: bool,
}

/// Writes the gradient of the values, or of what a ReLU made them from.
pub(crate) fn lrn_backward(
    device: &Device,
    config: &LrnConfig,
    channels: NormChannels,
    from: NormGradient<'_>,
    input_gradient: ViewMut<'_>,
) -> Result<(), CudaError> {
    let (len, element) = (input_gradient.len, device.element());
    check(from.input, element, len);
    check(from.gradient, element, len);
    check(input_gradient.view(), element, len);
    let views = [
        from.input.into(),
        from.gradient.into(),
        (&input_gradient).into(),
    ];
    let (sizes, constants) = (channels.sizes(len), constants(config, config.size));
    let relu = [Argument::U32(from.after_relu.into())];
    let arguments = [&views[..], &sizes, &constants, &relu].concat();
    let entry = entry(device, "lrn_backward", "lrn_backward_tf32");
    // SAFETY: the kernel's arguments; the three views have the length given.
    unsafe { device.launch(entry, Grid::over(len), &arguments) }
}

/// The sizes and constants of a normalisation of `rows` images whose channels lie in `columns` tensors, as the
/// kernels take them: to them a column is an image.
fn map_arguments(norm: &MapNormLayer, rows: usize, columns: usize) -> Vec<Argument> {
    let shape = &norm.shape;
    assert!(shape.channels.is_multiple_of(columns), "columns alike");
    let (images, channels) = (rows * columns, shape.channels / columns);
    let sizes = [images, shape.height, shape.width, channels].map(Argument::size);
    let square = norm.config.size * norm.config.size;
    [&sizes[..], &constants(&norm.config, square)].concat()
}

/// Writes the values that are normalised within each map, of images whose channels lie in `columns` tensors.
pub(crate) fn map_norm(
    device: &Device,
    norm: &MapNormLayer,
    [rows, columns]: [usize; 2],
    input: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    let (len, element) = (rows * norm.shape.len(), output.element);
    check(input, element, len);
    check(output.view(), element, len);
    let views = [input.into(), (&output).into()];
    let arguments = [&views[..], &map_arguments(norm, rows, columns)].concat();
    let entry = Entry::typed("map_norm", element);
    // SAFETY: the kernel's arguments; both views have the sizes of the shape.
    unsafe { device.launch(entry, Grid::over(len), &arguments) }
}

/// Writes the gradient of the values, from the values and the gradient of the output.
pub(crate) fn map_norm_backward(
    device: &Device,
    norm: &MapNormLayer,
    [rows, columns]: [usize; 2],
    input: View<'_>,
    gradient: View<'_>,
    input_gradient: ViewMut<'_>,
) -> Result<(), CudaError> {
    let (len, element) = (rows * norm.shape.len(), input_gradient.element);
    check(input, element, len);
    check(gradient, element, len);
    check(input_gradient.view(), element, len);
    let views = [input.into(), gradient.into(), (&input_gradient).into()];
    let arguments = [&views[..], &map_arguments(norm, rows, columns)].concat();
    let entry = Entry::typed("map_norm_backward", element);
    // SAFETY: the kernel's arguments; the three views have the sizes of the shape.
    unsafe { device.launch(entry, Grid::over(len), &arguments) }
}
