//! From a batch's bytes to conv1's input.
//!
//! Contract: the kernel reads and writes inside its views alone, whose types and lengths are checked for the batch's
//! sizes before their pointers leave. The places in the mean image are values on
//! the card, which cannot be checked here: the kernel clamps them.

use shardmill_loader::Normalize;

use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Element, View, ViewMut};
use crate::cuda::kernels::{Argument, blocks, check, size};

/// An image as conv1 takes it: with its padding, and with channels of zeros.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Zeros above and to the left.
    pub(crate) before: usize,
    /// Zeros below and to the right.
    pub(crate) after: usize,
    /// Channels, of which three hold something.
    pub(crate) channels: usize,
}

impl Canvas {
    /// Rows and columns with the padding.
    pub(crate) const fn padded(&self) -> (usize, usize) {
        let padding = self.before + self.after;
        (self.height + padding, self.width + padding)
    }

    /// Values of one image.
    pub(crate) const fn len(&self) -> usize {
        let (height, width) = self.padded();
        height * width * self.channels
    }
}

/// What is done to a byte: `byte * scale + offset` of its channel, with two roundings, as in the
/// loader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine {
    normalize: Normalize,
    scale: [f32; 3],
    offset: [f64; 3],
}

impl Affine {
    /// Of a mean to subtract and a divisor.
    pub(crate) fn of(normalize: Normalize) -> Self {
        let scale = normalize.std.map(|std| 1.0 / f64::from(std));
        Self {
            normalize,
            scale: scale.map(|scale| scale as f32),
            offset: std::array::from_fn(|c| -f64::from(normalize.mean[c]) * scale[c]),
        }
    }

    /// What it was made of.
    pub(crate) fn normalize(&self) -> Normalize {
        self.normalize
    }

    /// The value of a byte of `channel` in an image with this colour shift.
    pub(crate) fn apply(&self, byte: u8, channel: usize, shift: f32) -> f32 {
        let offset = (self.offset[channel] + f64::from(shift)) as f32;
        f32::from(byte) * self.scale[channel] + offset
    }
}

/// A mean image on the card, and the part of it that is subtracted from each image of a batch.
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
    /// As the kernel takes it, for `rows` images of the canvas; two null pointers where there is none.
    fn arguments(mean: Option<Self>, canvas: &Canvas, rows: usize) -> [Argument; 3] {
        let Some(mean) = mean else {
            return [Argument::Pointer(0), Argument::Pointer(0), size(0)];
        };
        assert!(canvas.height.max(canvas.width) <= mean.side, "a part of it");
        check(mean.difference, Element::F32, mean.side * mean.side * 3);
        check(mean.places, Element::U32, rows * PLACE);
        [mean.difference.into(), mean.places.into(), size(mean.side)]
    }
}

/// Values of an image's part of the mean image.
pub(crate) const PLACE: usize = 3;

impl Gpu {
    /// Writes the values of `rows` images of bytes, each with its colour shift and minus its part of the
    /// mean image where there is one, with zeros where the canvas is larger.
    pub(crate) fn finish(
        &self,
        canvas: &Canvas,
        rows: usize,
        images: View<'_>,
        shifts: View<'_>,
        (affine, mean): (&Affine, Option<MeanView<'_>>),
        output: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let (height, width) = canvas.padded();
        check(images, Element::U8, rows * canvas.height * canvas.width * 3);
        check(shifts, Element::F32, rows * 3);
        check(output.view(), self.element(), rows * canvas.len());
        let [s0, s1, s2] = affine.scale.map(Argument::F32);
        let [o0, o1, o2] = affine.offset.map(Argument::F64);
        let [difference, places, side] = MeanView::arguments(mean, canvas, rows);
        let arguments = [
            images.into(),
            shifts.into(),
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
            size(canvas.height),
            size(canvas.width),
            size(canvas.before),
            size(height),
            size(width),
            size(canvas.channels),
        ];
        let grid = (blocks(rows * height * width), 1);
        // SAFETY: the kernel's arguments; the views were checked for these sizes. Without a mean image
        // its two pointers are null, which the kernel does not follow; with one, the kernel clamps every
        // place, so that it reads inside the mean image.
        unsafe { self.launch(("finish", Some(output.element)), grid, &arguments) }
    }
}
