//! The inverse cosine transform (ITU-T T.81, annex A.3.3) in f32, in loops that the compiler turns into
//! vector instructions. No product and sum is ever fused, so the bytes are the same on every machine.

use crate::planes::Plane;
use crate::tables::Steps;
use crate::transform::Transform;
use crate::zigzag::ZIGZAG;

/// Scale of each frequency in the transform of Arai, Agui and Nakajima, `sqrt(2) cos(k pi / 16)`.
const SCALE: [f32; 8] = [
    1.0,
    1.387_039_8,
    1.306_563,
    1.175_875_6,
    1.0,
    0.785_694_96,
    0.541_196_1,
    0.275_899_38,
];

/// What the coefficients of a quantiser are multiplied with, in the order of its steps.
fn factors(steps: &[u16; 64]) -> [f32; 64] {
    std::array::from_fn(|i| f32::from(steps[i]) * SCALE[i / 8] * SCALE[i % 8] / 8.0)
}

/// Transforms block after block.
pub(crate) struct Float {
    /// Of each component.
    factors: [[f32; 64]; 4],
    block: [i16; 64],
}

impl Float {
    /// For the step sizes of each component.
    pub(crate) fn new(steps: &[Steps; 4]) -> Self {
        Self {
            factors: steps.each_ref().map(factors),
            block: [0; 64],
        }
    }
}

impl Transform for Float {
    const PLACES: [u8; 80] = ZIGZAG;

    #[inline(always)]
    fn block(&mut self) -> &mut [i16; 64] {
        self.block = [0; 64];
        &mut self.block
    }

    #[inline(always)]
    fn put(&mut self, planes: &mut [Plane], component: usize, start: usize, length: usize) {
        let (block, factors) = (&self.block, &self.factors[component & 3]);
        // Ten coefficients fill the first four diagonals.
        let levels = match length {
            1 => flat(block, factors),
            2..=10 => inverse::<4>(block, factors),
            _ => inverse::<8>(block, factors),
        };
        planes[component].put(start, &levels);
    }

    #[inline(always)]
    fn flush(&mut self, _planes: &mut [Plane]) {}
}

/// Brings a block, its coefficients column by column, to eight rows of eight levels. Only the first
/// `N` rows and columns of coefficients are looked at.
#[inline(always)]
fn inverse<const N: usize>(block: &[i16; 64], factors: &[f32; 64]) -> [[u8; 8]; 8] {
    let mut columns = [[0.0_f32; 8]; 8];
    for (x, column) in columns[..N].iter_mut().enumerate() {
        for (y, value) in column.iter_mut().enumerate() {
            *value = f32::from(block[x * 8 + y]) * factors[x * 8 + y];
        }
    }
    let mut rows = transposed(&across(&columns));
    for row in &mut rows[N..] {
        *row = [0.0; 8];
    }
    levels(&across(&rows))
}

/// A block whose only coefficient is the first.
#[inline(always)]
fn flat(block: &[i16; 64], factors: &[f32; 64]) -> [[u8; 8]; 8] {
    levels(&[[f32::from(block[0]) * factors[0]; 8]; 8])
}

/// The nearest levels, 128 for 0.
#[inline(always)]
fn levels(values: &[[f32; 8]; 8]) -> [[u8; 8]; 8] {
    // From 1.5 * 2^23 on the lowest bits of an f32 are a whole number in two's complement.
    const WHOLE: f32 = 12_582_912.0 + 128.0;
    let mut whole = [0_i16; 64];
    for (whole, value) in whole.iter_mut().zip(values.as_flattened()) {
        *whole = (value + WHOLE).to_bits() as i16;
    }
    let mut levels = [[0; 8]; 8];
    for (level, whole) in levels.as_flattened_mut().iter_mut().zip(whole) {
        *level = whole.clamp(0, 255) as u8;
    }
    levels
}

/// Rows become columns: three perfect shuffles, which the compiler makes of vector instructions.
#[inline(always)]
fn transposed(rows: &[[f32; 8]; 8]) -> [[f32; 8]; 8] {
    let mut rows = *rows;
    for _ in 0..3 {
        let before = rows;
        for i in 0..4 {
            for k in 0..4 {
                rows[2 * i][2 * k] = before[i][k];
                rows[2 * i][2 * k + 1] = before[i + 4][k];
                rows[2 * i + 1][2 * k] = before[i][k + 4];
                rows[2 * i + 1][2 * k + 1] = before[i + 4][k + 4];
            }
        }
    }
    rows
}

/// The transform over the first index, for each second one at once.
#[inline(always)]
fn across(rows: &[[f32; 8]; 8]) -> [[f32; 8]; 8] {
    let mut out = [[0.0_f32; 8]; 8];
    for x in 0..8 {
        let even = rows[0][x] + rows[4][x];
        let odd = rows[0][x] - rows[4][x];
        let sum = rows[2][x] + rows[6][x];
        let turned = (rows[2][x] - rows[6][x]) * std::f32::consts::SQRT_2 - sum;
        let (e0, e3, e1, e2) = (even + sum, even - sum, odd + turned, odd - turned);
        let z13 = rows[5][x] + rows[3][x];
        let z10 = rows[5][x] - rows[3][x];
        let z11 = rows[1][x] + rows[7][x];
        let z12 = rows[1][x] - rows[7][x];
        let o7 = z11 + z13;
        let z5 = (z10 + z12) * 1.847_759;
        let o6 = z5 - z10 * 2.613_126 - o7;
        let o5 = (z11 - z13) * std::f32::consts::SQRT_2 - o6;
        let o4 = z5 - z12 * 1.082_392_2 - o5;
        let ends = [(e0, o7), (e1, o6), (e2, o5), (e3, o4)];
        for (y, (even, odd)) in ends.into_iter().enumerate() {
            out[y][x] = even + odd;
            out[7 - y][x] = even - odd;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, in f64.
    fn naive(block: &[i16; 64], steps: &[u16; 64]) -> [[f64; 8]; 8] {
        let wave = |u: usize, x: usize| {
            let scale = if u == 0 { 0.5_f64.sqrt() } else { 1.0 };
            scale * ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos() / 2.0
        };
        std::array::from_fn(|y| {
            std::array::from_fn(|x| {
                let terms = (0..64).map(|i| {
                    f64::from(block[i]) * f64::from(steps[i]) * wave(i / 8, x) * wave(i % 8, y)
                });
                (terms.sum::<f64>() + 128.0).clamp(0.0, 255.0)
            })
        })
    }

    fn check<const N: usize>() {
        let mut state = 1_u32;
        let mut draw = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let steps: [u16; 64] = std::array::from_fn(|_| 1 + draw(12) as u16);
        for _ in 0..300 {
            let mut block = [0; 64];
            for (i, value) in block.iter_mut().enumerate() {
                if i % 8 < N && i / 8 < N {
                    *value = draw(31) as i16 - 15;
                }
            }
            let wanted = naive(&block, &steps);
            let found = inverse::<N>(&block, &factors(&steps));
            for (wanted, found) in wanted.as_flattened().iter().zip(found.as_flattened()) {
                assert!(
                    (wanted - f64::from(*found)).abs() < 0.501,
                    "{wanted} {found}"
                );
            }
        }
    }

    #[test]
    fn matches_naive() {
        check::<8>();
        check::<4>();
    }

    #[test]
    fn a_flat_block_is_the_same_on_both_ways() {
        for value in [-1024, -700, -3, 0, 1, 5, 600, 1023] {
            let mut block = [0; 64];
            block[0] = value;
            let factors = factors(&[3; 64]);
            let wanted = inverse::<4>(&block, &factors);
            for (a, b) in flat(&block, &factors)
                .as_flattened()
                .iter()
                .zip(wanted.as_flattened())
            {
                assert!(a.abs_diff(*b) <= 1);
            }
        }
    }
}
