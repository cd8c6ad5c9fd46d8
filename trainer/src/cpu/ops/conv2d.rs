//! Grouped 2-d convolution of one NHWC image: im2col in tiles of output pixels, then one product
//! per tile and group. Callers run images in parallel.

use std::ops::Range;

use crate::cpu::ops::activation::Epilogue;
use crate::cpu::ops::gemm::{Matrix, MatrixMut, Threads, Write, multiply};
use crate::cpu::ops::im2col::{col2im, im2col};
use crate::cpu::ops::vectorised;
use crate::net::shape::ConvShape;

/// Output pixels of a tile: see `notes.md` for the sizes tried.
const TILE: usize = 256;

/// Values of scratch that the functions here need for `shape`.
#[must_use]
pub fn scratch_len(shape: &ConvShape) -> usize {
    TILE.min(shape.output_pixels()) * shape.patch_len()
}

/// Calls `visit` with ranges of at most [`TILE`] output pixels, of nearly equal size.
fn tiles(shape: &ConvShape, mut visit: impl FnMut(Range<usize>)) {
    let pixels = shape.output_pixels();
    let count = pixels.div_ceil(TILE);
    for tile in 0..count {
        visit(tile * pixels / count..(tile + 1) * pixels / count);
    }
}

/// The weights of one group: `[group outputs, patch]`.
fn group_weights<'a>(shape: &ConvShape, weight: &'a [f32], group: usize) -> Matrix<'a> {
    let (rows, columns) = (shape.group_outputs(), shape.patch_len());
    Matrix::new(&weight[group * rows * columns..], rows, columns, columns)
}

/// `output = activation(image * weight + bias)`.
///
/// `image` is `[height, width, inputs]`, `weight` is `[outputs, kernel, kernel, inputs / groups]`,
/// the bias is `[outputs]` and `output` is `[output height, output width, outputs]`.
pub fn forward(
    shape: &ConvShape,
    image: &[f32],
    weight: &[f32],
    epilogue: Epilogue,
    scratch: &mut [f32],
    output: &mut [f32],
) {
    let (outputs, patch) = (shape.outputs, shape.patch_len());
    tiles(shape, |pixels| {
        let tile = &mut output[pixels.start * outputs..pixels.end * outputs];
        let patches = &mut scratch[..pixels.len() * patch];
        for group in 0..shape.groups {
            im2col(shape, image, group, pixels.clone(), patches);
            let channels = shape.group_outputs();
            multiply(
                MatrixMut::new(
                    &mut tile[group * channels..],
                    pixels.len(),
                    channels,
                    outputs,
                ),
                Write::Replace,
                Matrix::new(patches, pixels.len(), patch, patch),
                group_weights(shape, weight, group).transposed(),
                Threads::One,
            );
        }
        epilogue.apply(tile);
    });
}

/// Adds one image's share to the gradients of weight and bias, given the gradient of the output
/// before the activation.
pub fn backward_weight(
    shape: &ConvShape,
    image: &[f32],
    output_gradient: &[f32],
    scratch: &mut [f32],
    weight_gradient: &mut [f32],
    bias_gradient: &mut [f32],
) {
    let (outputs, patch, channels) = (shape.outputs, shape.patch_len(), shape.group_outputs());
    tiles(shape, |pixels| {
        let tile = &output_gradient[pixels.start * outputs..pixels.end * outputs];
        add_rows(tile, bias_gradient);
        let patches = &mut scratch[..pixels.len() * patch];
        for group in 0..shape.groups {
            im2col(shape, image, group, pixels.clone(), patches);
            let gradient = &mut weight_gradient[group * channels * patch..];
            multiply(
                MatrixMut::new(gradient, channels, patch, patch),
                Write::Add,
                Matrix::new(&tile[group * channels..], pixels.len(), channels, outputs)
                    .transposed(),
                Matrix::new(patches, pixels.len(), patch, patch),
                Threads::One,
            );
        }
    });
}

/// Writes the gradient of the image, given the gradient of the output before the activation.
pub fn backward_input(
    shape: &ConvShape,
    weight: &[f32],
    output_gradient: &[f32],
    scratch: &mut [f32],
    image_gradient: &mut [f32],
) {
    let (outputs, patch, channels) = (shape.outputs, shape.patch_len(), shape.group_outputs());
    image_gradient.fill(0.0);
    tiles(shape, |pixels| {
        let tile = &output_gradient[pixels.start * outputs..pixels.end * outputs];
        let patches = &mut scratch[..pixels.len() * patch];
        for group in 0..shape.groups {
            multiply(
                MatrixMut::new(patches, pixels.len(), patch, patch),
                Write::Replace,
                Matrix::new(&tile[group * channels..], pixels.len(), channels, outputs),
                group_weights(shape, weight, group),
                Threads::One,
            );
            col2im(shape, patches, group, pixels.clone(), image_gradient);
        }
    });
}

/// Adds every row of `rows` to `sums`, in order.
pub(crate) fn add_rows(rows: &[f32], sums: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            for row in rows.chunks_exact(sums.len()) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
            }
        },
    );
}
