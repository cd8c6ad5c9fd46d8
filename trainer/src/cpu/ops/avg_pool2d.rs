//! Average pooling of one NHWC image, with windows that may overlap, and that may be cut at the border: the
//! mean is then that of the pixels inside.

use crate::cpu::ops::vectorised;
use crate::net::shape::{PoolShape, PoolWindow};

/// Writes the mean of every window.
pub fn forward(shape: &PoolShape, image: &[f32], output: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            for (pixel, sums) in output.chunks_exact_mut(shape.channels).enumerate() {
                let window = shape.window(pixel);
                sums.fill(0.0);
                for_pixels(shape, &window, |at| {
                    let values = &image[at..at + shape.channels];
                    sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += v);
                });
                let count = window.pixels() as f32;
                sums.iter_mut().for_each(|sum| *sum /= count);
            }
        },
    );
}

/// Writes the gradient of the image: every pixel of a window gets an equal share of the window's.
pub fn backward(shape: &PoolShape, output_gradient: &[f32], image_gradient: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            image_gradient.fill(0.0);
            let rows = output_gradient.chunks_exact(shape.channels);
            for (pixel, gradients) in rows.enumerate() {
                let window = shape.window(pixel);
                let count = window.pixels() as f32;
                for_pixels(shape, &window, |at| {
                    let sums = &mut image_gradient[at..at + shape.channels];
                    let pairs = sums.iter_mut().zip(gradients);
                    pairs.for_each(|(sum, gradient)| *sum += gradient / count);
                });
            }
        },
    );
}

/// Calls `visit` with the place in the image of the first channel of each of a window's pixels.
#[inline(always)]
fn for_pixels(shape: &PoolShape, window: &PoolWindow, mut visit: impl FnMut(usize)) {
    for row in 0..window.rows {
        for column in 0..window.columns {
            visit(window.corner + (row * shape.width + column) * shape.channels);
        }
    }
}
