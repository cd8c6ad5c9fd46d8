//! Conversions that the compiler makes vectors of.

/// The largest whole number that is not above `x`, for sizes below 2^22: numbers from 2^23 to 2^24
/// have no fraction, so the sum rounds it off. Neither `f32::floor` nor a cast becomes vectors here.
#[inline(always)]
pub(crate) fn floor(x: f32) -> f32 {
    let whole = (x + 12_582_912.0) - 12_582_912.0;
    if whole > x { whole - 1.0 } else { whole }
}

/// `x as u8`, which cuts off the fraction and stops at 0 and 255: the last bits of 2^23 and more are
/// whole numbers.
#[inline(always)]
pub(crate) fn byte(x: f32) -> u8 {
    let x = if x > 0.0 { x } else { 0.0 };
    let x = if x < 255.0 { x } else { 255.0 };
    (floor(x) + 8_388_608.0).to_bits() as u8
}
