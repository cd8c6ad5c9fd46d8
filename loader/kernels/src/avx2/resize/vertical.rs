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
    let block = |a: &Levels, b: &Levels| {
        // SAFETY: AVX2; a block is two registers, and aligned.
        unsafe {
            let [low, high] = [0, 16].map(|at| {
                let a = x86::_mm256_load_si256(a.0.as_ptr().add(at).cast());
                let b = x86::_mm256_load_si256(b.0.as_ptr().add(at).cast());
                let apart = x86::_mm256_sub_epi16(b, a);
                x86::_mm256_add_epi16(a, x86::_mm256_mulhrs_epi16(apart, weight))
            });
            x86::_mm256_packus_epi16(low, high)
        }
    };
    let (whole, rest) = out.as_chunks_mut::<BLOCK>();
    let mut rows = first.iter().zip(second);
    for (out, (a, b)) in whole.iter_mut().zip(&mut rows) {
        // SAFETY: AVX2, a block of the output, and the caller's promise.
        unsafe { store::<STREAM>(out.as_mut_ptr(), block(a, b)) };
    }
    if let Some((a, b)) = rows.next() {
        let mut bytes = [0; BLOCK];
        // SAFETY: AVX2, and the array is a block.
        unsafe { store::<false>(bytes.as_mut_ptr(), block(a, b)) };
        rest.copy_from_slice(&bytes[..rest.len()]);
    }
}

/// `ring` has twice as many rows as there are pairs of weights, of `blocks` each.
///
/// # Safety
/// As the head of this file says: AVX2, rows that are long enough, and alignment if it is streamed.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn sums<const STREAM: bool>(
    ring: &[Levels],
    blocks: usize,
    weights: &[[i16; 2]],
    out: &mut [u8],
) {
    let block = |k: usize| {
        // SAFETY: AVX2; a block is two registers, and aligned.
        unsafe {
            let mut sums = [x86::_mm256_set1_epi32(HALF); 4];
            for (pair, &[first, second]) in weights.iter().enumerate() {
                let weight = i32::from(first as u16) | i32::from(second as u16) << 16;
                let weight = x86::_mm256_set1_epi32(weight);
                let (a, b) = (
                    &ring[2 * pair * blocks + k],
                    &ring[(2 * pair + 1) * blocks + k],
                );
                for half in 0..2 {
                    let a = x86::_mm256_load_si256(a.0.as_ptr().add(16 * half).cast());
                    let b = x86::_mm256_load_si256(b.0.as_ptr().add(16 * half).cast());
                    let low = x86::_mm256_madd_epi16(x86::_mm256_unpacklo_epi16(a, b), weight);
                    let high = x86::_mm256_madd_epi16(x86::_mm256_unpackhi_epi16(a, b), weight);
                    sums[2 * half] = x86::_mm256_add_epi32(sums[2 * half], low);
                    sums[2 * half + 1] = x86::_mm256_add_epi32(sums[2 * half + 1], high);
                }
            }
            let [a, b, c, d] = sums.map(|sum| x86::_mm256_srai_epi32::<{ BITS as i32 }>(sum));
            x86::_mm256_packus_epi16(x86::_mm256_packs_epi32(a, b), x86::_mm256_packs_epi32(c, d))
        }
    };
    let (whole, rest) = out.as_chunks_mut::<BLOCK>();
    for (k, out) in whole.iter_mut().enumerate() {
        // SAFETY: AVX2, a block of the output, and the caller's promise.
        unsafe { store::<STREAM>(out.as_mut_ptr(), block(k)) };
    }
    if !rest.is_empty() {
        let mut bytes = [0; BLOCK];
        // SAFETY: AVX2, and the array is a block.
        unsafe { store::<false>(bytes.as_mut_ptr(), block(whole.len())) };
        rest.copy_from_slice(&bytes[..rest.len()]);
    }
}
