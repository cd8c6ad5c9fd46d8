//! Colour jitter: brightness, contrast, saturation and hue in a random order, with torchvision's
//! definitions for bytes: every step ends in bytes again, cut off and not rounded.

use shardmill_formats::Philox;

use crate::settings::ColorJitter;

/// First of a sample's counters for jitter; [`super::draw`] has those below.
const COUNTER: u32 = 64;

/// What was drawn for a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Tint {
    /// A permutation: the steps in the order in which they are taken.
    steps: [Step; 4],
    /// How strongly, for each of [`Step::ALL`].
    factors: [f64; 4],
}

/// A change of colours; `kernel/colour.rs` has the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    /// Towards or away from black.
    Brightness,
    /// From the window's mean grey.
    Contrast,
    /// From each pixel's grey.
    Saturation,
    /// Around the circle of hues.
    Hue,
}

impl Step {
    pub(crate) const ALL: [Self; 4] = [
        Self::Brightness,
        Self::Contrast,
        Self::Saturation,
        Self::Hue,
    ];
}

impl Tint {
    /// Draws order and factors for `sample`. `philox` belongs to the epoch.
    pub(crate) fn draw(jitter: &ColorJitter, philox: &Philox, sample: u64) -> Self {
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
        Self { steps, factors }
    }

    /// The steps with their factors, in order; the neutral factor is 0 for the hue, else 1.
    pub(crate) fn steps(&self) -> [(Step, f64); 4] {
        self.steps.map(|step| (step, self.factors[step as usize]))
    }

    /// These steps, with factors for each of [`Step::ALL`].
    #[cfg(test)]
    pub(crate) const fn of(steps: [Step; 4], factors: [f64; 4]) -> Self {
        Self { steps, factors }
    }
}

#[cfg(test)]
mod tests;
