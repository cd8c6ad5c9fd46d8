//! Response normalisation within each channel's map, over a square of pixels.
//!
//! With `s = k + alpha / size^2 * sum of x^2 over the square around a pixel`, cut off at the image's
//! edge, the output is `y = x s^-beta`, and the gradient
//! `dx = dy s^-beta - 2 alpha / size^2 * beta * x * sum of dy y / s over the same square`.

use crate::cpu::ops::response;
use crate::cpu::ops::vectorised;
use crate::net::config::LrnConfig;
use crate::net::shape::MapShape;

/// Values of scratch that the functions here need.
#[must_use]
pub const fn scratch_len(shape: &MapShape) -> usize {
    3 * shape.len()
}

/// Writes the normalised image.
pub fn forward(
    config: &LrnConfig,
    shape: &MapShape,
    image: &[f32],
    scratch: &mut [f32],
    output: &mut [f32],
) {
    vectorised(
        #[inline(always)]
        || {
            let (squares, rest) = scratch.split_at_mut(shape.len());
            squares.iter_mut().zip(image).for_each(|(s, x)| *s = x * x);
            let (columns, scale) = (&mut rest[..shape.len()], scale(config));
            Squares::new(config, shape).sums(squares, columns, output, config.k, scale);
            response::normalise(config.beta, image, output);
        },
    );
}

/// Writes the gradient of the image, given the image and the gradient of the output.
pub fn backward(
    config: &LrnConfig,
    shape: &MapShape,
    image: &[f32],
    output_gradient: &[f32],
    scratch: &mut [f32],
    image_gradient: &mut [f32],
) {
    vectorised(
        #[inline(always)]
        || {
            let len = shape.len();
            let (ratios, rest) = scratch.split_at_mut(len);
            let (columns, powers) = rest.split_at_mut(len);
            let powers = &mut powers[..len];
            ratios.iter_mut().zip(image).for_each(|(s, x)| *s = x * x);
            let (squares, scale) = (Squares::new(config, shape), scale(config));
            squares.sums(ratios, columns, image_gradient, config.k, scale);
            // Now `powers` become dy s^-beta, and `ratios` dy y / s.
            let sums = response::Sums {
                input: image,
                gradient: output_gradient,
                sums: image_gradient,
            };
            response::divide(config.beta, sums, powers, ratios);
            let factor = -2.0 * scale * config.beta;
            squares.sums(ratios, columns, image_gradient, 0.0, factor);
            response::finish(image, powers, image_gradient);
        },
    );
}

#[inline(always)]
fn scale(config: &LrnConfig) -> f32 {
    config.alpha / (config.size * config.size) as f32
}

/// The squares of pixels that are summed.
struct Squares<'a> {
    shape: &'a MapShape,
    /// Pixels to each side of the one in the middle.
    half: usize,
}

impl<'a> Squares<'a> {
    #[inline(always)]
    fn new(config: &LrnConfig, shape: &'a MapShape) -> Self {
        Self {
            shape,
            half: config.size / 2,
        }
    }

    /// `sums = base + scale * (sum of values over the square around each pixel)`, first along the rows
    /// into `columns`, then across them.
    #[inline(always)]
    fn sums(&self, values: &[f32], columns: &mut [f32], sums: &mut [f32], base: f32, scale: f32) {
        let &Self { shape, half } = self;
        let (channels, row) = (shape.channels, shape.width * shape.channels);
        for (values, columns) in values.chunks_exact(row).zip(columns.chunks_exact_mut(row)) {
            for x in 0..shape.width {
                let sum = &mut columns[x * channels..(x + 1) * channels];
                sum.fill(0.0);
                for near in x.saturating_sub(half)..(x + half + 1).min(shape.width) {
                    let near = &values[near * channels..(near + 1) * channels];
                    sum.iter_mut()
                        .zip(near)
                        .for_each(|(sum, value)| *sum += value);
                }
            }
        }
        for (y, sums) in sums.chunks_exact_mut(row).enumerate() {
            sums.fill(0.0);
            for near in y.saturating_sub(half)..(y + half + 1).min(shape.height) {
                let near = &columns[near * row..(near + 1) * row];
                sums.iter_mut()
                    .zip(near)
                    .for_each(|(sum, value)| *sum += value);
            }
            sums.iter_mut().for_each(|sum| *sum = base + scale * *sum);
        }
    }
}
