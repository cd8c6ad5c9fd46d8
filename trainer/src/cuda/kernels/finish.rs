//! From a batch's bytes to conv1's input.
//!
//! Contract: the kernel reads and writes only inside its views, whose types and lengths are checked for
//! the batch's sizes before their pointers are handed over. The offsets into the mean image are values
//! in GPU memory, which cannot be checked here: the kernel clamps them.

use shardmill_loader::Normalize;

use crate::cuda::device::{Argument, CudaError, Device, Element, Entry, Grid, View, ViewMut};
use crate::cuda::kernels::check;
use crate::net::shape::ConvShape;

/// An image as conv1 takes it: with its padding, and with added channels of zeros.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    shape: ConvShape,
    channels: usize,
}

impl Canvas {
    /// The input of a convolution that is computed with so many channels.
    pub(crate) const fn new(shape: ConvShape, channels: usize) -> Self {
        Self { shape, channels }
    }

    /// The convolution of the canvas, which needs no padding.
    pub(crate) const fn conv_shape(&self) -> ConvShape {
        let padding = self.shape.before + self.shape.after;
        ConvShape {
            height: self.shape.height + padding,
            width: self.shape.width + padding,
            inputs: self.channels,
            before: 0,
            after: 0,
            ..self.shape
        }
    }

    /// Values of one image.
    pub(crate) const fn len(&self) -> usize {
        self.conv_shape().input_len()
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
    /// The kernel's arguments for `rows` images of the canvas; without a mean image two null pointers.
    fn arguments(mean: Option<Self>, canvas: &Canvas, rows: usize) -> [Argument; 3] {
        let Some(mean) = mean else {
            return [Argument::NULL, Argument::NULL, Argument::size(0)];
        };
        assert!(
            canvas.shape.height.max(canvas.shape.width) <= mean.side,
            "a part of the mean image"
        );
        check(mean.difference, Element::F32, mean.side * mean.side * 3);
        check(mean.places, Element::U32, rows * PLACE);
        let side = Argument::size(mean.side);
        [mean.difference.into(), mean.places.into(), side]
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
    let (rows, image, padded) = (batch.shifts.len / 3, &canvas.shape, canvas.conv_shape());
    let pixels = image.height * image.width;
    check(batch.images, Element::U8, rows * pixels * 3);
    check(batch.shifts, Element::F32, rows * 3);
    check(output.view(), device.element(), rows * canvas.len());
    let [s0, s1, s2] = batch.affine.scale.map(Argument::F32);
    let [o0, o1, o2] = batch.affine.offset.map(Argument::F64);
    let [difference, places, side] = MeanView::arguments(batch.mean, canvas, rows);
    let size = Argument::size;
    let arguments = [
        batch.images.into(),
        batch.shifts.into(),
        (&output).into(),
        s0,
        s1,
        s2,
        o0,
        o1,
        o2,
        difference,
        places,
        side,
        size(rows),
        size(image.height),
        size(image.width),
        size(image.before),
        size(padded.height),
        size(padded.width),
        size(canvas.channels),
    ];
    let grid = Grid::over(rows * padded.height * padded.width);
    // SAFETY: the kernel's arguments; the views were checked for these sizes. Without a mean image
    // its two pointers are null and the kernel does not follow them; with one, the kernel clamps every
    // place, so that it reads inside the mean image.
    unsafe { device.launch(Entry::typed("finish", output.element), grid, &arguments) }
}
