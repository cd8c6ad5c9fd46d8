//! The kernel in AVX2 intrinsics.
//!
//! Pixels are taken in blocks, from the left end of a row or, reflected, from its right end. The last
//! block of a row overlaps the one before where the row is not a whole number of blocks. A byte
//! shuffle picks and widens the bytes of a block in the order in which they are written, so that
//! reflection and planes cost nothing beyond other shuffle masks.
//!
//! Contract: the unsafe functions here need AVX2 and the readable bytes that each names; their callers in
//! `bytes.rs` and `floats.rs` ensure both.
#![allow(unsafe_code)]

mod bytes;
mod floats;
mod resize;

use std::arch::x86_64 as x86;

pub(crate) use bytes::{bytes, fill};
pub(crate) use floats::floats;
pub(crate) use resize::Passes;

use crate::window::{Layout, Part};

/// Pixels of a block that becomes floats: 24 values, three registers of f32.
pub(crate) const FLOAT_BLOCK: usize = 8;
/// Pixels of a block of bytes: 96, three registers.
pub(crate) const BYTE_BLOCK: usize = 32;
/// Bytes of a register.
const REGISTER: usize = 32;

/// Whether every contiguous run of the output begins and ends at a multiple of a register, as stores
/// around the caches require.
pub(crate) fn aligned<T>(crop: usize, layout: Layout, out: &[T]) -> bool {
    let run = match layout {
        Layout::Nhwc => crop * 3,
        Layout::Nchw => crop,
    };
    out.as_ptr().addr().is_multiple_of(REGISTER) && (run * size_of::<T>()).is_multiple_of(REGISTER)
}

/// How many rows ahead rows are prefetched. A record in the page cache lies in small pages, and the
/// processor's own prefetching ends at each page boundary.
const AHEAD: usize = 4;

/// Prefetches the bytes of a row that is read soon.
#[inline(always)]
fn prefetch(part: &Part<'_>, y: usize) {
    if y + AHEAD < part.rows() {
        prefetch_bytes(part.row(y + AHEAD));
    }
}

/// Prefetches bytes that are read soon.
#[inline(always)]
fn prefetch_bytes(bytes: &[u8]) {
    for line in bytes.chunks(64) {
        // SAFETY: a prefetch has no effect on what a program sees, and needs only SSE.
        unsafe { x86::_mm_prefetch::<{ x86::_MM_HINT_T0 }>(line.as_ptr().cast()) };
    }
}

/// Ends the stores around the caches: the thread that receives the batch must see them.
pub(crate) fn fence() {
    // SAFETY: every x86-64 processor has SSE, and a fence changes no memory.
    unsafe { x86::_mm_sfence() }
}

/// Where a block that begins at pixel `x` of the output row lies in the record's row, in bytes.
#[inline(always)]
fn source(crop: usize, flip: bool, x: usize, block: usize) -> usize {
    3 * if flip { crop - block - x } else { x }
}

/// Beginnings of the blocks of a row.
#[inline(always)]
fn blocks(crop: usize, block: usize) -> impl Iterator<Item = usize> {
    (0..crop).step_by(block).map(move |x| x.min(crop - block))
}

/// Pixels 0 to 3 of eight in the low half's first bytes and 4 to 7 in the high half's last, or,
/// `flip`ped, 4 to 7 in the low half and 0 to 3 in the high one.
///
/// # Safety
/// AVX2, and 24 bytes to read from `block` on.
#[inline(always)]
unsafe fn pair(block: *const u8, flip: bool) -> x86::__m256i {
    let (low, high) = if flip { (8, 0) } else { (0, 8) };
    // SAFETY: the caller has AVX2 and may read 24 bytes from `block`.
    unsafe { x86::_mm256_loadu2_m128i(block.add(high).cast(), block.add(low).cast()) }
}

/// The byte of [`pair`]'s register where channel `c` of output pixel `x` of eight lies, counted in
/// its half.
const fn place_in_pair(flip: bool, x: usize, c: usize) -> u8 {
    let pixel = if flip { 7 - x } else { x };
    // The half that holds pixels 4 to 7 begins at byte 8 of the block.
    (3 * pixel + c - if pixel < 4 { 0 } else { 8 }) as u8
}

/// A register from bytes.
///
/// # Safety
/// AVX2.
#[inline(always)]
unsafe fn register(bytes: &[u8; REGISTER]) -> x86::__m256i {
    // SAFETY: the caller has AVX2, and the array is as long as the register.
    unsafe { x86::_mm256_loadu_si256(bytes.as_ptr().cast()) }
}
