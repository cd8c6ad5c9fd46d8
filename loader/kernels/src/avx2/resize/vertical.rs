//! Rows of words to a row of bytes.
//!
//! Contract: the unsafe functions here need AVX2, and an output that is no longer than the rows; if it is
//! written around the caches, it is aligned to registers and a whole number of them.
#![allow(unsafe_code)]

use std::arch::x86_64 as x86;

use super::super::bytes::store;
use crate::axis::{BITS, BLOCK, HALF, Levels};

/// # Safety
/// As the head of this file says: AVX2, rows that are long enough, and alignment if it is streamed.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn between<const STREAM: bool>(
    first: &[Levels],
    second: &[Levels],
    weight: i16,
    out: &mut [u8],
) {
    let weight = x86::_mm256_set1_epi16(weight);
    // SAFETY: AVX2, and the caller's promise; a block is two registers, and aligned.
    unsafe {
        write::<STREAM>(out, |k| {
            let (first, second) = (first.as_ptr().add(k), second.as_ptr().add(k));
            let half = |at: usize| {
                let a = x86::_mm256_load_si256(first.cast::<x86::__m256i>().add(at));
                let b = x86::_mm256_load_si256(second.cast::<x86::__m256i>().add(at));
                let apart = x86::_mm256_sub_epi16(b, a);
                x86::_mm256_add_epi16(a, x86::_mm256_mulhrs_epi16(apart, weight))
            };
            x86::_mm256_packus_epi16(half(0), half(1))
        });
    }
}

/// `ring` has two rows of `blocks` blocks for each of the pairs of weights.
///
/// # Safety
/// As the head of this file says: AVX2, rows that are long enough, and alignment if it is streamed.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn sums<const STREAM: bool>(
    ring: &[Levels],
    blocks: usize,
    weights: &[i32],
    out: &mut [u8],
) {
    // SAFETY: AVX2, and the caller's promise.
    unsafe {
        match *weights {
            // As many as a window has that is at most twice as large as its output.
            [first, second] => {
                let weights = [first, second].map(|pair| x86::_mm256_set1_epi32(pair));
                write::<STREAM>(out, |k| sum(ring, blocks, k, weights.into_iter()));
            }
            _ => write::<STREAM>(out, |k| {
                let weights = weights.iter().map(|&pair| x86::_mm256_set1_epi32(pair));
                sum(ring, blocks, k, weights)
            }),
        }
    }
}

/// Block `k` of the sum of all rows.
///
/// # Safety
/// As the head of this file says: AVX2, and rows that have the block.
#[inline(always)]
unsafe fn sum(
    ring: &[Levels],
    blocks: usize,
    k: usize,
    weights: impl Iterator<Item = x86::__m256i>,
) -> x86::__m256i {
    // SAFETY: the caller's promise; a block is two registers, and aligned.
    unsafe {
        let mut sums = [x86::_mm256_set1_epi32(HALF); 4];
        let mut row = ring.as_ptr().add(k);
        for weight in weights {
            for half in 0..2 {
                let a = x86::_mm256_load_si256(row.cast::<x86::__m256i>().add(half));
                let b = x86::_mm256_load_si256(row.add(blocks).cast::<x86::__m256i>().add(half));
                let low = x86::_mm256_madd_epi16(x86::_mm256_unpacklo_epi16(a, b), weight);
                let high = x86::_mm256_madd_epi16(x86::_mm256_unpackhi_epi16(a, b), weight);
                sums[2 * half] = x86::_mm256_add_epi32(sums[2 * half], low);
                sums[2 * half + 1] = x86::_mm256_add_epi32(sums[2 * half + 1], high);
            }
            row = row.wrapping_add(2 * blocks);
        }
        let [a, b, c, d] = sums.map(|sum| x86::_mm256_srai_epi32::<{ BITS as i32 }>(sum));
        x86::_mm256_packus_epi16(x86::_mm256_packs_epi32(a, b), x86::_mm256_packs_epi32(c, d))
    }
}

/// Writes the blocks of `out`, of which the last may be a part.
///
/// # Safety
/// AVX2, and alignment if it is streamed.
#[inline(always)]
unsafe fn write<const STREAM: bool>(out: &mut [u8], block: impl Fn(usize) -> x86::__m256i) {
    let (whole, rest) = out.as_chunks_mut::<BLOCK>();
    for (k, out) in whole.iter_mut().enumerate() {
        // SAFETY: the caller's promise, and a block of the output.
        unsafe { store::<STREAM>(out.as_mut_ptr(), block(k)) };
    }
    if !rest.is_empty() {
        let mut bytes = [0; BLOCK];
        // SAFETY: AVX2, and the array is a block.
        unsafe { store::<false>(bytes.as_mut_ptr(), block(whole.len())) };
        rest.copy_from_slice(&bytes[..rest.len()]);
    }
}
