//! Colour jitter on planes, so that a register holds the same channel of many pixels.
//!
//! Contract: the same source is compiled twice, for every processor and for those with AVX2; the second
//! is called only if the processor has AVX2. Both do the same operations in the same order and none is
//! fused, so they give the same bytes.
//!
//! A window of 224x224 takes 29 us for the brightness, 50 us for the saturation and 160 us for the
//! hue with AVX2. With casts, `floor` and a table of the six sectors of the hue, which the compiler
//! does not vectorise, it took 120, 169 and 1,656 us.
#![allow(unsafe_code)]

use crate::arithmetic::{byte, floor};
use crate::instructions::Instructions;
use crate::tint::{Step, Tint};

/// The code that this processor runs, and room for the planes of a window; each worker keeps one.
pub struct Colours {
    instructions: Instructions,
    planes: Vec<u8>,
}

impl Default for Colours {
    fn default() -> Self {
        Self {
            instructions: Instructions::detect(),
            planes: Vec::new(),
        }
    }
}

impl Colours {
    /// The code for every processor.
    #[must_use]
    pub const fn portable() -> Self {
        Self {
            instructions: Instructions::Portable,
            planes: Vec::new(),
        }
    }

    /// Changes the colours of pixels R, G, B.
    pub fn tint(&mut self, tint: &Tint, rgb: &mut [u8]) {
        self.planes.resize(rgb.len(), 0);
        match self.instructions {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the path was chosen because the processor has AVX2.
            Instructions::Avx2 => unsafe { apply_avx2(tint, rgb, &mut self.planes) },
            Instructions::Portable => apply(tint, rgb, &mut self.planes),
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
            // A step with its neutral factor changes no byte, so it is left out.
            Step::Hue if factor == 0.0 => {}
            Step::Hue => each(red, green, blue, |rgb| turn(rgb, factor as f32)),
            _ if factor == 1.0 => {}
            Step::Brightness => each(red, green, blue, |rgb| blend(rgb, 0.0, factor)),
            Step::Contrast => {
                let total = total_grey(red, green, blue);
                let mean = (total as f64 / pixels.len().max(1) as f64) as f32;
                each(red, green, blue, |rgb| blend(rgb, mean, factor));
            }
            Step::Saturation => each(red, green, blue, |rgb| blend(rgb, grey(rgb), factor)),
        }
    }
    for (((pixel, r), g), b) in pixels.iter_mut().zip(red).zip(green).zip(blue) {
        *pixel = [*r, *g, *b];
    }
}

#[inline(always)]
fn each(red: &mut [u8], green: &mut [u8], blue: &mut [u8], change: impl Fn([f32; 3]) -> [u8; 3]) {
    for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
        [*r, *g, *b] = change([*r, *g, *b].map(f32::from));
    }
}

/// Pixels whose greys are summed in 32 bits.
const SUMMED: usize = 4096;

#[inline(always)]
fn total_grey(red: &[u8], green: &[u8], blue: &[u8]) -> u64 {
    let chunks = red.chunks(SUMMED).zip(green.chunks(SUMMED));
    let mut total = 0;
    for ((red, green), blue) in chunks.zip(blue.chunks(SUMMED)) {
        let mut sum = 0_u32;
        for ((r, g), b) in red.iter().zip(green).zip(blue) {
            sum += u32::from(byte(grey([*r, *g, *b].map(f32::from))));
        }
        total += u64::from(sum);
    }
    total
}

/// Brightness with the weights of ITU-R BT.601 as in torchvision, without its fraction.
#[inline(always)]
fn grey([r, g, b]: [f32; 3]) -> f32 {
    floor(0.2989 * r + 0.587 * g + 0.114 * b)
}

/// Moves a pixel away from `other` by `factor`: 0 gives `other`, 1 the pixel.
#[inline(always)]
fn blend(rgb: [f32; 3], other: f32, factor: f64) -> [u8; 3] {
    let (factor, rest) = (factor as f32, (1.0 - factor) as f32 * other);
    rgb.map(|value| byte(factor * value + rest))
}

/// Rotates the hue by `by` of a full circle, by way of hue, saturation and value. Both sides of each
/// choice are computed, as vector registers require.
#[inline(always)]
fn turn(rgb: [f32; 3], by: f32) -> [u8; 3] {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let smaller = |a: f32, b: f32| if a < b { a } else { b };
    let unit = |x: f32| smaller(larger(x, 0.0), 1.0);
    let [r, g, b] = rgb.map(|value| value / 255.0);
    let (value, low) = (larger(larger(r, g), b), smaller(smaller(r, g), b));
    let range = value - low;
    let flat = range == 0.0;
    // A pixel without a range has no saturation, so nothing is divided by zero.
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
    // The six sectors of the hue. A hue just below 1 may round up to a full circle, which is sector 0. They
    // are compared one after the other, since the compiler does not vectorise an array of them.
    let pick = |one: f32, two: f32, three: f32, four: f32, five: f32, none: f32| {
        let picked = if sector == 1.0 { one } else { none };
        let picked = if sector == 2.0 { two } else { picked };
        let picked = if sector == 3.0 { three } else { picked };
        let picked = if sector == 4.0 { four } else { picked };
        if sector == 5.0 { five } else { picked }
    };
    let turned = [
        pick(q, p, p, t, value, value),
        pick(value, value, q, p, p, t),
        pick(p, t, value, value, q, p),
    ];
    // As torchvision converts [0, 1] to bytes: 256 equal parts, except the last.
    turned.map(|channel| byte(channel * (256.0 - 1e-3)))
}
