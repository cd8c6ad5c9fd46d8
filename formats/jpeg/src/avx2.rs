//! [`Lanes`] with AVX2.

use std::arch::x86_64::__m256i;

use pulp::{cast, x86::V3};

use super::{Block, Lanes};
use crate::colour::{BLUE, GREEN, RED};
use crate::integer::{DROPPED, EVEN, INNER, OUTER, SUMS};

/// For each channel and each third of sixteen pixels: which value goes to which byte.
const PLACES: [[[u8; 16]; 3]; 3] = {
    // The highest bit makes a byte 0.
    let mut places = [[[0x80; 16]; 3]; 3];
    let mut byte = 0;
    while byte < 48 {
        places[byte % 3][byte / 16][byte % 16] = (byte / 3) as u8;
        byte += 1;
    }
    places
};

/// Sixteen pairs of 16-bit values, of the lower or upper four of each half of two registers.
#[inline(always)]
fn pairs(simd: V3, a: __m256i, b: __m256i) -> [__m256i; 2] {
    [
        simd.avx2._mm256_unpacklo_epi16(a, b),
        simd.avx2._mm256_unpackhi_epi16(a, b),
    ]
}

/// Sums of weighted pairs.
#[inline(always)]
fn weighted(simd: V3, pairs: [__m256i; 2], weights: [i16; 2]) -> [__m256i; 2] {
    let weights: __m256i = cast([weights; 8]);
    [
        simd.avx2._mm256_madd_epi16(pairs[0], weights),
        simd.avx2._mm256_madd_epi16(pairs[1], weights),
    ]
}

#[inline(always)]
fn added(simd: V3, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
    [
        simd.avx2._mm256_add_epi32(a[0], b[0]),
        simd.avx2._mm256_add_epi32(a[1], b[1]),
    ]
}

#[inline(always)]
fn subtracted(simd: V3, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
    [
        simd.avx2._mm256_sub_epi32(a[0], b[0]),
        simd.avx2._mm256_sub_epi32(a[1], b[1]),
    ]
}

/// Values become 32 bits, multiplied by 2^13.
#[inline(always)]
fn wide(simd: V3, values: __m256i) -> [__m256i; 2] {
    let [low, high] = pairs(simd, simd.avx._mm256_setzero_si256(), values);
    [
        simd.avx2._mm256_srai_epi32::<3>(low),
        simd.avx2._mm256_srai_epi32::<3>(high),
    ]
}

/// Sums are divided by 2 to the power of `DROPPED`, rounded down, and become 16 bits.
#[inline(always)]
fn packed<const DROPPED: i32>(simd: V3, sums: [__m256i; 2]) -> __m256i {
    simd.avx2._mm256_packs_epi32(
        simd.avx2._mm256_srai_epi32::<DROPPED>(sums[0]),
        simd.avx2._mm256_srai_epi32::<DROPPED>(sums[1]),
    )
}

/// One pass of the transform: over the eight registers, for each value of a register at once.
#[inline(always)]
fn pass<const DROPPED: i32>(simd: V3, inputs: [__m256i; 8]) -> [__m256i; 8] {
    let [i0, i1, i2, i3, i4, i5, i6, i7] = inputs;
    // All eight outputs contain one of these, so they are rounded here.
    let half = [simd.avx._mm256_set1_epi32(1 << (DROPPED - 1)); 2];
    let sum = wide(simd, simd.avx2._mm256_add_epi16(i0, i4));
    let sum = added(simd, sum, half);
    let difference = wide(simd, simd.avx2._mm256_sub_epi16(i0, i4));
    let difference = added(simd, difference, half);
    let twos = pairs(simd, i2, i6);
    let outer = weighted(simd, twos, EVEN[0]);
    let inner = weighted(simd, twos, EVEN[1]);
    let even = [
        added(simd, sum, outer),
        added(simd, difference, inner),
        subtracted(simd, difference, inner),
        subtracted(simd, sum, outer),
    ];
    let sums = pairs(
        simd,
        simd.avx2._mm256_add_epi16(i7, i3),
        simd.avx2._mm256_add_epi16(i5, i1),
    );
    let to_even = weighted(simd, sums, SUMS[0]);
    let to_odd = weighted(simd, sums, SUMS[1]);
    let outer = pairs(simd, i7, i1);
    let inner = pairs(simd, i5, i3);
    let odd = [
        added(simd, weighted(simd, outer, OUTER[1]), to_odd),
        added(simd, weighted(simd, inner, INNER[1]), to_even),
        added(simd, weighted(simd, inner, INNER[0]), to_odd),
        added(simd, weighted(simd, outer, OUTER[0]), to_even),
    ];
    let mut out = inputs;
    for i in 0..4 {
        out[i] = packed::<DROPPED>(simd, added(simd, even[i], odd[i]));
        out[7 - i] = packed::<DROPPED>(simd, subtracted(simd, even[i], odd[i]));
    }
    out
}

/// Turns two squares of eight by eight values, one in the lower halves and one in the upper ones, by
/// interleaving values, pairs and fours of them.
#[inline(always)]
fn turned(simd: V3, rows: [__m256i; 8]) -> [__m256i; 8] {
    let [a, b, c, d, e, f, g, h] = rows;
    let simd32 = simd.avx2;
    let ([ab, ab_high], [cd, cd_high]) = (pairs(simd, a, b), pairs(simd, c, d));
    let ([ef, ef_high], [gh, gh_high]) = (pairs(simd, e, f), pairs(simd, g, h));
    let fours = [
        (
            simd32._mm256_unpacklo_epi32(ab, cd),
            simd32._mm256_unpacklo_epi32(ef, gh),
        ),
        (
            simd32._mm256_unpackhi_epi32(ab, cd),
            simd32._mm256_unpackhi_epi32(ef, gh),
        ),
        (
            simd32._mm256_unpacklo_epi32(ab_high, cd_high),
            simd32._mm256_unpacklo_epi32(ef_high, gh_high),
        ),
        (
            simd32._mm256_unpackhi_epi32(ab_high, cd_high),
            simd32._mm256_unpackhi_epi32(ef_high, gh_high),
        ),
    ];
    let mut columns = rows;
    for (i, (upper, lower)) in fours.into_iter().enumerate() {
        columns[2 * i] = simd32._mm256_unpacklo_epi64(upper, lower);
        columns[2 * i + 1] = simd32._mm256_unpackhi_epi64(upper, lower);
    }
    columns
}

/// Values around 0, of two registers, become levels.
#[inline(always)]
fn bytes(simd: V3, a: __m256i, b: __m256i) -> __m256i {
    let middle = simd.avx._mm256_set1_epi8(-128);
    let packed = simd.avx2._mm256_packs_epi16(a, b);
    simd.avx2._mm256_xor_si256(packed, middle)
}

/// Columns of values around 0 to rows of levels: four registers of two rows of either block.
#[inline(always)]
fn rows(simd: V3, columns: [__m256i; 8]) -> [__m256i; 4] {
    let [a, b, c, d, e, f, g, h] = columns;
    let avx2 = simd.avx2;
    let (ae, bf) = (bytes(simd, a, e), bytes(simd, b, f));
    let (cg, dh) = (bytes(simd, c, g), bytes(simd, d, h));
    let (ab, ef) = (
        avx2._mm256_unpacklo_epi8(ae, bf),
        avx2._mm256_unpackhi_epi8(ae, bf),
    );
    let (cd, gh) = (
        avx2._mm256_unpacklo_epi8(cg, dh),
        avx2._mm256_unpackhi_epi8(cg, dh),
    );
    let ([left, left_low], [right, right_low]) = (pairs(simd, ab, cd), pairs(simd, ef, gh));
    [
        avx2._mm256_unpacklo_epi32(left, right),
        avx2._mm256_unpackhi_epi32(left, right),
        avx2._mm256_unpacklo_epi32(left_low, right_low),
        avx2._mm256_unpackhi_epi32(left_low, right_low),
    ]
}

/// Row `i` of two blocks.
#[inline(always)]
fn two_rows(blocks: [&Block; 2], i: usize) -> __m256i {
    let [a, b] = blocks;
    cast([a.as_chunks::<8>().0[i], b.as_chunks::<8>().0[i]])
}

/// Bytes become 16 bits: the first and third eight of them, then the others.
#[inline(always)]
fn widened(simd: V3, bytes: &[u8; 32]) -> [__m256i; 2] {
    let (bytes, zero) = (cast(*bytes), simd.avx._mm256_setzero_si256());
    [
        simd.avx2._mm256_unpacklo_epi8(bytes, zero),
        simd.avx2._mm256_unpackhi_epi8(bytes, zero),
    ]
}

/// Red, green and blue of sixteen pixels, not yet cut to 0 to 255: luminance, and differences around 0.
#[inline(always)]
fn channels(simd: V3, luma: __m256i, blue: __m256i, red: __m256i) -> [__m256i; 3] {
    let (avx, avx2) = (simd.avx, simd.avx2);
    // floor((floor(c x / 2^15) + 1) / 2) is floor((c x + 2^15) / 2^16).
    let twice = avx2._mm256_add_epi16(red, red);
    let part = avx2._mm256_mulhi_epi16(twice, avx._mm256_set1_epi16(RED));
    let part = avx2._mm256_add_epi16(part, avx._mm256_set1_epi16(1));
    let part = avx2._mm256_srai_epi16::<1>(part);
    let r = avx2._mm256_add_epi16(avx2._mm256_add_epi16(luma, red), part);

    let half = [avx._mm256_set1_epi32(1 << 14); 2];
    let sums = added(simd, weighted(simd, pairs(simd, blue, red), GREEN), half);
    let g = avx2._mm256_add_epi16(luma, packed::<15>(simd, sums));

    let part = avx2._mm256_mulhrs_epi16(blue, avx._mm256_set1_epi16(BLUE));
    let twice = avx2._mm256_add_epi16(blue, blue);
    let b = avx2._mm256_add_epi16(avx2._mm256_add_epi16(luma, twice), part);
    [r, g, b]
}

impl Lanes for V3 {
    #[inline(always)]
    fn levels(self, blocks: &[Block; 2], steps: [&Block; 2]) -> [[u8; 16]; 8] {
        let avx2 = self.avx2;
        let blocks = [&blocks[0], &blocks[1]];
        let mut inputs = [self.avx._mm256_setzero_si256(); 8];
        let mut below = inputs[0];
        for (i, input) in inputs.iter_mut().enumerate() {
            let values = two_rows(blocks, i);
            if i > 0 {
                below = avx2._mm256_or_si256(below, values);
            }
            *input = avx2._mm256_mullo_epi16(values, two_rows(steps, i));
        }
        let shifted = avx2._mm256_slli_epi16::<2>(inputs[0]);
        let mut columns = pass::<{ DROPPED[0] as i32 }>(self, inputs);
        // See `integer::levels`: only an overflow makes a difference.
        let halves: [u128; 2] = cast(below);
        if halves.contains(&0) {
            let [low, high] = halves.map(|half| if half == 0 { u128::MAX } else { 0 });
            let flat: __m256i = cast([low, high]);
            for column in &mut columns {
                *column = avx2._mm256_blendv_epi8(*column, shifted, flat);
            }
        }
        let columns = pass::<{ DROPPED[1] as i32 }>(self, turned(self, columns));
        // Each register holds two rows of the first block, then the same of the second.
        cast(rows(self, columns).map(
            #[inline(always)]
            |rows| avx2._mm256_permute4x64_epi64::<0b11_01_10_00>(rows),
        ))
    }

    #[inline(always)]
    fn colours(self, luma: &[u8; 32], blue: &[u8; 32], red: &[u8; 32]) -> [[u8; 3]; 32] {
        let avx2 = self.avx2;
        let middle = self.avx._mm256_set1_epi16(128);
        let (lumas, blues, reds) = (widened(self, luma), widened(self, blue), widened(self, red));
        let mut halves = [lumas[0]; 6];
        for i in 0..2 {
            let blue = avx2._mm256_sub_epi16(blues[i], middle);
            let red = avx2._mm256_sub_epi16(reds[i], middle);
            [halves[i], halves[2 + i], halves[4 + i]] = channels(self, lumas[i], blue, red);
        }
        let mut levels = [[0; 32]; 3];
        for (i, levels) in levels.iter_mut().enumerate() {
            *levels = cast(avx2._mm256_packus_epi16(halves[2 * i], halves[2 * i + 1]));
        }
        let [r, g, b] = &levels;
        self.interleaved([r, g, b])
    }

    #[inline(always)]
    fn interleaved(self, channels: [&[u8; 32]; 3]) -> [[u8; 3]; 32] {
        let avx2 = self.avx2;
        let mut thirds = [self.avx._mm256_setzero_si256(); 3];
        for (channel, places) in channels.into_iter().zip(&PLACES) {
            for (third, &places) in thirds.iter_mut().zip(places) {
                let bytes = avx2._mm256_shuffle_epi8(cast(*channel), cast([places; 2]));
                *third = avx2._mm256_or_si256(*third, bytes);
            }
        }
        // The first sixteen pixels are in the lower halves.
        let [a, b, c] = thirds;
        cast([
            avx2._mm256_permute2x128_si256::<0x20>(a, b),
            avx2._mm256_permute2x128_si256::<0x30>(c, a),
            avx2._mm256_permute2x128_si256::<0x31>(b, c),
        ])
    }
}
