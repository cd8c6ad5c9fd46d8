//! Conversions that the compiler vectorises.

/// The largest integer that is not above `x`, for magnitudes below 2^22. Numbers from 2^23 to 2^24 have
/// no fraction, so the sum rounds it away. The compiler vectorises neither `f32::floor` nor a cast.
#[inline(always)]
pub(crate) fn floor(x: f32) -> f32 {
    let whole = (x + 12_582_912.0) - 12_582_912.0;
    if whole > x { whole - 1.0 } else { whole }
}

/// `x as u8`, which truncates the fraction and saturates at 0 and 255: the last bits of numbers from
/// 2^23 on are integers.
#[inline(always)]
pub(crate) fn byte(x: f32) -> u8 {
    let x = if x > 0.0 { x } else { 0.0 };
    let x = if x < 255.0 { x } else { 255.0 };
    (floor(x) + 8_388_608.0).to_bits() as u8
}
