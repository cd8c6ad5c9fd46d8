//! Max pooling of one NHWC image, with windows that may overlap.

use super::PoolShape;
use super::vectorise::vectorised;

/// Channels handled side by side: their best values and places stay in the first-level cache.
const BLOCK: usize = 64;

/// Writes the largest value of every window, and where in the window it stood
/// (`row * kernel + column`; the first of equals, and NaN before all, as PyTorch does), unless
/// `winners` is empty.
pub fn forward(shape: &PoolShape, image: &[f32], output: &mut [f32], winners: &mut [u8]) {
    vectorised(
        #[inline(always)]
        || {
            let channels = shape.channels;
            for (pixel, output) in output.chunks_exact_mut(channels).enumerate() {
                let corner = corner(shape, pixel);
                for first in (0..channels).step_by(BLOCK) {
                    let len = BLOCK.min(channels - first);
                    let (best, places) = window(shape, &image[corner + first..], len);
                    output[first..first + len].copy_from_slice(&best[..len]);
                    if !winners.is_empty() {
                        let at = pixel * channels + first;
                        let winners = winners[at..at + len].iter_mut();
                        winners.zip(places).for_each(|(w, p)| *w = p as u8);
                    }
                }
            }
        },
    );
}

/// The best values of the `len` windows at the start of `image`, and the places they came from.
///
/// Places are as wide as values, so that one mask chooses both; and both are local arrays, which can
/// be written whether or not they change.
#[inline(always)]
fn window(shape: &PoolShape, image: &[f32], len: usize) -> ([f32; BLOCK], [u32; BLOCK]) {
    let mut best = [f32::NEG_INFINITY; BLOCK];
    let mut places = [0_u32; BLOCK];
    for row in 0..shape.kernel {
        for column in 0..shape.kernel {
            let from = (row * shape.width + column) * shape.channels;
            let here = (row * shape.kernel + column) as u32;
            let values = &image[from..from + len];
            for ((best, place), &value) in best.iter_mut().zip(&mut places).zip(values) {
                let better = (value > *best) | value.is_nan();
                *best = if better { value } else { *best };
                *place = if better { here } else { *place };
            }
        }
    }
    (best, places)
}

/// Offset in the image of an output pixel's window.
#[inline(always)]
fn corner(shape: &PoolShape, pixel: usize) -> usize {
    let (y, x) = (pixel / shape.output_width(), pixel % shape.output_width());
    (y * shape.width + x) * shape.stride * shape.channels
}

/// Writes the gradient of the image: every window's gradient goes to its winner.
pub fn backward(
    shape: &PoolShape,
    winners: &[u8],
    output_gradient: &[f32],
    image_gradient: &mut [f32],
) {
    image_gradient.fill(0.0);
    let (kernel, channels) = (shape.kernel, shape.channels);
    let offsets: Vec<usize> = (0..kernel * kernel)
        .map(|place| (place / kernel * shape.width + place % kernel) * channels)
        .collect();
    let rows = output_gradient
        .chunks_exact(channels)
        .zip(winners.chunks_exact(channels));
    for (pixel, (gradients, winners)) in rows.enumerate() {
        let corner = corner(shape, pixel);
        for (channel, (gradient, &winner)) in gradients.iter().zip(winners).enumerate() {
            image_gradient[corner + offsets[usize::from(winner)] + channel] += gradient;
        }
    }
}
