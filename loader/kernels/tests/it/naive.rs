//! The kernel's definition, value by value.

use half::f16;

use shardmill_kernels::{Affine, Layout, Window};

/// The byte of the window at (y, x, channel), after reflection.
pub(super) fn value(window: &Window<'_>, y: usize, x: usize, c: usize) -> u8 {
    let x = if window.flip { window.crop - 1 - x } else { x };
    window.rgb[((window.top + y) * window.width + window.left + x) * 3 + c]
}

/// Every (y, x, channel) of a window in the order of the layout.
pub(super) fn places(crop: usize, layout: Layout) -> Vec<(usize, usize, usize)> {
    let mut places = Vec::new();
    match layout {
        Layout::Nhwc => {
            for y in 0..crop {
                for x in 0..crop {
                    places.extend((0..3).map(|c| (y, x, c)));
                }
            }
        }
        Layout::Nchw => {
            for c in 0..3 {
                for y in 0..crop {
                    places.extend((0..crop).map(|x| (y, x, c)));
                }
            }
        }
    }
    places
}

/// The normalised value at (y, x, channel).
pub(super) fn float(window: &Window<'_>, affine: Affine, y: usize, x: usize, c: usize) -> f32 {
    f32::from(value(window, y, x, c)) * affine.scale[c] + affine.offset[c]
}

/// The nearest f16, found by halving; of two that are equally near, the even one.
pub(super) fn f16_bits(value: f32) -> u16 {
    nearest(
        value,
        0x7C00,
        |bits| f64::from(f16::from_bits(bits).to_f32()),
        65536.0,
    )
}

/// The same for bf16.
pub(super) fn bf16_bits(value: f32) -> u16 {
    nearest(
        value,
        0x7F80,
        |bits| f64::from(f32::from_bits(u32::from(bits) << 16)),
        2_f64.powi(128),
    )
}

/// Bit patterns of numbers from 0 grow with them up to `infinity`, which counts as `beyond`, the
/// next number if the exponent went on.
fn nearest(value: f32, infinity: u16, number: impl Fn(u16) -> f64, beyond: f64) -> u16 {
    let size = f64::from(value.abs());
    let number = |bits| {
        if bits == infinity {
            beyond
        } else {
            number(bits)
        }
    };
    // The largest pattern whose number is not above the value.
    let (mut low, mut high) = (0, infinity);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if number(middle) <= size {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    let up = (low + 1).min(infinity);
    let (below, above) = (size - number(low), number(up) - size);
    let bits = if above < below || (above == below && low % 2 == 1) {
        up
    } else {
        low
    };
    bits | if value.is_sign_negative() { 0x8000 } else { 0 }
}
