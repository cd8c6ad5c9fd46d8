//! Max pooling of one NHWC image, with windows that may overlap and be cut at the border.

use crate::cpu::ops::vectorised;
use crate::net::shape::{PoolShape, PoolWindow};

/// Channels handled side by side: their best values and places stay in registers.
const BLOCK: usize = 16;

/// Writes the largest value of every window, and its place in the window
/// (`row * kernel + column`; the first of equals, and NaN before all, as PyTorch does), unless
/// `winners` is empty.
pub fn forward(shape: &PoolShape, image: &[f32], output: &mut [f32], winners: &mut [u8]) {
    vectorised(
        #[inline(always)]
        || {
            let channels = shape.channels;
            for (pixel, output) in output.chunks_exact_mut(channels).enumerate() {
                let place = shape.window(pixel);
                let corner = place.corner;
                let winners = if winners.is_empty() {
                    &mut []
                } else {
                    &mut winners[pixel * channels..(pixel + 1) * channels]
                };
                let (blocks, rest) = output.as_chunks_mut::<BLOCK>();
                let whole = blocks.len() * BLOCK;
                for (number, output) in blocks.iter_mut().enumerate() {
                    let first = number * BLOCK;
                    let image = &image[corner + first..];
                    if winners.is_empty() {
                        *output = window::<false>(shape, &place, image, load).0;
                        continue;
                    }
                    let (best, places) = window::<true>(shape, &place, image, load);
                    *output = best;
                    let winners = &mut winners[first..first + BLOCK];
                    winners
                        .iter_mut()
                        .zip(places)
                        .for_each(|(w, p)| *w = p as u8);
                }
                if rest.is_empty() {
                    continue;
                }
                // The last channels, where they fill no block; what is beyond them is ignored.
                let len = rest.len();
                let load = |values: &[f32]| {
                    let mut block = [0.0; BLOCK];
                    block[..len].copy_from_slice(&values[..len]);
                    block
                };
                let (best, places) = window::<true>(shape, &place, &image[corner + whole..], load);
                let winners = winners.iter_mut().skip(whole);
                winners.zip(places).for_each(|(w, p)| *w = p as u8);
                rest.copy_from_slice(&best[..len]);
            }
        },
    );
}

#[inline(always)]
fn load(values: &[f32]) -> [f32; BLOCK] {
    let mut block = [0.0; BLOCK];
    block.copy_from_slice(&values[..BLOCK]);
    block
}

/// The best values of the window at `place` of [`BLOCK`] channels, with its corner at the start of `image`, and if `PLACES` the
/// places that they came from. Places are as wide as values, so that one mask chooses both.
#[inline(always)]
fn window<const PLACES: bool>(
    shape: &PoolShape,
    place: &PoolWindow,
    image: &[f32],
    load: impl Fn(&[f32]) -> [f32; BLOCK],
) -> ([f32; BLOCK], [u32; BLOCK]) {
    let mut best = [f32::NEG_INFINITY; BLOCK];
    let mut places = [0_u32; BLOCK];
    for row in 0..place.rows {
        for column in 0..place.columns {
            let from = (row * shape.width + column) * shape.channels;
            let here = (row * shape.kernel + column) as u32;
            let values = load(&image[from..]);
            for i in 0..BLOCK {
                let better = (values[i] > best[i]) | values[i].is_nan();
                best[i] = if better { values[i] } else { best[i] };
                if PLACES {
                    places[i] = if better { here } else { places[i] };
                }
            }
        }
    }
    (best, places)
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
        let corner = shape.window(pixel).corner;
        for (channel, (gradient, &winner)) in gradients.iter().zip(winners).enumerate() {
            image_gradient[corner + offsets[usize::from(winner)] + channel] += gradient;
        }
    }
}
