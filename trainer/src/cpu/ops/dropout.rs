//! Dropout by a counter-based generator: no state, and no mask to keep.

use shardmill_formats::{Philox, Stream};

use crate::net::MaskKey;

/// Multiplies every value by 0 with probability `rate` and by `1 / (1 - rate)` otherwise; `first`
/// is the position of `values[0]` in the whole batch.
///
/// Applied to a gradient under the same key, this is its own backward pass.
pub fn apply(values: &mut [f32], rate: f32, key: MaskKey, first: usize) {
    let philox = Philox::new(key.seed, Stream::Dropout).derive(key.step);
    let threshold = (f64::from(rate) * 4_294_967_296.0) as u32;
    let scale = 1.0 / (1.0 - rate);
    let drop = |values: &mut [f32], words: &[u32]| {
        for (value, &word) in values.iter_mut().zip(words) {
            *value = if word >= threshold {
                *value * scale
            } else {
                0.0
            };
        }
    };
    // A block of the generator holds four words, and the first value may stand within one.
    let (block, within) = (first / 4, first % 4);
    let begun = (4 - within) % 4;
    let (head, rest) = values.split_at_mut(begun.min(values.len()));
    if !head.is_empty() {
        drop(head, &philox.block(block as u64, key.layer)[within..]);
    }
    let block = first.div_ceil(4);
    for (i, four) in rest.chunks_mut(4).enumerate() {
        drop(four, &philox.block((block + i) as u64, key.layer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: MaskKey = MaskKey {
        seed: 1,
        step: 2,
        layer: 0,
    };

    fn mask(len: usize, rate: f32, key: MaskKey, first: usize) -> Vec<f32> {
        let mut values = vec![1.0; len];
        apply(&mut values, rate, key, first);
        values
    }

    #[test]
    fn keeps_the_expected_share_and_the_mean() {
        for rate in [0.1, 0.5, 0.8] {
            let values = mask(100_000, rate, KEY, 0);
            let kept = values.iter().filter(|&&v| v != 0.0).count() as f32 / 1e5;
            assert!(
                (kept - (1.0 - rate)).abs() < 0.01,
                "{kept} kept at rate {rate}"
            );
            let mean = values.iter().sum::<f32>() / 1e5;
            assert!((mean - 1.0).abs() < 0.03, "mean {mean} at rate {rate}");
        }
    }

    #[test]
    fn a_value_depends_on_its_place_and_key_alone() {
        let whole = mask(4096, 0.5, KEY, 0);
        for (first, len) in [
            (1000, 96),
            (1001, 96),
            (1002, 3),
            (1003, 1),
            (1, 2),
            (7, 50),
        ] {
            assert_eq!(mask(len, 0.5, KEY, first), whole[first..first + len]);
        }
        for key in [
            MaskKey { seed: 2, ..KEY },
            MaskKey { step: 3, ..KEY },
            MaskKey { layer: 1, ..KEY },
        ] {
            assert_ne!(mask(4096, 0.5, key, 0), whole);
        }
    }

    #[test]
    fn rate_zero_changes_nothing() {
        assert_eq!(mask(10, 0.0, KEY, 0), [1.0; 10]);
    }
}
