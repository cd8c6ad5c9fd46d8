//! Colours to RGB, to the bit as libjpeg's users have them.

/// Parts of a colour difference in a channel (JFIF 1.02, ITU-R BT.601), in 1/2^16: libjpeg's constants.
/// 1.402 of red, 1.772 of blue, and what green loses of both.
const RED_WHOLE: i32 = 91_881;
const BLUE_WHOLE: i32 = 116_130;
const GREEN_BLUE: i32 = 22_554;
const GREEN_RED: i32 = 46_802;

/// The same in 16 bits: of red the part beyond 1, in 1/2^16, of blue the part below 2, in 1/2^15, and the two of
/// green in 1/2^15.
pub(crate) const RED: i16 = (RED_WHOLE - (1 << 16)) as i16;
pub(crate) const BLUE: i16 = ((BLUE_WHOLE - (2 << 16)) / 2) as i16;
pub(crate) const GREEN: [i16; 2] = [(-GREEN_BLUE / 2) as i16, (-GREEN_RED / 2) as i16];

/// A pixel of luminance and two colour differences around 128, each channel rounded to the nearest level.
#[inline(always)]
pub(crate) fn pixel(luma: u8, blue: u8, red: u8) -> [u8; 3] {
    let [blue, red] = [blue, red].map(|level| i32::from(level) - 128);
    let rounded = |sum: i32| (sum + (1 << 15)) >> 16;
    [
        rounded(RED_WHOLE * red),
        rounded(-GREEN_BLUE * blue - GREEN_RED * red),
        rounded(BLUE_WHOLE * blue),
    ]
    .map(|part| (i32::from(luma) + part).clamp(0, 255) as u8)
}
