//! Response normalisation across channels, one pixel after the other.
//!
//! With `s = k + alpha / size * sum of x^2 over the neighbouring channels`, the output is
//! `y = x s^-beta`, and the gradient
//! `dx = dy s^-beta - 2 alpha / size * beta * x * sum of dy y / s over the same neighbours`.
//!
//! Columns that do not mix need no code of their own: those of a pixel are contiguous, so with a
//! column's channels as `channels` each column is a pixel.

use crate::cpu::ops::response;
use crate::cpu::ops::vectorised;
use crate::net::config::LrnConfig;

/// Values of scratch that the functions here need for `channels` channels.
#[must_use]
pub fn scratch_len(channels: usize, config: &LrnConfig) -> usize {
    2 * (channels + config.size - 1)
}

/// Writes the normalised image; `channels` values follow each other at each pixel.
pub fn forward(
    config: &LrnConfig,
    channels: usize,
    image: &[f32],
    scratch: &mut [f32],
    output: &mut [f32],
) {
    vectorised(
        #[inline(always)]
        || {
            let scale = config.alpha / config.size as f32;
            let (squares, _) = padded(config, channels, scratch);
            let pixels = image
                .chunks_exact(channels)
                .zip(output.chunks_exact_mut(channels));
            for (x, y) in pixels {
                square(config, x, squares);
                sums(config, squares, y, config.k, scale);
                response::normalise(config.beta, x, y);
            }
        },
    );
}

/// Writes the gradient of the image, given the image and the gradient of the output.
pub fn backward(
    config: &LrnConfig,
    channels: usize,
    image: &[f32],
    output_gradient: &[f32],
    scratch: &mut [f32],
    image_gradient: &mut [f32],
) {
    vectorised(
        #[inline(always)]
        || {
            let half = config.size / 2;
            let scale = config.alpha / config.size as f32;
            let factor = -2.0 * scale * config.beta;
            let (squares, ratios) = padded(config, channels, scratch);
            let pixels = image
                .chunks_exact(channels)
                .zip(output_gradient.chunks_exact(channels))
                .zip(image_gradient.chunks_exact_mut(channels));
            for ((x, dy), dx) in pixels {
                square(config, x, squares);
                sums(config, squares, dx, config.k, scale);
                // From here `squares` holds dy s^-beta, and `ratios` dy y / s.
                let (powers, shares) = (&mut squares[half..], &mut ratios[half..]);
                let from = response::Sums {
                    input: x,
                    gradient: dy,
                    sums: dx,
                };
                response::divide(config.beta, from, powers, shares);
                sums(config, ratios, dx, 0.0, factor);
                response::finish(x, &squares[half..], dx);
            }
        },
    );
}

/// Two rows of `channels` values, each with zeros for the neighbours beyond both ends.
#[inline(always)]
fn padded<'a>(
    config: &LrnConfig,
    channels: usize,
    scratch: &'a mut [f32],
) -> (&'a mut [f32], &'a mut [f32]) {
    let len = channels + config.size - 1;
    let scratch = &mut scratch[..2 * len];
    scratch.fill(0.0);
    scratch.split_at_mut(len)
}

#[inline(always)]
fn square(config: &LrnConfig, x: &[f32], squares: &mut [f32]) {
    let squares = &mut squares[config.size / 2..];
    squares.iter_mut().zip(x).for_each(|(s, x)| *s = x * x);
}

/// `sums[c] = base + scale * (row[c] + ... + row[c + size - 1])`, the row being padded.
#[inline(always)]
fn sums(config: &LrnConfig, row: &[f32], sums: &mut [f32], base: f32, scale: f32) {
    let len = sums.len();
    if config.size == 5 {
        let (a, b, c) = (&row[..len], &row[1..=len], &row[2..len + 2]);
        let (d, e) = (&row[3..len + 3], &row[4..len + 4]);
        for i in 0..len {
            sums[i] = base + scale * (a[i] + b[i] + c[i] + d[i] + e[i]);
        }
        return;
    }
    for (i, sum) in sums.iter_mut().enumerate() {
        *sum = base + scale * row[i..i + config.size].iter().sum::<f32>();
    }
}
