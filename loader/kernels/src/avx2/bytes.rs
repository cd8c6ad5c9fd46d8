//! 32 pixels at a time, copied, reflected or taken apart.
//!
//! Contract: every unsafe function here needs AVX2, rows inside their strip and an output of the
//! window's size, which `kernel.rs` ensures; it reads and writes only inside those two.
#![allow(unsafe_code)]

use std::arch::x86_64 as x86;

use super::{BYTE_BLOCK, REGISTER, blocks, pair, place_in_pair, prefetch, register, source};
use crate::window::{Layout, Part};

/// # Safety
/// The processor has AVX2; the rows lie in their strip and are at least [`BYTE_BLOCK`] wide; `out`
/// holds the window's values; `stream` only if [`super::aligned`].
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn bytes(part: Part<'_>, layout: Layout, stream: bool, out: &mut [u8]) {
    // SAFETY: the caller's promise.
    unsafe {
        match (layout, stream) {
            (Layout::Nhwc, true) if part.flip => reflected::<true>(part, out),
            (Layout::Nhwc, false) if part.flip => reflected::<false>(part, out),
            (Layout::Nhwc, true) => copied::<true>(part, out),
            (Layout::Nhwc, false) => copied::<false>(part, out),
            (Layout::Nchw, true) => planar::<true>(part, out),
            (Layout::Nchw, false) => planar::<false>(part, out),
        }
    }
}

/// Gathers R of four pixels, then G, then B, in each half of a pair.
const fn planar_mask(flip: bool) -> [u8; REGISTER] {
    let mut mask = [0x80; REGISTER];
    let mut x = 0;
    while x < 8 {
        let mut c = 0;
        while c < 3 {
            mask[16 * (x / 4) + 4 * c + x % 4] = place_in_pair(flip, x, c);
            c += 1;
        }
        x += 1;
    }
    mask
}

/// Puts the four pixels of each half of a flipped pair in order, in its first 12 bytes.
const fn reflected_mask() -> [u8; REGISTER] {
    let mut mask = [0x80; REGISTER];
    let mut x = 0;
    while x < 8 {
        let mut c = 0;
        while c < 3 {
            mask[16 * (x / 4) + 3 * (x % 4) + c] = place_in_pair(true, x, c);
            c += 1;
        }
        x += 1;
    }
    mask
}

static PLANAR: [[u8; REGISTER]; 2] = [planar_mask(false), planar_mask(true)];
static REFLECTED: [u8; REGISTER] = reflected_mask();

/// # Safety
/// As the head of this file says: AVX2, rows inside their strip, and an output of the window's size.
#[inline(always)]
unsafe fn copied<const STREAM: bool>(part: Part<'_>, out: &mut [u8]) {
    let bytes = part.crop * 3;
    for (y, out) in part.interleaved(out).chunks_exact_mut(bytes).enumerate() {
        prefetch(&part, y);
        let row = part.row(y);
        if !STREAM {
            out.copy_from_slice(row);
            continue;
        }
        for at in (0..bytes).step_by(REGISTER) {
            // SAFETY: the caller's promise; a row that is streamed is a whole number of registers.
            unsafe {
                let register = x86::_mm256_loadu_si256(row.as_ptr().add(at).cast());
                store::<STREAM>(out.as_mut_ptr().add(at), register);
            }
        }
    }
}

/// Eight pixels are 24 bytes, six words: four times six words become three registers.
///
/// # Safety
/// As the head of this file says: AVX2, rows inside their strip, and an output of the window's size.
#[inline(always)]
unsafe fn reflected<const STREAM: bool>(part: Part<'_>, out: &mut [u8]) {
    let crop = part.crop;
    // SAFETY: the caller's promise; blocks lie in their rows.
    unsafe {
        let mask = register(&REFLECTED);
        // Words 3 and 7 of a shuffled pair are empty; each order puts the others where the blends
        // below take them.
        let orders = [
            x86::_mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 3),
            x86::_mm256_setr_epi32(2, 4, 5, 6, 3, 3, 0, 1),
            x86::_mm256_setr_epi32(5, 6, 3, 3, 0, 1, 2, 4),
            x86::_mm256_setr_epi32(3, 3, 0, 1, 2, 4, 5, 6),
        ];
        for y in 0..part.rows() {
            prefetch(&part, y);
            let row = part.row(y).as_ptr();
            let out = out.as_mut_ptr().add((part.first + y) * crop * 3);
            for x in blocks(crop, BYTE_BLOCK) {
                let block = row.add(source(crop, true, x, BYTE_BLOCK));
                let words: [_; 4] = std::array::from_fn(|k| {
                    let pixels =
                        x86::_mm256_shuffle_epi8(pair(block.add(24 * (3 - k)), true), mask);
                    x86::_mm256_permutevar8x32_epi32(pixels, orders[k])
                });
                let out = out.add(3 * x);
                store::<STREAM>(out, x86::_mm256_blend_epi32::<0xC0>(words[0], words[1]));
                store::<STREAM>(
                    out.add(32),
                    x86::_mm256_blend_epi32::<0xF0>(words[1], words[2]),
                );
                store::<STREAM>(
                    out.add(64),
                    x86::_mm256_blend_epi32::<0xFC>(words[2], words[3]),
                );
            }
        }
    }
}

/// A word holds one channel of four pixels; the words of four pairs are transposed.
///
/// # Safety
/// As the head of this file says: AVX2, rows inside their strip, and an output of the window's size.
#[inline(always)]
unsafe fn planar<const STREAM: bool>(part: Part<'_>, out: &mut [u8]) {
    let Part { crop, flip, .. } = part;
    // SAFETY: the caller's promise; blocks lie in their rows.
    unsafe {
        let mask = register(&PLANAR[usize::from(flip)]);
        // The halves hold every other word.
        let order = x86::_mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        for y in 0..part.rows() {
            prefetch(&part, y);
            let row = part.row(y).as_ptr();
            let out = out.as_mut_ptr().add((part.first + y) * crop);
            for x in blocks(crop, BYTE_BLOCK) {
                let block = row.add(source(crop, flip, x, BYTE_BLOCK));
                let words: [_; 4] = std::array::from_fn(|k| {
                    let k = if flip { 3 - k } else { k };
                    x86::_mm256_shuffle_epi8(pair(block.add(24 * k), flip), mask)
                });
                let red_green = [
                    x86::_mm256_unpacklo_epi32(words[0], words[1]),
                    x86::_mm256_unpacklo_epi32(words[2], words[3]),
                ];
                let blue = [
                    x86::_mm256_unpackhi_epi32(words[0], words[1]),
                    x86::_mm256_unpackhi_epi32(words[2], words[3]),
                ];
                let planes = [
                    x86::_mm256_unpacklo_epi64(red_green[0], red_green[1]),
                    x86::_mm256_unpackhi_epi64(red_green[0], red_green[1]),
                    x86::_mm256_unpacklo_epi64(blue[0], blue[1]),
                ];
                for (c, plane) in planes.into_iter().enumerate() {
                    let plane = x86::_mm256_permutevar8x32_epi32(plane, order);
                    store::<STREAM>(out.add(c * crop * crop + x), plane);
                }
            }
        }
    }
}

/// Writes threes, around the caches wherever a whole register is aligned.
///
/// # Safety
/// The processor has AVX2.
#[target_feature(enable = "avx2")]
pub(crate) unsafe fn fill(out: &mut [u8]) {
    // SAFETY: every pattern of bits is a register and 32 bytes.
    let (head, registers, tail) = unsafe { out.align_to_mut::<x86::__m256i>() };
    head.fill(3);
    tail.fill(3);
    for register in registers {
        // SAFETY: a register is aligned.
        unsafe {
            store::<true>(
                std::ptr::from_mut(register).cast(),
                x86::_mm256_set1_epi8(3),
            )
        }
    }
    // Stores around the caches are finished when the caller goes on.
    x86::_mm_sfence();
}

/// # Safety
/// AVX2, and room for 32 bytes behind `out`, which is aligned to them if they are streamed.
#[inline(always)]
pub(super) unsafe fn store<const STREAM: bool>(out: *mut u8, bytes: x86::__m256i) {
    // SAFETY: the caller may write 32 bytes from `out`, which is aligned if they are streamed.
    unsafe {
        if STREAM {
            x86::_mm256_stream_si256(out.cast(), bytes);
        } else {
            x86::_mm256_storeu_si256(out.cast(), bytes);
        }
    }
}
