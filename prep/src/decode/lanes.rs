//! Sixteen values at once: products, pixels, and rows that become columns. Left to itself, the compiler adds
//! neighbours up and moves single values, so the instructions are named here, for processors with AVX2.
//! All ways give the same values.

use pulp::Scalar;

/// A column of a strip: values of sixteen rows. An array of one, since sums are of one or two of them.
pub(super) type Column = [[i16; 16]; 1];

/// What a processor does to sixteen values.
pub(super) trait Lanes: Copy {
    /// Levels of 32 pixels from 128, in 1/256: the first and third eight of them, then the others.
    fn widened(self, pixels: &[u8; 32]) -> [[i16; 16]; 2];

    /// Adds the products of `values` and `weight` to `sums`, each divided by 2^15 and rounded.
    fn add_products(self, sums: [i16; 16], values: &[i16; 16], weight: i16) -> [i16; 16];

    /// Eight columns of sixteen rows that are given by their number.
    fn columns(self, rows: impl Fn(usize) -> [i16; 8]) -> [Column; 8];

    /// Sixteen rows of eight columns.
    fn rows(self, columns: &[Column; 8]) -> [[i16; 8]; 16];

    /// Pixels of three channels.
    fn interleaved(self, channels: &[[u8; 32]; 3]) -> [[u8; 3]; 32];
}

impl Lanes for Scalar {
    #[inline(always)]
    fn widened(self, pixels: &[u8; 32]) -> [[i16; 16]; 2] {
        let mut wide = [[0; 16]; 2];
        for (i, &pixel) in pixels.iter().enumerate() {
            wide[i / 8 % 2][i / 16 * 8 + i % 8] = (i16::from(pixel) - 128) << 8;
        }
        wide
    }

    #[inline(always)]
    fn add_products(self, mut sums: [i16; 16], values: &[i16; 16], weight: i16) -> [i16; 16] {
        for (sum, &value) in sums.iter_mut().zip(values) {
            let product = i32::from(value) * i32::from(weight);
            *sum = sum.wrapping_add((((product >> 14) + 1) >> 1) as i16);
        }
        sums
    }

    #[inline(always)]
    fn columns(self, rows: impl Fn(usize) -> [i16; 8]) -> [Column; 8] {
        let mut columns = [[[0; 16]]; 8];
        for y in 0..16 {
            for (column, value) in columns.iter_mut().zip(rows(y)) {
                column[0][y] = value;
            }
        }
        columns
    }

    #[inline(always)]
    fn rows(self, columns: &[Column; 8]) -> [[i16; 8]; 16] {
        let mut rows = [[0; 8]; 16];
        for (x, [column]) in columns.iter().enumerate() {
            for (y, &value) in column.iter().enumerate() {
                rows[y][x] = value;
            }
        }
        rows
    }

    #[inline(always)]
    fn interleaved(self, channels: &[[u8; 32]; 3]) -> [[u8; 3]; 32] {
        let mut pixels = [[0; 3]; 32];
        for (i, pixel) in pixels.iter_mut().enumerate() {
            *pixel = [channels[0][i], channels[1][i], channels[2][i]];
        }
        pixels
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::__m256i;

    use pulp::{cast, x86::V3};

    use super::{Column, Lanes};

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

    /// Turns two squares of eight by eight values, one in the lower halves and one in the upper ones, by
    /// interleaving values, pairs and fours of them.
    #[inline(always)]
    fn squares(simd: V3, rows: [__m256i; 8]) -> [__m256i; 8] {
        let simd = simd.avx2;
        let [a, b, c, d, e, f, g, h] = rows;
        let (ab, ab_high) = (
            simd._mm256_unpacklo_epi16(a, b),
            simd._mm256_unpackhi_epi16(a, b),
        );
        let (cd, cd_high) = (
            simd._mm256_unpacklo_epi16(c, d),
            simd._mm256_unpackhi_epi16(c, d),
        );
        let (ef, ef_high) = (
            simd._mm256_unpacklo_epi16(e, f),
            simd._mm256_unpackhi_epi16(e, f),
        );
        let (gh, gh_high) = (
            simd._mm256_unpacklo_epi16(g, h),
            simd._mm256_unpackhi_epi16(g, h),
        );
        let fours = [
            (
                simd._mm256_unpacklo_epi32(ab, cd),
                simd._mm256_unpacklo_epi32(ef, gh),
            ),
            (
                simd._mm256_unpackhi_epi32(ab, cd),
                simd._mm256_unpackhi_epi32(ef, gh),
            ),
            (
                simd._mm256_unpacklo_epi32(ab_high, cd_high),
                simd._mm256_unpacklo_epi32(ef_high, gh_high),
            ),
            (
                simd._mm256_unpackhi_epi32(ab_high, cd_high),
                simd._mm256_unpackhi_epi32(ef_high, gh_high),
            ),
        ];
        let mut columns = rows;
        for (i, (upper, lower)) in fours.into_iter().enumerate() {
            columns[2 * i] = simd._mm256_unpacklo_epi64(upper, lower);
            columns[2 * i + 1] = simd._mm256_unpackhi_epi64(upper, lower);
        }
        columns
    }

    impl Lanes for V3 {
        #[inline(always)]
        fn widened(self, pixels: &[u8; 32]) -> [[i16; 16]; 2] {
            let middle = self.avx._mm256_set1_epi8(-128);
            let levels = self.avx2._mm256_xor_si256(cast(*pixels), middle);
            let zero = self.avx._mm256_setzero_si256();
            [
                cast(self.avx2._mm256_unpacklo_epi8(zero, levels)),
                cast(self.avx2._mm256_unpackhi_epi8(zero, levels)),
            ]
        }

        #[inline(always)]
        fn add_products(self, sums: [i16; 16], values: &[i16; 16], weight: i16) -> [i16; 16] {
            let weights = self.avx._mm256_set1_epi16(weight);
            let products = self.avx2._mm256_mulhrs_epi16(cast(*values), weights);
            cast(self.avx2._mm256_add_epi16(cast(sums), products))
        }

        #[inline(always)]
        fn columns(self, rows: impl Fn(usize) -> [i16; 8]) -> [Column; 8] {
            let mut pairs = [self.avx._mm256_setzero_si256(); 8];
            for (i, pair) in pairs.iter_mut().enumerate() {
                *pair = cast([rows(i), rows(i + 8)]);
            }
            cast(squares(self, pairs))
        }

        #[inline(always)]
        fn rows(self, columns: &[Column; 8]) -> [[i16; 8]; 16] {
            let pairs: [[[i16; 8]; 2]; 8] = cast(squares(self, cast(*columns)));
            let mut rows = [[0; 8]; 16];
            for (i, pair) in pairs.iter().enumerate() {
                rows[i] = pair[0];
                rows[i + 8] = pair[1];
            }
            rows
        }

        #[inline(always)]
        fn interleaved(self, channels: &[[u8; 32]; 3]) -> [[u8; 3]; 32] {
            let simd = self.avx2;
            let mut thirds = [self.avx._mm256_setzero_si256(); 3];
            for (channel, places) in channels.iter().zip(&PLACES) {
                for (third, &places) in thirds.iter_mut().zip(places) {
                    let bytes = simd._mm256_shuffle_epi8(cast(*channel), cast([places; 2]));
                    *third = simd._mm256_or_si256(*third, bytes);
                }
            }
            // The first sixteen pixels are in the lower halves.
            let [a, b, c] = thirds;
            cast([
                simd._mm256_permute2x128_si256::<0x20>(a, b),
                simd._mm256_permute2x128_si256::<0x30>(c, a),
                simd._mm256_permute2x128_si256::<0x31>(b, c),
            ])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `check` with every kind of lanes that this machine has but the scalar one.
    fn others(check: impl Fn(&dyn Fn(&Values) -> Results)) {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            check(&|values| results(simd, values));
        }
        let _ = check;
    }

    /// What is put in, and what comes out.
    type Values = ([u8; 32], [[i16; 8]; 16], i16, [[u8; 32]; 3]);
    type Results = (
        [[i16; 16]; 2],
        [i16; 16],
        [Column; 8],
        [[i16; 8]; 16],
        [[u8; 3]; 32],
    );

    fn results(lanes: impl Lanes, (pixels, rows, weight, channels): &Values) -> Results {
        let wide = lanes.widened(pixels);
        let columns = lanes.columns(|y| rows[y]);
        (
            wide,
            lanes.add_products(columns[3][0], &wide[1], *weight),
            columns,
            lanes.rows(&columns),
            lanes.interleaved(channels),
        )
    }

    fn drawn(seed: u32) -> Values {
        let mut state = seed;
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as i16
        };
        (
            std::array::from_fn(|_| draw() as u8),
            std::array::from_fn(|_| std::array::from_fn(|_| draw())),
            draw(),
            std::array::from_fn(|_| std::array::from_fn(|_| draw() as u8)),
        )
    }

    #[test]
    fn values_are_in_their_places() {
        let values = drawn(1);
        let (wide, sums, columns, rows, pixels) = results(Scalar, &values);
        let (bytes, given, weight, channels) = values;
        assert_eq!(wide[1][2], (i16::from(bytes[10]) - 128) * 256);
        assert_eq!(wide[0][9], (i16::from(bytes[17]) - 128) * 256);
        assert_eq!(columns[3][0][11], given[11][3]);
        assert_eq!(rows, given);
        assert_eq!(
            pixels[21],
            [channels[0][21], channels[1][21], channels[2][21]]
        );
        let product = f64::from(wide[1][5]) * f64::from(weight) / 32_768.0;
        let product = (product + 0.5).floor() as i16;
        assert_eq!(sums[5], columns[3][0][5].wrapping_add(product));
    }

    #[test]
    fn all_lanes_give_the_same() {
        others(|other| {
            for seed in 0..1_000 {
                let values = drawn(seed);
                assert_eq!(other(&values), results(Scalar, &values), "seed {seed}");
            }
        });
    }
}
