//! Initial values: `alexnet.md` section 2 in code.

use rayon::prelude::*;
use shardmill_formats::{Philox, Stream};

use crate::net::config::InitConfig;

/// Values drawn from one counter: each block of four words gives two normal deviates.
const PER_BLOCK: usize = 2;

/// Standard deviation of a layer's weights in a network of `width` times the paper's channels.
///
/// A narrow layer sums fewer inputs; dividing by `sqrt(width)` keeps the size of its output. conv1's
/// inputs are the image's channels whatever the width.
pub(crate) fn weight_std(init: &InitConfig, layer: &str, width: f64) -> f64 {
    match layer {
        "conv1" => init.std,
        "conv3" | "conv4" | "conv5" => init.std_middle / width.sqrt(),
        _ => init.std / width.sqrt(),
    }
}

/// Initial value of a layer's biases: not 0 where a ReLU should start in its positive part.
pub(crate) fn bias(init: &InitConfig, layer: &str) -> f32 {
    match layer {
        "conv2" | "conv4" | "conv5" | "fc6" | "fc7" => init.bias,
        _ => 0.0,
    }
}

/// `len` deviates of mean 0 and the given standard deviation for parameter number `parameter`; a
/// value depends on (seed, parameter, position) alone.
pub(crate) fn normal(seed: u64, parameter: u32, len: usize, std: f64) -> Vec<f32> {
    let philox = Philox::new(seed, Stream::Init);
    let mut values = vec![0.0; len];
    values
        .par_chunks_mut(1 << 14)
        .enumerate()
        .for_each(|(chunk, values)| {
            let first = chunk << 13;
            for (i, pair) in values.chunks_mut(PER_BLOCK).enumerate() {
                let deviates = Philox::normals(philox.block((first + i) as u64, parameter));
                for (value, deviate) in pair.iter_mut().zip(deviates) {
                    *value = (deviate * std) as f32;
                }
            }
        });
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviates_have_the_asked_mean_and_spread() {
        let values = normal(1, 0, 200_001, 0.01);
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 1e-4, "mean {mean}");
        assert!(
            (variance.sqrt() - 0.01).abs() < 1e-4,
            "std {}",
            variance.sqrt()
        );
        // The fourth moment tells a normal deviate (3) from a uniform one (1.8).
        let fourth = values.iter().map(|&v| f64::from(v).powi(4)).sum::<f64>() / n;
        assert!((fourth / variance.powi(2) - 3.0).abs() < 0.1);
    }

    #[test]
    fn a_value_depends_on_its_position_alone() {
        let long = normal(7, 3, 50_000, 1.0);
        let short = normal(7, 3, 20_001, 1.0);
        assert_eq!(long[..20_001], short[..]);
        assert_ne!(normal(7, 4, 8, 1.0), long[..8]);
        assert_ne!(normal(8, 3, 8, 1.0), long[..8]);
    }
}
