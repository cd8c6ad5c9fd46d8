//! Rows of pixels to rows of words.
//!
//! Contract: the unsafe functions here need AVX2, and a row that has [`SLACK`](super::SLACK) bytes behind the pixels
//! of the axis that the tables were made from.
#![allow(unsafe_code)]

use std::arch::x86_64 as x86;

use super::super::REGISTER;
use crate::axis::{Axis, BITS, BLOCK, HALF, Levels};

/// Values of half a register of words, which one load of 16 bytes reaches: they belong to at most four
/// pixels next to each other, whose taps are five at most.
const LANE: usize = 8;
/// The lanes of a block in the order of its registers' halves.
const LANES: [usize; 4] = [0, 2, 1, 3];

/// Windows that grow: each value lies between two.
#[derive(Default)]
pub(super) struct Pairs {
    blocks: Vec<PairBlock>,
    /// Where the first tap of each value lies in a row, and its weight, block by block.
    sources: Vec<u32>,
    weights: Vec<i16>,
}

/// How a block of values is made.
#[derive(Clone, Copy, Default)]
#[repr(C, align(32))]
struct PairBlock {
    /// Where the two bytes of each value lie behind the lane's offset, as shuffles want it.
    masks: [[u16; LANE]; 4],
    /// Weights of the second bytes.
    weights: [[i16; LANE]; 4],
    /// Where each lane's bytes begin in a row.
    offsets: [u32; 4],
}

impl Pairs {
    pub(super) fn set(&mut self, axis: &Axis) {
        self.sources.clear();
        self.weights.clear();
        for (&start, &weight) in axis.starts.iter().zip(&axis.weights) {
            self.sources
                .extend([3 * start, 3 * start + 1, 3 * start + 2]);
            self.weights.extend([weight; 3]);
        }
        let blocks = Levels::of_row(axis.starts.len());
        // Values behind the last are like it.
        let last = self.sources.last().copied().unwrap_or_default();
        self.sources.resize(blocks * BLOCK, last);
        self.weights.resize(blocks * BLOCK, 0);
        self.blocks.resize(blocks, PairBlock::default());
        let (sources, _) = self.sources.as_chunks::<LANE>();
        let (weights, _) = self.weights.as_chunks::<LANE>();
        for (b, block) in self.blocks.iter_mut().enumerate() {
            for (i, lane) in LANES.map(|lane| 4 * b + lane).into_iter().enumerate() {
                let offset = sources[lane].into_iter().fold(u32::MAX, u32::min);
                block.offsets[i] = offset;
                block.weights[i] = weights[lane];
                // The second byte is a pixel, three bytes, behind the first.
                block.masks[i] = sources[lane].map(|from| (from - offset) as u16 * 0x101 + 0x300);
            }
        }
    }

    /// # Safety
    /// As the head of this file says: AVX2, and a row with slack behind it.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn resize(&self, row: &[u8], out: &mut [Levels]) {
        let row = row.as_ptr();
        // SAFETY: the caller's promise; a lane begins inside the last pixel at the latest.
        unsafe {
            let difference = x86::_mm256_set1_epi16(0x01FF);
            let low = x86::_mm256_set1_epi16(0x00FF);
            for (block, out) in self.blocks.iter().zip(out) {
                for half in 0..2 {
                    let [first, second] = [2 * half, 2 * half + 1];
                    let bytes = x86::_mm256_loadu2_m128i(
                        row.add(block.offsets[second] as usize).cast(),
                        row.add(block.offsets[first] as usize).cast(),
                    );
                    let mask = x86::_mm256_load_si256(block.masks[first].as_ptr().cast());
                    let weights = x86::_mm256_load_si256(block.weights[first].as_ptr().cast());
                    let pairs = x86::_mm256_shuffle_epi8(bytes, mask);
                    // What is between two whole levels is rounded to a whole one, exactly.
                    let apart = x86::_mm256_maddubs_epi16(pairs, difference);
                    let value = x86::_mm256_add_epi16(
                        x86::_mm256_and_si256(pairs, low),
                        x86::_mm256_mulhrs_epi16(apart, weights),
                    );
                    x86::_mm256_store_si256(out.0.as_mut_ptr().add(16 * half).cast(), value);
                }
            }
        }
    }
}

/// Pixels of a block whose values are sums: a register of pixels of four bytes.
const PIXELS: usize = 8;
/// Taps that one load of 16 bytes reaches.
const TAPS: usize = 4;

/// Windows that shrink: each value is a sum of products.
#[derive(Default)]
pub(super) struct Sums {
    /// Where the first tap of each pixel lies in a row. Pixels behind the last are like it.
    offsets: Vec<[u32; PIXELS]>,
    /// For every block, every load and pixels `k` and `k + 4`: the weights of the first and the second
    /// two taps.
    weights: Vec<[[[i16; 16]; 2]; PIXELS / 2]>,
    /// Loads of a pixel.
    loads: usize,
    /// A row in bytes, before they are words.
    bytes: Vec<u8>,
}

/// R of two taps, G, B, and nothing, as words.
const fn taps_mask(first: u8) -> [u8; REGISTER] {
    let mut mask = [0x80; REGISTER];
    let mut i = 0;
    while i < 12 {
        let (half, c, tap) = (i / 6, i % 6 / 2, i % 2);
        mask[16 * half + 4 * c + 2 * tap] = 3 * (first + tap as u8) + c as u8;
        i += 1;
    }
    mask
}

/// Four pixels of four bytes become twelve bytes.
const fn compact_mask() -> [u8; REGISTER] {
    let mut mask = [0x80; REGISTER];
    let mut i = 0;
    while i < 24 {
        let (half, at) = (i / 12, i % 12);
        mask[16 * half + at] = (4 * (at / 3) + at % 3) as u8;
        i += 1;
    }
    mask
}

static FIRST_TAPS: [u8; REGISTER] = taps_mask(0);
static SECOND_TAPS: [u8; REGISTER] = taps_mask(2);
static COMPACT: [u8; REGISTER] = compact_mask();

impl Sums {
    pub(super) fn set(&mut self, axis: &Axis) {
        let to = axis.starts.len();
        let blocks = to.div_ceil(PIXELS);
        self.loads = axis.taps / TAPS;
        self.offsets.resize(blocks, [0; PIXELS]);
        self.weights
            .resize(blocks * self.loads, [[[0; 16]; 2]; PIXELS / 2]);
        // Rows are written four bytes beyond their last block.
        self.bytes
            .resize((blocks * PIXELS * 3 + 4).next_multiple_of(BLOCK), 0);
        for x in 0..blocks * PIXELS {
            let (block, i) = (x / PIXELS, x % PIXELS);
            let from = x.min(to - 1);
            self.offsets[block][i] = 3 * axis.starts[from];
            let (weights, _) = axis.weights[from * axis.taps..][..axis.taps].as_chunks::<TAPS>();
            for (load, weights) in weights.iter().enumerate() {
                let registers = &mut self.weights[block * self.loads + load][i % 4];
                for (register, pair) in registers.iter_mut().zip(weights.as_chunks::<2>().0) {
                    for slots in register[8 * (i / 4)..][..8].as_chunks_mut::<2>().0 {
                        *slots = *pair;
                    }
                }
            }
        }
    }

    /// # Safety
    /// As the head of this file says: AVX2, and a row with slack behind it.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn resize(&mut self, row: &[u8], out: &mut [Levels]) {
        let row = row.as_ptr();
        // SAFETY: the caller's promise; the last load of a pixel begins four taps before the end of its
        // taps, which end with the window or up to three pixels behind it. `bytes` has room for all
        // blocks and four bytes, and for all blocks of `out`.
        unsafe {
            let first_taps = super::super::register(&FIRST_TAPS);
            let second_taps = super::super::register(&SECOND_TAPS);
            let compact = super::super::register(&COMPACT);
            for (block, offsets) in self.offsets.iter().enumerate() {
                let mut sums = [x86::_mm256_set1_epi32(HALF); PIXELS / 2];
                for load in 0..self.loads {
                    let weights = &self.weights[block * self.loads + load];
                    for (k, sum) in sums.iter_mut().enumerate() {
                        let at = |pixel: usize| {
                            row.add(offsets[pixel] as usize + 3 * TAPS * load).cast()
                        };
                        let bytes = x86::_mm256_loadu2_m128i(at(k + 4), at(k));
                        let weight =
                            |i: usize| x86::_mm256_loadu_si256(weights[k][i].as_ptr().cast());
                        let first = x86::_mm256_madd_epi16(
                            x86::_mm256_shuffle_epi8(bytes, first_taps),
                            weight(0),
                        );
                        let second = x86::_mm256_madd_epi16(
                            x86::_mm256_shuffle_epi8(bytes, second_taps),
                            weight(1),
                        );
                        *sum = x86::_mm256_add_epi32(*sum, x86::_mm256_add_epi32(first, second));
                    }
                }
                let [a, b, c, d] = sums.map(|sum| x86::_mm256_srai_epi32::<{ BITS as i32 }>(sum));
                let pixels = x86::_mm256_packus_epi16(
                    x86::_mm256_packs_epi32(a, b),
                    x86::_mm256_packs_epi32(c, d),
                );
                let pixels = x86::_mm256_shuffle_epi8(pixels, compact);
                let bytes = self.bytes.as_mut_ptr().add(3 * PIXELS * block);
                x86::_mm_storeu_si128(bytes.cast(), x86::_mm256_castsi256_si128(pixels));
                x86::_mm_storeu_si128(
                    bytes.add(12).cast(),
                    x86::_mm256_extracti128_si256::<1>(pixels),
                );
            }
            for (k, out) in out.iter_mut().enumerate() {
                let bytes = x86::_mm256_loadu_si256(self.bytes.as_ptr().add(BLOCK * k).cast());
                let zero = x86::_mm256_setzero_si256();
                let out = out.0.as_mut_ptr();
                x86::_mm256_store_si256(out.cast(), x86::_mm256_unpacklo_epi8(bytes, zero));
                x86::_mm256_store_si256(out.add(16).cast(), x86::_mm256_unpackhi_epi8(bytes, zero));
            }
        }
    }
}
