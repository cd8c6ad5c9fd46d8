//! Colour jitter over planes, so that a register holds the same channel of many pixels.
//!
//! Contract: one source is compiled twice, for every processor and for those with AVX2; the second is
//! entered only after the processor was asked. Both do the same operations in the same order and
//! none is fused, so they give the same bytes.

use super::Path;
use crate::augment::jitter::{Step, Tint};

/// The code that this processor runs, and room for the planes of a window; each worker keeps one.
pub(crate) struct Colours {
    path: Path,
    planes: Vec<u8>,
}

impl Default for Colours {
    fn default() -> Self {
        Self {
            path: Path::detect(),
            planes: Vec::new(),
        }
    }
}

impl Colours {
    /// Changes the colours of pixels R, G, B.
    pub(crate) fn tint(&mut self, tint: &Tint, rgb: &mut [u8]) {
        self.planes.resize(rgb.len(), 0);
        match self.path {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path was chosen because the processor has AVX2.
            Path::Avx2 => unsafe { apply_avx2(tint, rgb, &mut self.planes) },
            Path::Portable => apply(tint, rgb, &mut self.planes),
        }
    }
}

/// # Safety
/// The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn apply_avx2(tint: &Tint, rgb: &mut [u8], planes: &mut [u8]) {
    apply(tint, rgb, planes);
}

#[inline(always)]
fn apply(tint: &Tint, rgb: &mut [u8], planes: &mut [u8]) {
    let (pixels, _) = rgb.as_chunks_mut::<3>();
    let (red, rest) = planes.split_at_mut(pixels.len());
    let (green, blue) = rest.split_at_mut(pixels.len());
    for (((pixel, r), g), b) in pixels
        .iter()
        .zip(&mut *red)
        .zip(&mut *green)
        .zip(&mut *blue)
    {
        [*r, *g, *b] = *pixel;
    }
    for (step, factor) in tint.steps() {
        match step {
            // The neutral factor of a step changes no byte, and neither does leaving it out.
            Step::Hue if factor == 0.0 => {}
            Step::Hue => each(red, green, blue, |rgb| turn(rgb, factor as f32)),
            _ if factor == 1.0 => {}
            Step::Brightness => each(red, green, blue, |rgb| blend(rgb, 0.0, factor)),
            Step::Contrast => {
                let mut total = 0_u64;
                each(red, green, blue, |rgb| {
                    total += u64::from(grey(rgb) as u8);
                    rgb.map(|value| value as u8)
                });
                let mean = (total as f64 / pixels.len().max(1) as f64) as f32;
                each(red, green, blue, |rgb| blend(rgb, mean, factor));
            }
            Step::Saturation => each(red, green, blue, |rgb| {
                blend(rgb, f32::from(grey(rgb) as u8), factor)
            }),
        }
    }
    for (((pixel, r), g), b) in pixels.iter_mut().zip(red).zip(green).zip(blue) {
        *pixel = [*r, *g, *b];
    }
}

#[inline(always)]
fn each(
    red: &mut [u8],
    green: &mut [u8],
    blue: &mut [u8],
    mut change: impl FnMut([f32; 3]) -> [u8; 3],
) {
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        [*r, *g, *b] = change([*r, *g, *b].map(f32::from));
    }
}

/// Brightness by the weights of ITU-R BT.601, as torchvision has them; it is cut off to a byte.
#[inline(always)]
fn grey([r, g, b]: [f32; 3]) -> f32 {
    0.2989 * r + 0.587 * g + 0.114 * b
}

/// Moves a pixel away from `other` by `factor`: 0 gives `other`, 1 the pixel.
#[inline(always)]
fn blend(rgb: [f32; 3], other: f32, factor: f64) -> [u8; 3] {
    let (factor, rest) = (factor as f32, (1.0 - factor) as f32 * other);
    // A cast to a byte cuts off the fraction and stops at 0 and 255.
    rgb.map(|value| (factor * value + rest) as u8)
}

/// The largest whole number that is not above `x`, which is small; without the call that processors
/// of old need for it.
#[inline(always)]
fn floor(x: f32) -> f32 {
    let whole = x as i32 as f32;
    if whole > x { whole - 1.0 } else { whole }
}

/// Turns the hue by `by` of a full circle, through hue, saturation and value. Both sides of a choice
/// are computed, which registers of many pixels need.
#[inline(always)]
fn turn(rgb: [f32; 3], by: f32) -> [u8; 3] {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let smaller = |a: f32, b: f32| if a < b { a } else { b };
    let unit = |x: f32| smaller(larger(x, 0.0), 1.0);
    let [r, g, b] = rgb.map(|value| value / 255.0);
    let (value, low) = (larger(larger(r, g), b), smaller(smaller(r, g), b));
    let range = value - low;
    let flat = range == 0.0;
    // Nothing is divided by zero: a pixel without a range has no saturation.
    let saturation = range / if flat { 1.0 } else { value };
    let divisor = if flat { 1.0 } else { range };
    let away = [r, g, b].map(|channel| (value - channel) / divisor);
    let (red, green, blue) = (
        away[2] - away[1],
        2.0 + away[0] - away[2],
        4.0 + away[1] - away[0],
    );
    let others = if value == g { green } else { blue };
    let sixths = if value == r { red } else { others };
    let hue = sixths / 6.0 + 1.0;
    let hue = hue - floor(hue) + by;
    let sixths = (hue - floor(hue)) * 6.0;
    let sector = floor(sixths);
    let part = sixths - sector;
    let p = unit(value * (1.0 - saturation));
    let q = unit(value * (1.0 - saturation * part));
    let t = unit(value * (1.0 - saturation * (1.0 - part)));
    // A hue just under 1 may round up to a whole circle, which is none: the last choice of each.
    let choose = |choices: [f32; 6]| {
        let mut chosen = choices[0];
        for (at, choice) in (1_u8..).zip(&choices[1..]) {
            chosen = if sector == f32::from(at) {
                *choice
            } else {
                chosen
            };
        }
        // torchvision's way from [0, 1] to bytes: 256 equal parts, but for the last.
        (chosen * (256.0 - 1e-3)) as u8
    };
    [
        choose([value, q, p, p, t, value]),
        choose([t, value, value, q, p, p]),
        choose([p, p, t, value, value, q]),
    ]
}

#[cfg(test)]
mod tests;
