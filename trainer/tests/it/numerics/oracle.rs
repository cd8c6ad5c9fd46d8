//! The operations from their definitions, one sum at a time, in f64.

use shardmill_formats::{Philox, Stream};
use shardmill_trainer::internals::shape::MapShape;
use shardmill_trainer::internals::shape::{ConvShape, PoolShape};
use shardmill_trainer::settings::LrnConfig;

/// Numbers between -1 and 1 without a pattern.
pub(crate) fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let philox = Philox::new(seed, Stream::Demo);
    let word = |i: usize| philox.block(i as u64 / 4, 0)[i % 4];
    (0..len)
        .map(|i| Philox::unit_f32(word(i)) * 2.0 - 1.0)
        .collect()
}

pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

/// `|a - b| / |b|`, over all values.
pub(crate) fn distance(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let difference: f64 = found
        .iter()
        .zip(expected)
        .map(|(&f, e)| (f64::from(f) - e).powi(2))
        .sum();
    let norm: f64 = expected.iter().map(|e| e * e).sum();
    (difference / norm.max(1e-300)).sqrt()
}

/// Asserts that `gradient` is the slope of `function` at `at`, by central differences in f64.
pub(crate) fn check_gradient(
    what: &str,
    at: &[f32],
    gradient: &[f32],
    function: impl Fn(&[f64]) -> f64,
) {
    let mut point = wide(at);
    let step = 1e-5;
    let slopes: Vec<f64> = (0..at.len())
        .map(|i| {
            let middle = point[i];
            point[i] = middle + step;
            let above = function(&point);
            point[i] = middle - step;
            let below = function(&point);
            point[i] = middle;
            (above - below) / (2.0 * step)
        })
        .collect();
    let distance = distance(gradient, &slopes);
    assert!(
        distance < 1e-5,
        "{what}: gradients differ by {distance:e} of their norm"
    );
}

pub(crate) fn dot(a: &[f64], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, &b)| a * f64::from(b)).sum()
}

pub(crate) fn conv2d(s: &ConvShape, image: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let mut output = Vec::with_capacity(s.output_len());
    for y in 0..s.output_height() {
        for x in 0..s.output_width() {
            for (out, bias) in bias.iter().enumerate() {
                let group = out / s.group_outputs();
                let mut sum = *bias;
                for row in 0..s.kernel {
                    for column in 0..s.kernel {
                        let (iy, ix) = (y * s.stride + row, x * s.stride + column);
                        if iy < s.before || ix < s.before {
                            continue;
                        }
                        let (iy, ix) = (iy - s.before, ix - s.before);
                        if iy >= s.height || ix >= s.width {
                            continue;
                        }
                        for channel in 0..s.group_inputs() {
                            let from = (iy * s.width + ix) * s.inputs + group * s.group_inputs();
                            let kernel = (out * s.kernel + row) * s.kernel + column;
                            sum +=
                                image[from + channel] * weight[kernel * s.group_inputs() + channel];
                        }
                    }
                }
                output.push(sum);
            }
        }
    }
    output
}

pub(crate) fn max_pool2d(s: &PoolShape, image: &[f64]) -> Vec<f64> {
    pool2d(s, image, |values| {
        values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    })
}

pub(crate) fn avg_pool2d(s: &PoolShape, image: &[f64]) -> Vec<f64> {
    pool2d(s, image, |values| {
        values.iter().sum::<f64>() / values.len() as f64
    })
}

/// What `of` makes of the values of each window that are inside the image.
fn pool2d(s: &PoolShape, image: &[f64], of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    // Where windows begin: at every step as long as they fit, or as long as some of it is missing.
    let starts = |size: usize| {
        let covered = move |start: &usize| match start.checked_sub(s.stride) {
            Some(before) if s.cut => before + s.kernel < size && *start < size,
            _ => start + s.kernel <= size,
        };
        (0..).step_by(s.stride).take_while(covered)
    };
    let mut output = Vec::with_capacity(s.output_len());
    for top in starts(s.height) {
        for left in starts(s.width) {
            for channel in 0..s.channels {
                let mut values = Vec::new();
                for y in top..s.height.min(top + s.kernel) {
                    for x in left..s.width.min(left + s.kernel) {
                        values.push(image[(y * s.width + x) * s.channels + channel]);
                    }
                }
                output.push(of(&values));
            }
        }
    }
    output
}

/// Normalisation across the channels of each pixel, in `columns` equal parts that see nothing of each
/// other.
pub(crate) fn lrn(
    config: &LrnConfig,
    (channels, columns): (usize, usize),
    image: &[f64],
) -> Vec<f64> {
    let half = config.size / 2;
    let column = |c: usize| c / (channels / columns);
    let mut output = Vec::with_capacity(image.len());
    for pixel in image.chunks(channels) {
        for c in 0..channels {
            let near = |other: usize| other.abs_diff(c) <= half && column(other) == column(c);
            let window = (0..channels).filter(|&other| near(other));
            let squares: f64 = window.map(|other| pixel[other] * pixel[other]).sum();
            let scale = f64::from(config.alpha) / config.size as f64;
            let s = f64::from(config.k) + scale * squares;
            output.push(pixel[c] / s.powf(f64::from(config.beta)));
        }
    }
    output
}

/// Normalisation within maps of one NHWC image.
pub(crate) fn map_norm(config: &LrnConfig, shape: &MapShape, image: &[f64]) -> Vec<f64> {
    let at = |y: usize, x: usize, c: usize| image[(y * shape.width + x) * shape.channels + c];
    let half = config.size / 2;
    let scale = f64::from(config.alpha) / (config.size * config.size) as f64;
    let mut output = Vec::new();
    for y in 0..shape.height {
        for x in 0..shape.width {
            for c in 0..shape.channels {
                let mut sum = 0.0;
                for v in 0..shape.height {
                    for u in 0..shape.width {
                        if v.abs_diff(y) <= half && u.abs_diff(x) <= half {
                            sum += at(v, u, c).powi(2);
                        }
                    }
                }
                let s = f64::from(config.k) + scale * sum;
                output.push(at(y, x, c) * s.powf(-f64::from(config.beta)));
            }
        }
    }
    output
}
