//! The inverse cosine transform (ITU-T T.81, annex A.3.3) in whole numbers, to the bit that of libjpeg's
//! accurate method ("islow"), which nearly all pictures are looked at with.
//!
//! It is the algorithm of Loeffler, Ligtenberg and Moschytz ("Practical fast 1-D DCT algorithms with 11
//! multiplications", ICASSP 1989) with products merged in pairs: columns first, whose results keep two more
//! bits, then rows. Constants have 13 bits behind the point. Where numbers overflow, which those of a picture
//! never do, they behave as in the vector form of libjpeg-turbo: 16-bit products and sums wrap around, and
//! results of 32 bits saturate to 16.

/// The step sizes of a block, or its coefficients, row by row.
pub(crate) type Block = [i16; 64];

/// Bits behind the point of a constant.
const BITS: u32 = 13;
/// More bits that the results of the first pass keep.
const MORE: u32 = 2;
/// Bits that are dropped after each pass; the rows' sums are also divided by 8.
pub(crate) const DROPPED: [u32; 2] = [BITS - MORE, BITS + MORE + 3];

/// A constant with [`BITS`] bits behind the point.
const fn fixed(value: f64) -> i16 {
    let scaled = value * (1 << BITS) as f64;
    (if scaled < 0.0 {
        scaled - 0.5
    } else {
        scaled + 0.5
    }) as i16
}

const C0_298: i16 = fixed(0.298_631_336);
const C0_390: i16 = fixed(0.390_180_644);
const C0_541: i16 = fixed(0.541_196_100);
const C0_765: i16 = fixed(0.765_366_865);
const C0_899: i16 = fixed(0.899_976_223);
const C1_175: i16 = fixed(1.175_875_602);
const C1_501: i16 = fixed(1.501_321_110);
const C1_847: i16 = fixed(1.847_759_065);
const C1_961: i16 = fixed(1.961_570_560);
const C2_053: i16 = fixed(2.053_119_869);
const C2_562: i16 = fixed(2.562_915_447);
const C3_072: i16 = fixed(3.072_711_026);

/// Weights of pairs of inputs. Of inputs 2 and 6: for the outer and the inner outputs of the even part.
pub(crate) const EVEN: [[i16; 2]; 2] = [[C0_541 + C0_765, C0_541], [C0_541, C0_541 - C1_847]];
/// Of the sums of inputs 7 and 3, and of 5 and 1: what goes to outputs 0 and 2, and to 1 and 3, of the odd
/// part.
pub(crate) const SUMS: [[i16; 2]; 2] = [[C1_175 - C1_961, C1_175], [C1_175, C1_175 - C0_390]];
/// Of inputs 7 and 1: for outputs 0 and 3 of the odd part.
pub(crate) const OUTER: [[i16; 2]; 2] = [[C0_298 - C0_899, -C0_899], [-C0_899, C1_501 - C0_899]];
/// Of inputs 5 and 3: for outputs 1 and 2 of the odd part.
pub(crate) const INNER: [[i16; 2]; 2] = [[C2_053 - C2_562, -C2_562], [-C2_562, C3_072 - C2_562]];

/// Brings a block to eight rows of eight levels.
#[inline(always)]
pub(crate) fn levels(block: &Block, steps: &Block) -> [[u8; 8]; 8] {
    let mut values = [[0_i16; 8]; 8];
    for (i, value) in values.as_flattened_mut().iter_mut().enumerate() {
        *value = block[i].wrapping_mul(steps[i]);
    }
    // Without frequencies downwards the first pass would only shift; then an overflow wraps around.
    if block[8..].iter().all(|&value| value == 0) {
        values = [values[0].map(|value| value.wrapping_shl(MORE)); 8];
    } else {
        for x in 0..8 {
            let column = pass(values.map(|row| row[x]), DROPPED[0]);
            for (row, value) in values.iter_mut().zip(column) {
                row[x] = value;
            }
        }
    }
    let level = |value: i16| (value.clamp(-128, 127) + 128) as u8;
    values.map(|row| pass(row, DROPPED[1]).map(level))
}

/// The transform of eight values, divided by 2 to the power of `dropped` and rounded.
#[inline(always)]
fn pass(values: [i16; 8], dropped: u32) -> [i16; 8] {
    let pair = |a: i16, b: i16, weights: [[i16; 2]; 2]| {
        weights.map(|[c, d]| i32::from(a) * i32::from(c) + i32::from(b) * i32::from(d))
    };
    let wide = |value: i16| i32::from(value) << BITS;
    let [i0, i1, i2, i3, i4, i5, i6, i7] = values;
    let [outer, inner] = pair(i2, i6, EVEN);
    let (sum, difference) = (wide(i0.wrapping_add(i4)), wide(i0.wrapping_sub(i4)));
    let even = [
        sum.wrapping_add(outer),
        difference.wrapping_add(inner),
        difference.wrapping_sub(inner),
        sum.wrapping_sub(outer),
    ];
    let [to_even, to_odd] = pair(i7.wrapping_add(i3), i5.wrapping_add(i1), SUMS);
    let [o0, o3] = pair(i7, i1, OUTER);
    let [o1, o2] = pair(i5, i3, INNER);
    let odd = [
        o3.wrapping_add(to_odd),
        o2.wrapping_add(to_even),
        o1.wrapping_add(to_odd),
        o0.wrapping_add(to_even),
    ];
    let mut out = [0; 8];
    for (i, (even, odd)) in even.into_iter().zip(odd).enumerate() {
        let rounded = |sum: i32| {
            let shifted = sum.wrapping_add(1 << (dropped - 1)) >> dropped;
            shifted.clamp(i16::MIN.into(), i16::MAX.into()) as i16
        };
        out[i] = rounded(even.wrapping_add(odd));
        out[7 - i] = rounded(even.wrapping_sub(odd));
    }
    out
}

/// The level of a block whose only coefficient is the first.
#[inline(always)]
pub(crate) fn flat(value: i16, step: i16) -> u8 {
    let value = i32::from(value.wrapping_mul(step).wrapping_shl(MORE));
    (((value + 16) >> (MORE + 3)).clamp(-128, 127) + 128) as u8
}

#[cfg(test)]
#[path = "integer_tests.rs"]
mod tests;
