//! How much the kernels of the first layer look at colour.

use crate::net::config::ModelConfig;

/// The share of a kernel's energy that lies off the grey axis.
///
/// With the weights w(y, x, c) of red, green and blue it is
/// `1 - sum_yx (w(y,x,R) + w(y,x,G) + w(y,x,B))^2 / (3 * sum_yxc w(y,x,c)^2)`:
/// 0 for a kernel that weighs the three channels alike everywhere, and 1 for one whose three weights sum to 0
/// everywhere, which sees nothing of a grey image. Weights drawn independently have 2/3 in the mean.
///
/// `kernel` holds R, G, B of pixel after pixel. `None` where all weights are 0 or one is no number.
pub(crate) fn selectivity(kernel: &[f32]) -> Option<f64> {
    let (mut energy, mut grey) = (0.0, 0.0);
    for pixel in kernel.as_chunks::<3>().0 {
        let [r, g, b] = pixel.map(f64::from);
        energy += r * r + g * g + b * b;
        grey += (r + g + b).powi(2) / 3.0;
    }
    let share = 1.0 - grey / energy;
    (energy > 0.0 && share.is_finite()).then_some(share.clamp(0.0, 1.0))
}

/// The kernels of one column of the network.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ColumnColour {
    /// The selectivity of each kernel, in their order.
    pub(crate) kernels: Vec<Option<f64>>,
    /// Of the kernels that have one; `None` where none has.
    pub(crate) mean: Option<f64>,
    pub(crate) median: Option<f64>,
}

/// The selectivity of conv1's kernels, column by column: the first part of the kernels is the first column.
///
/// `weights` are those of `conv1.weight`, `[outputs, height, width, 3]`.
pub(crate) fn columns(weights: &[f32], outputs: usize, model: &ModelConfig) -> Vec<ColumnColour> {
    if outputs == 0 || weights.is_empty() {
        return Vec::new();
    }
    let kernels: Vec<Option<f64>> = weights
        .chunks_exact(weights.len() / outputs)
        .map(selectivity)
        .collect();
    let each = outputs.div_ceil(model.columns.max(1));
    kernels
        .chunks(each)
        .map(|kernels| ColumnColour::of(kernels.to_vec()))
        .collect()
}

impl ColumnColour {
    fn of(kernels: Vec<Option<f64>>) -> Self {
        let mut sorted: Vec<f64> = kernels.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        let middle = |place: usize| sorted.get(place).copied();
        Self {
            mean: (count > 0).then(|| sorted.iter().sum::<f64>() / count as f64),
            median: match count % 2 {
                1 => middle(count / 2),
                _ => middle(count / 2)
                    .zip(middle((count / 2).wrapping_sub(1)))
                    .map(|(a, b)| (a + b) / 2.0),
            },
            kernels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel of these pixels.
    fn kernel(pixels: &[[f32; 3]]) -> Vec<f32> {
        pixels.concat()
    }

    #[test]
    fn a_grey_kernel_has_0_and_opponent_colours_have_1() {
        let edge = kernel(&[[0.5; 3], [-0.5; 3], [0.25; 3], [0.0; 3]]);
        assert_eq!(selectivity(&edge), Some(0.0));
        let opponent = kernel(&[[1.0, -1.0, 0.0], [-0.5, 0.25, 0.25], [0.0, 2.0, -2.0]]);
        assert!((selectivity(&opponent).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn one_channel_alone_has_two_thirds() {
        let red = kernel(&[[1.0, 0.0, 0.0], [-3.0, 0.0, 0.0]]);
        assert!((selectivity(&red).unwrap() - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn scale_and_sign_do_not_count() {
        let one = kernel(&[[0.1, 0.2, 0.4], [0.3, -0.2, 0.0]]);
        let other: Vec<f32> = one.iter().map(|value| -8.0 * value).collect();
        let (one, other) = (selectivity(&one).unwrap(), selectivity(&other).unwrap());
        assert!((one - other).abs() < 1e-12 && (0.01..0.99).contains(&one));
    }

    #[test]
    fn a_kernel_of_zeros_or_without_numbers_has_none() {
        assert_eq!(selectivity(&[0.0; 9]), None);
        assert_eq!(selectivity(&[1.0, f32::NAN, 0.0]), None);
    }

    #[test]
    fn independent_weights_have_two_thirds_in_the_mean() {
        use shardmill_formats::{Philox, Stream};
        let philox = Philox::new(3, Stream::Init);
        let draws = (0..60_000).flat_map(|i| Philox::normals(philox.block(i, 0)));
        let values: Vec<f32> = draws.map(|value| value as f32).collect();
        let found = columns(
            &values[..120_000 / 363 * 363],
            120_000 / 363,
            &ModelConfig::alexnet(),
        );
        for column in found {
            assert!(
                (column.mean.unwrap() - 2.0 / 3.0).abs() < 0.01,
                "{column:?}"
            );
        }
    }

    #[test]
    fn the_first_half_is_the_first_column() {
        let grey = [1.0_f32; 3];
        let colour = [1.0_f32, -1.0, 0.0];
        let weights = [grey, grey, [0.0; 3], colour, colour, grey].concat();
        let found = columns(&weights, 6, &ModelConfig::alexnet());
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].mean, found[0].median), (Some(0.0), Some(0.0)));
        assert_eq!(found[0].kernels, [Some(0.0), Some(0.0), None]);
        assert!((found[1].mean.unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert!((found[1].median.unwrap() - 1.0).abs() < 1e-12);
        let one = columns(&weights, 6, &ModelConfig::alexnet_owt());
        assert_eq!(one.len(), 1);
        assert_eq!(one[0].median, Some(0.0));
    }
}
