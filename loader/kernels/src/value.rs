//! The types of a normalised value.
//!
//! Contract: a store needs the instructions that its documentation names, and room for eight values at
//! its pointer, which must be aligned if the store goes around the caches.
#![allow(unsafe_code)]

use half::{bf16, f16};

/// A type that normalised values are rounded to, to nearest, ties to even.
pub(crate) trait Value: Copy {
    fn round(value: f32) -> Self;

    /// Rounds and writes eight values.
    ///
    /// # Safety
    /// The processor has AVX2 and F16C, and eight values may be written at `out`. With `STREAM`, `out` is
    /// aligned to the size of those eight values.
    #[cfg(target_arch = "x86_64")]
    unsafe fn store8<const STREAM: bool>(out: *mut Self, values: std::arch::x86_64::__m256);
}

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as x86;

impl Value for f32 {
    #[inline(always)]
    fn round(value: f32) -> Self {
        value
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn store8<const STREAM: bool>(out: *mut Self, values: x86::__m256) {
        // SAFETY: the caller's promise.
        unsafe {
            if STREAM {
                x86::_mm256_stream_ps(out, values);
            } else {
                x86::_mm256_storeu_ps(out, values);
            }
        }
    }
}

impl Value for f16 {
    #[inline(always)]
    fn round(value: f32) -> Self {
        Self::from_f32(value)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn store8<const STREAM: bool>(out: *mut Self, values: x86::__m256) {
        // SAFETY: the caller's promise.
        unsafe {
            let halves = x86::_mm256_cvtps_ph::<{ x86::_MM_FROUND_TO_NEAREST_INT }>(values);
            store16_bytes::<STREAM>(out.cast(), halves);
        }
    }
}

impl Value for bf16 {
    #[inline(always)]
    fn round(value: f32) -> Self {
        Self::from_f32(value)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn store8<const STREAM: bool>(out: *mut Self, values: x86::__m256) {
        // SAFETY: the caller's promise.
        unsafe {
            // Adding just under half of the last kept place, and the bit of that place, carries into it
            // exactly when rounding to even rounds up.
            let bits = x86::_mm256_castps_si256(values);
            let last = x86::_mm256_and_si256(
                x86::_mm256_srli_epi32::<16>(bits),
                x86::_mm256_set1_epi32(1),
            );
            let half = x86::_mm256_add_epi32(last, x86::_mm256_set1_epi32(0x7FFF));
            let rounded = x86::_mm256_srli_epi32::<16>(x86::_mm256_add_epi32(bits, half));
            let low = x86::_mm256_castsi256_si128(rounded);
            let high = x86::_mm256_extracti128_si256::<1>(rounded);
            store16_bytes::<STREAM>(out.cast(), x86::_mm_packus_epi32(low, high));
        }
    }
}

/// # Safety
/// As for [`Value::store8`], with 16 bytes.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn store16_bytes<const STREAM: bool>(out: *mut x86::__m128i, bytes: x86::__m128i) {
    // SAFETY: the promise of `Value::store8`.
    unsafe {
        if STREAM {
            x86::_mm_stream_si128(out, bytes);
        } else {
            x86::_mm_storeu_si128(out, bytes);
        }
    }
}
