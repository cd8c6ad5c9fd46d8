//! Eight pixels at a time to 24 normalised values.
//!
//! Contract: every unsafe function here needs AVX2, rows inside their strip and an output of the
//! window's size, which `kernel.rs` ensures; it reads and writes only inside those two.
#![allow(unsafe_code)]

use std::arch::x86_64 as x86;

use super::{FLOAT_BLOCK, REGISTER, blocks, pair, place_in_pair, prefetch, register, source};
use crate::value::Value;
use crate::window::{Affine, Layout, Part};

/// A shuffle's way to write 0.
const ZERO: u8 = 0x80;

/// # Safety
/// The processor has AVX2 and F16C; the rows lie in their strip and are at least [`FLOAT_BLOCK`]
/// wide; `out` holds the window's values; `stream` only if [`super::aligned`].
#[target_feature(enable = "avx2,f16c")]
pub(crate) unsafe fn floats<T: Value>(
    part: Part<'_>,
    affine: Affine,
    layout: Layout,
    stream: bool,
    out: &mut [T],
) {
    // SAFETY: the caller's promise.
    unsafe {
        match (layout, stream) {
            (Layout::Nhwc, true) => interleaved::<T, true>(part, affine, out),
            (Layout::Nhwc, false) => interleaved::<T, false>(part, affine, out),
            (Layout::Nchw, true) => planar::<T, true>(part, affine, out),
            (Layout::Nchw, false) => planar::<T, false>(part, affine, out),
        }
    }
}

/// Values `8k..8k + 8` of the 24 lie within 16 bytes of the block, from this byte on.
const fn start(flip: bool, k: usize) -> usize {
    4 * if flip { 2 - k } else { k }
}

/// The mask that widens values `8k..8k + 8` of an interleaved block to 32 bits.
const fn interleaved_mask(flip: bool, k: usize) -> [u8; REGISTER] {
    let mut mask = [ZERO; REGISTER];
    let mut i = 0;
    while i < 8 {
        let (pixel, c) = ((8 * k + i) / 3, (8 * k + i) % 3);
        let pixel = if flip { 7 - pixel } else { pixel };
        mask[4 * i] = (3 * pixel + c - start(flip, k)) as u8;
        i += 1;
    }
    mask
}

/// The mask that widens channel `c` of eight pixels to 32 bits.
const fn planar_mask(flip: bool, c: usize) -> [u8; REGISTER] {
    let mut mask = [ZERO; REGISTER];
    let mut x = 0;
    while x < 8 {
        mask[4 * x] = place_in_pair(flip, x, c);
        x += 1;
    }
    mask
}

/// Masks as `[flip][register]`.
static INTERLEAVED: [[[u8; REGISTER]; 3]; 2] = [
    [
        interleaved_mask(false, 0),
        interleaved_mask(false, 1),
        interleaved_mask(false, 2),
    ],
    [
        interleaved_mask(true, 0),
        interleaved_mask(true, 1),
        interleaved_mask(true, 2),
    ],
];
static PLANAR: [[[u8; REGISTER]; 3]; 2] = [
    [
        planar_mask(false, 0),
        planar_mask(false, 1),
        planar_mask(false, 2),
    ],
    [
        planar_mask(true, 0),
        planar_mask(true, 1),
        planar_mask(true, 2),
    ],
];

/// # Safety
/// As the head of this file says: AVX2, rows inside their strip, and an output of the window's size.
#[inline(always)]
unsafe fn interleaved<T: Value, const STREAM: bool>(part: Part<'_>, affine: Affine, out: &mut [T]) {
    let Part { crop, flip, .. } = part;
    let masks = &INTERLEAVED[usize::from(flip)];
    let starts: [usize; 3] = std::array::from_fn(|k| start(flip, k));
    // SAFETY: the caller's promise; a block's three loads end within its 24 bytes, and blocks lie in
    // their rows.
    unsafe {
        let masks: [_; 3] = std::array::from_fn(|k| register(&masks[k]));
        let pattern = |of: [f32; 3], k: usize| {
            let values: [f32; 8] = std::array::from_fn(|i| of[(8 * k + i) % 3]);
            x86::_mm256_loadu_ps(values.as_ptr())
        };
        let scales: [_; 3] = std::array::from_fn(|k| pattern(affine.scale, k));
        let offsets: [_; 3] = std::array::from_fn(|k| pattern(affine.offset, k));
        for y in 0..part.rows() {
            prefetch(&part, y);
            let row = part.row(y).as_ptr();
            let out = out.as_mut_ptr().add((part.first + y) * crop * 3);
            for x in blocks(crop, FLOAT_BLOCK) {
                let block = row.add(source(crop, flip, x, FLOAT_BLOCK));
                for k in 0..3 {
                    let bytes = x86::_mm_loadu_si128(block.add(starts[k]).cast());
                    let bytes = x86::_mm256_broadcastsi128_si256(bytes);
                    let wide = x86::_mm256_shuffle_epi8(bytes, masks[k]);
                    let values = normalise(wide, scales[k], offsets[k]);
                    T::store8::<STREAM>(out.add(3 * x + 8 * k), values);
                }
            }
        }
    }
}

/// # Safety
/// As the head of this file says: AVX2, rows inside their strip, and an output of the window's size.
#[inline(always)]
unsafe fn planar<T: Value, const STREAM: bool>(part: Part<'_>, affine: Affine, out: &mut [T]) {
    let Part { crop, flip, .. } = part;
    let masks = &PLANAR[usize::from(flip)];
    // SAFETY: as above.
    unsafe {
        let masks: [_; 3] = std::array::from_fn(|c| register(&masks[c]));
        let scales: [_; 3] = std::array::from_fn(|c| x86::_mm256_set1_ps(affine.scale[c]));
        let offsets: [_; 3] = std::array::from_fn(|c| x86::_mm256_set1_ps(affine.offset[c]));
        for y in 0..part.rows() {
            prefetch(&part, y);
            let row = part.row(y).as_ptr();
            let out = out.as_mut_ptr().add((part.first + y) * crop);
            // A plane's row at a time: stores around the caches want whole lines one after the
            // other, and the pixels are in the nearest cache when they are read again. Three planes
            // at once reach 41 GB/s of 53 here, rows 45, and planes of 2, 4 or 8 rows 39, 31 and 29.
            for c in 0..3 {
                let out = out.add(c * crop * crop);
                for x in blocks(crop, FLOAT_BLOCK) {
                    let bytes = pair(row.add(source(crop, flip, x, FLOAT_BLOCK)), flip);
                    let wide = x86::_mm256_shuffle_epi8(bytes, masks[c]);
                    T::store8::<STREAM>(out.add(x), normalise(wide, scales[c], offsets[c]));
                }
            }
        }
    }
}

/// Two roundings, as everywhere.
///
/// # Safety
/// AVX2.
#[inline(always)]
unsafe fn normalise(wide: x86::__m256i, scale: x86::__m256, offset: x86::__m256) -> x86::__m256 {
    // SAFETY: the caller has AVX2.
    unsafe {
        x86::_mm256_add_ps(
            x86::_mm256_mul_ps(x86::_mm256_cvtepi32_ps(wide), scale),
            offset,
        )
    }
}
