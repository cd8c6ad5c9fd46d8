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

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Brightness,
    Contrast,
    Saturation,
    Hue,
}

impl Step {
    const ALL: [Self; 4] = [
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

    /// Changes the colours of pixels R, G, B.
    pub(crate) fn apply(&self, rgb: &mut [u8]) {
        let (pixels, _) = rgb.as_chunks_mut::<3>();
        for step in self.steps {
            let factor = self.factors[step as usize];
            match step {
                // The neutral factor of a step changes no byte, and neither does leaving it out.
                Step::Hue if factor == 0.0 => {}
                Step::Hue => pixels
                    .iter_mut()
                    .for_each(|pixel| *pixel = turn(*pixel, factor as f32)),
                _ if factor == 1.0 => {}
                Step::Brightness => pixels
                    .iter_mut()
                    .for_each(|pixel| blend(pixel, 0.0, factor)),
                Step::Contrast => {
                    let total: u64 = pixels.iter().map(|pixel| u64::from(grey(*pixel))).sum();
                    let mean = (total as f64 / pixels.len().max(1) as f64) as f32;
                    pixels
                        .iter_mut()
                        .for_each(|pixel| blend(pixel, mean, factor));
                }
                Step::Saturation => {
                    for pixel in pixels.iter_mut() {
                        blend(pixel, f32::from(grey(*pixel)), factor);
                    }
                }
            }
        }
    }
}

/// Brightness by the weights of ITU-R BT.601, as torchvision has them.
fn grey([r, g, b]: [u8; 3]) -> u8 {
    (0.2989 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)) as u8
}

/// Moves a pixel away from `other` by `factor`: 0 gives `other`, 1 the pixel.
fn blend(pixel: &mut [u8; 3], other: f32, factor: f64) {
    let (factor, rest) = (factor as f32, (1.0 - factor) as f32 * other);
    // A cast to a byte cuts off the fraction and stops at 0 and 255.
    *pixel = pixel.map(|value| (factor * f32::from(value) + rest) as u8);
}

/// Turns the hue by `by` of a full circle, through hue, saturation and value.
fn turn(pixel: [u8; 3], by: f32) -> [u8; 3] {
    let [r, g, b] = pixel.map(|value| f32::from(value) / 255.0);
    let (value, low) = (r.max(g).max(b), r.min(g).min(b));
    let range = value - low;
    let (saturation, divisor) = if range == 0.0 {
        (0.0, 1.0)
    } else {
        (range / value, range)
    };
    let away = [r, g, b].map(|channel| (value - channel) / divisor);
    let sixths = if value == r {
        away[2] - away[1]
    } else if value == g {
        2.0 + away[0] - away[2]
    } else {
        4.0 + away[1] - away[0]
    };
    let hue = (sixths / 6.0 + 1.0) % 1.0 + by;
    let sixths = (hue - hue.floor()) * 6.0;
    let (sector, part) = (sixths.floor(), sixths - sixths.floor());
    let p = (value * (1.0 - saturation)).clamp(0.0, 1.0);
    let q = (value * (1.0 - saturation * part)).clamp(0.0, 1.0);
    let t = (value * (1.0 - saturation * (1.0 - part))).clamp(0.0, 1.0);
    let turned = match sector as u8 {
        1 => [q, value, p],
        2 => [p, value, t],
        3 => [p, q, value],
        4 => [t, p, value],
        5 => [value, p, q],
        // A hue just under 1 may round up to a whole circle, which is none.
        _ => [value, t, p],
    };
    // torchvision's way from [0, 1] to bytes: 256 equal parts, but for the last.
    turned.map(|channel| (channel * (256.0 - 1e-3)) as u8)
}

#[cfg(test)]
mod tests;
