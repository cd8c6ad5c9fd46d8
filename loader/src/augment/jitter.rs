//! Colour jitter: brightness, contrast, saturation and hue in a random order, with torchvision's
//! definitions for bytes: every step ends in bytes again, cut off and not rounded.

use shardmill_formats::Philox;
use shardmill_kernels::{Step, Tint};

use crate::settings::ColorJitter;

/// First of a sample's counters for jitter; [`super::draw`] has those below.
const COUNTER: u32 = 64;

/// Draws the order and the factors of the changes for `sample`. `philox` belongs to the epoch.
pub(super) fn tint(jitter: &ColorJitter, philox: &Philox, sample: u64) -> Tint {
    let words = philox.block(sample, COUNTER);
    let mut steps = Step::ALL;
    for (i, word) in words.into_iter().take(3).enumerate() {
        let left = 4 - i;
        steps.swap(i, i + Philox::below(word, left as u32) as usize);
    }
    let unit = |i: u32| {
        let [a, b, c, d] = philox.block(sample, COUNTER + 1 + i / 2);
        if i.is_multiple_of(2) {
            Philox::unit_f64(a, b)
        } else {
            Philox::unit_f64(c, d)
        }
    };
    let around_one = |i: u32, by: f64| {
        let low = (1.0 - by).max(0.0);
        low + (1.0 + by - low) * unit(i)
    };
    let factors = [
        around_one(0, jitter.brightness),
        around_one(1, jitter.contrast),
        around_one(2, jitter.saturation),
        jitter.hue * (2.0 * unit(3) - 1.0),
    ];
    Tint::new(steps, factors)
}

#[cfg(test)]
mod tests;
