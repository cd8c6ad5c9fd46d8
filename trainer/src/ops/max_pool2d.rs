//! Max pooling of one NHWC image, with windows that may overlap.

use super::PoolShape;

/// Channels handled side by side, so that the compiler keeps them in registers.
const LANES: usize = 16;

/// Writes the largest value of every window, and where in the window it stood
/// (`row * kernel + column`; the first of equals, and NaN before all, as PyTorch does), unless
/// `winners` is empty.
pub fn forward(shape: &PoolShape, image: &[f32], output: &mut [f32], winners: &mut [u8]) {
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            let channels = shape.channels;
            let whole = channels / LANES * LANES;
            for pixel in 0..output.len() / channels {
                let corner = corner(shape, pixel);
                let at = pixel * channels;
                for channel in (0..whole).step_by(LANES) {
                    let (best, place) = window::<LANES>(shape, &image[corner + channel..]);
                    output[at + channel..at + channel + LANES].copy_from_slice(&best);
                    if !winners.is_empty() {
                        let winners = &mut winners[at + channel..at + channel + LANES];
                        winners
                            .iter_mut()
                            .zip(place)
                            .for_each(|(w, p)| *w = p as u8);
                    }
                }
                for channel in whole..channels {
                    let (best, place) = window::<1>(shape, &image[corner + channel..]);
                    output[at + channel] = best[0];
                    if !winners.is_empty() {
                        winners[at + channel] = place[0] as u8;
                    }
                }
            }
        },
    );
}

/// Offset in the image of an output pixel's window.
#[inline(always)]
fn corner(shape: &PoolShape, pixel: usize) -> usize {
    let (y, x) = (pixel / shape.output_width(), pixel % shape.output_width());
    (y * shape.width + x) * shape.stride * shape.channels
}

#[inline(always)]
fn window<const N: usize>(shape: &PoolShape, image: &[f32]) -> ([f32; N], [u32; N]) {
    let mut best = [f32::NEG_INFINITY; N];
    let mut place = [0_u32; N];
    for row in 0..shape.kernel {
        for column in 0..shape.kernel {
            let from = (row * shape.width + column) * shape.channels;
            let here = (row * shape.kernel + column) as u32;
            let values = &image[from..from + N];
            for lane in 0..N {
                let value = values[lane];
                let better = value > best[lane] || value.is_nan();
                best[lane] = if better { value } else { best[lane] };
                place[lane] = if better { here } else { place[lane] };
            }
        }
    }
    (best, place)
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
