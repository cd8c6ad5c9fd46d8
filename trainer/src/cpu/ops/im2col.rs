//! Patches of an image as the rows of a matrix, and back.

use std::ops::Range;

use crate::cpu::ops::vectorised;
use crate::net::shape::ConvShape;

/// The kernel positions `first..last` along one axis that fall inside an image of `size`, for a
/// window that starts at `origin - before`.
fn inside(origin: usize, before: usize, kernel: usize, size: usize) -> Range<usize> {
    let first = before.saturating_sub(origin).min(kernel);
    let last = (size + before).saturating_sub(origin).min(kernel);
    first..last.max(first)
}

/// Calls `visit(image offset, patch offset, len)` for every contiguous run of values that output
/// pixel `pixel` of `group` sees; what it does not visit is padding.
#[inline(always)]
fn runs(shape: &ConvShape, group: usize, pixel: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let (kernel, channels, inputs) = (shape.kernel, shape.group_inputs(), shape.inputs);
    let y = pixel / shape.output_width() * shape.stride;
    let x = pixel % shape.output_width() * shape.stride;
    let columns = inside(x, shape.before, kernel, shape.width);
    if columns.is_empty() {
        return;
    }
    for row in inside(y, shape.before, kernel, shape.height) {
        let image_row = (y + row - shape.before) * shape.width;
        let image = (image_row + x + columns.start - shape.before) * inputs + group * channels;
        let patch = (row * kernel + columns.start) * channels;
        if shape.groups == 1 {
            visit(image, patch, columns.len() * channels);
        } else {
            for column in 0..columns.len() {
                visit(image + column * inputs, patch + column * channels, channels);
            }
        }
    }
}

/// Whether a pixel's window is wholly inside the image.
fn whole(shape: &ConvShape, pixel: usize) -> bool {
    let y = pixel / shape.output_width() * shape.stride;
    let x = pixel % shape.output_width() * shape.stride;
    inside(y, shape.before, shape.kernel, shape.height).len() == shape.kernel
        && inside(x, shape.before, shape.kernel, shape.width).len() == shape.kernel
}

/// Writes the patches that output pixels `pixels` of `group` see, one row of
/// [`ConvShape::patch_len`] values each, in (row, column, channel) order, with zeros for padding.
pub fn im2col(
    shape: &ConvShape,
    image: &[f32],
    group: usize,
    pixels: Range<usize>,
    patches: &mut [f32],
) {
    let rows = patches.chunks_exact_mut(shape.patch_len());
    for (pixel, patch) in pixels.zip(rows) {
        if !whole(shape, pixel) {
            patch.fill(0.0);
        }
        runs(shape, group, pixel, |from, to, len| {
            patch[to..to + len].copy_from_slice(&image[from..from + len]);
        });
    }
}

/// The adjoint of [`im2col`]: adds every patch value to the image value it came from.
pub fn col2im(
    shape: &ConvShape,
    patches: &[f32],
    group: usize,
    pixels: Range<usize>,
    image: &mut [f32],
) {
    vectorised(
        #[inline(always)]
        || {
            let rows = patches.chunks_exact(shape.patch_len());
            for (pixel, patch) in pixels.zip(rows) {
                runs(shape, group, pixel, |to, from, len| {
                    for (value, add) in image[to..to + len].iter_mut().zip(&patch[from..from + len])
                    {
                        *value += add;
                    }
                });
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> ConvShape {
        ConvShape {
            height: 6,
            width: 5,
            inputs: 4,
            outputs: 2,
            kernel: 3,
            stride: 2,
            before: 1,
            after: 3,
            groups: 2,
        }
    }

    /// One patch value by the definition of a convolution's window.
    fn naive(s: &ConvShape, image: &[f32], group: usize, pixel: usize, at: usize) -> f32 {
        let channel = at % s.group_inputs();
        let (row, column) = (
            at / s.group_inputs() / s.kernel,
            at / s.group_inputs() % s.kernel,
        );
        let y = (pixel / s.output_width() * s.stride + row).checked_sub(s.before);
        let x = (pixel % s.output_width() * s.stride + column).checked_sub(s.before);
        match (y, x) {
            (Some(y), Some(x)) if y < s.height && x < s.width => {
                image[(y * s.width + x) * s.inputs + group * s.group_inputs() + channel]
            }
            _ => 0.0,
        }
    }

    #[test]
    fn patches_match_the_definition() {
        for groups in [1, 2] {
            let s = ConvShape { groups, ..shape() };
            let image: Vec<f32> = (1..=s.input_len()).map(|i| i as f32).collect();
            for group in 0..groups {
                let pixels = 1..s.output_pixels();
                let mut patches = vec![f32::NAN; pixels.len() * s.patch_len()];
                im2col(&s, &image, group, pixels.clone(), &mut patches);
                for (i, &value) in patches.iter().enumerate() {
                    let (pixel, at) = (1 + i / s.patch_len(), i % s.patch_len());
                    assert_eq!(value, naive(&s, &image, group, pixel, at), "{pixel} {at}");
                }
            }
        }
    }

    /// `<im2col(x), p> == <x, col2im(p)>` for all x and p makes one the adjoint of the other.
    #[test]
    fn col2im_is_the_adjoint() {
        let s = shape();
        let image: Vec<f32> = (0..s.input_len()).map(|i| (i * 7 % 11) as f32).collect();
        let len = s.output_pixels() * s.patch_len();
        let weights: Vec<f32> = (0..len).map(|i| (i * 5 % 13) as f32).collect();
        let mut patches = vec![0.0; len];
        im2col(&s, &image, 1, 0..s.output_pixels(), &mut patches);
        let mut back = vec![0.0; image.len()];
        col2im(&s, &weights, 1, 0..s.output_pixels(), &mut back);
        let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        assert_eq!(dot(&patches, &weights), dot(&image, &back));
        assert!(dot(&image, &back) > 0.0);
    }
}
