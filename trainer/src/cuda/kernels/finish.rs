//! From a batch's bytes, or its values, to conv1's input.
//!
//! Contract: the kernels read and write only inside its views, whose types and lengths are checked for
//! the batch's sizes before their pointers are handed over. The offsets into the mean image are values
//! in GPU memory, which cannot be checked here: `finish` clamps them.

use shardmill_loader::Normalize;

use crate::cuda::device::{Argument, CudaError, Device, Element, Entry, Grid, View, ViewMut};
use crate::cuda::kernels::{ConvKernels, check};
use crate::net::shape::ConvShape;

/// The side of a block of pixels, and the step of the convolutions whose input is made of such blocks.
const BLOCK: usize = 4;

/// An image as conv1 takes it: with its padding, and with added channels of zeros. A convolution that moves by 4
/// pixels gets blocks of 4x4 pixels instead, each as a pixel of 48 channels, and moves by one of them; where its kernel
/// ends within a block, the weights are 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    shape: ConvShape,
    /// The side of a block; 1 for pixels.
    block: usize,
    channels: usize,
}

impl Canvas {
    /// The input of a convolution, which is computed with so many channels where pixels stay pixels.
    pub(crate) const fn new(shape: ConvShape, channels: usize) -> Self {
        if shape.stride == BLOCK && shape.groups == 1 {
            return Self {
                shape,
                block: BLOCK,
                channels: BLOCK * BLOCK * shape.inputs,
            };
        }
        Self {
            shape,
            block: 1,
            channels,
        }
    }

    /// The convolution of the canvas, which needs no padding.
    pub(crate) const fn conv_shape(&self) -> ConvShape {
        let s = self.shape;
        let kernel = s.kernel.div_ceil(self.block);
        let (height, width) = if self.block > 1 {
            // As far as the last window reaches.
            (
                s.output_height() - 1 + kernel,
                s.output_width() - 1 + kernel,
            )
        } else {
            let padding = s.before + s.after;
            (s.height + padding, s.width + padding)
        };
        ConvShape {
            height,
            width,
            inputs: self.channels,
            kernel,
            stride: s.stride / self.block,
            before: 0,
            after: 0,
            ..s
        }
    }

    /// The kernels of that convolution.
    pub(crate) const fn kernels(&self) -> ConvKernels {
        ConvKernels {
            side: self.shape.kernel,
            own: self.shape.inputs,
            block: self.block,
            channels: self.channels,
        }
    }

    /// Values of an image.
    pub(crate) const fn image_len(&self) -> usize {
        self.shape.input_len()
    }

    /// Values of an image's canvas.
    pub(crate) const fn len(&self) -> usize {
        self.conv_shape().input_len()
    }

    /// The sizes of `rows` images and of their canvases, as the kernels take them.
    fn sizes(&self, rows: usize) -> [Argument; 8] {
        let (image, padded) = (&self.shape, self.conv_shape());
        [
            rows,
            image.height,
            image.width,
            image.before,
            padded.height,
            padded.width,
            self.channels,
            self.block,
        ]
        .map(Argument::size)
    }

    /// A thread for each pack of the canvases of `rows` images where the channels are whole packs, or else for each
    /// value.
    fn grid(&self, rows: usize, element: Element) -> Grid {
        let values = rows * self.len();
        assert!(u32::try_from(values).is_ok(), "{values} values at once");
        let pack = 16 / element.bytes();
        match self.channels.is_multiple_of(pack) {
            true => Grid::over(values / pack),
            false => Grid::over(values),
        }
    }
}

/// What is done to a byte: `byte * scale + offset` of its channel, with two roundings, as in the
/// loader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine {
    scale: [f32; 3],
    offset: [f64; 3],
}

impl Affine {
    /// From a mean to subtract and a divisor.
    pub(crate) fn of(normalize: Normalize) -> Self {
        let scale = normalize.std.map(|std| 1.0 / f64::from(std));
        Self {
            scale: scale.map(|scale| scale as f32),
            offset: std::array::from_fn(|c| -f64::from(normalize.mean[c]) * scale[c]),
        }
    }

    /// The value of a byte of `channel` in an image with this colour shift.
    pub(crate) fn apply(&self, byte: u8, channel: usize, shift: f32) -> f32 {
        let offset = (self.offset[channel] + f64::from(shift)) as f32;
        f32::from(byte) * self.scale[channel] + offset
    }
}

/// A mean image, and the part of it that is subtracted from each image of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MeanView<'a> {
    /// What to add to a value minus its channel's mean: `[side, side, 3]` of f32.
    pub(crate) difference: View<'a>,
    /// Side of the mean image.
    pub(crate) side: usize,
    /// For each image the first row and column of its part, and whether it is mirrored (1 or 0), all
    /// such that the part lies in the mean image: u32.
    pub(crate) places: View<'a>,
}

impl MeanView<'_> {
    /// Checks that there is a part of it for each of `rows` images of the canvas.
    fn check(&self, canvas: &Canvas, rows: usize) {
        assert!(
            canvas.shape.height.max(canvas.shape.width) <= self.side,
            "a part of the mean image"
        );
        check(self.difference, Element::F32, self.side * self.side * 3);
        check(self.places, Element::U32, rows * PLACE);
    }
}

/// Numbers that locate an image's part of the mean image.
pub(crate) const PLACE: usize = 3;

/// A batch as the loader gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a> {
    pub(crate) images: View<'a>,
    /// The colour shift of each image.
    pub(crate) shifts: View<'a>,
    pub(crate) affine: &'a Affine,
    pub(crate) mean: Option<MeanView<'a>>,
}

/// Writes the values of a batch, each with its colour shift and minus its part of the mean image if
/// there is one, and zeros where the canvas is larger than an image.
pub(crate) fn finish(
    device: &Device,
    canvas: &Canvas,
    batch: Bytes<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    let rows = batch.shifts.len / 3;
    check(batch.images, Element::U8, rows * canvas.image_len());
    check(batch.shifts, Element::F32, rows * 3);
    check(output.view(), device.element(), rows * canvas.len());
    if let Some(mean) = &batch.mean {
        mean.check(canvas, rows);
    }
    assert_eq!(canvas.shape.inputs, 3, "bytes are of three channels");
    let views = [batch.images, batch.shifts, output.view()].map(Argument::from);
    let scale = batch.affine.scale.map(Argument::F32);
    let offset = batch.affine.offset.map(Argument::F64);
    let mean = [
        batch.mean.map(|mean| mean.difference).into(),
        batch.mean.map(|mean| mean.places).into(),
        Argument::size(batch.mean.map_or(0, |mean| mean.side)),
    ];
    let sizes = canvas.sizes(rows);
    let arguments = [&views[..], &scale, &offset, &mean, &sizes].concat();
    let grid = canvas.grid(rows, output.element);
    // SAFETY: the kernel's arguments; the views were checked for these sizes. Without a mean image
    // its two pointers are null and the kernel does not follow them; with one, the kernel clamps every
    // place, so that it reads inside the mean image.
    unsafe { device.launch(Entry::typed("finish", output.element), grid, &arguments) }
}

/// Writes f32 images, NHWC, which are as the network sees them, and zeros where the canvas is larger than an image.
pub(crate) fn place(
    device: &Device,
    canvas: &Canvas,
    images: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    let rows = images.len / canvas.image_len();
    check(images, Element::F32, rows * canvas.image_len());
    check(output.view(), device.element(), rows * canvas.len());
    assert_eq!(canvas.shape.inputs, 3, "images are of three channels");
    let views = [images, output.view()].map(Argument::from);
    let arguments = [&views[..], &canvas.sizes(rows)].concat();
    let grid = canvas.grid(rows, output.element);
    // SAFETY: the kernel's arguments; the views were checked for these sizes.
    unsafe { device.launch(Entry::typed("place", output.element), grid, &arguments) }
}
