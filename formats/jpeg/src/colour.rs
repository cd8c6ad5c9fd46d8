//! Colours to RGB, to the bit as libjpeg's users have them.

use crate::colour_space::ColourSpace;
use crate::lanes::Lanes;

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

/// Pixels that are converted at once.
pub(crate) const ACROSS: usize = 32;

/// Converts a row: of each component whole chunks of [`ACROSS`] samples, which may reach beyond the row as `rgb`
/// does.
#[inline(always)]
pub(crate) fn convert(lanes: impl Lanes, space: ColourSpace, parts: &[&[u8]], rgb: &mut [u8]) {
    let rgb = rgb.as_chunks_mut::<{ 3 * ACROSS }>().0;
    let chunks = |i: usize| parts[i].as_chunks::<ACROSS>().0;
    match space {
        ColourSpace::Grey => {
            for (rgb, grey) in rgb.iter_mut().zip(chunks(0)) {
                rgb.copy_from_slice(lanes.interleaved([grey; 3]).as_flattened());
            }
        }
        ColourSpace::Rgb => {
            let parts = chunks(0).iter().zip(chunks(1)).zip(chunks(2));
            for (rgb, ((r, g), b)) in rgb.iter_mut().zip(parts) {
                rgb.copy_from_slice(lanes.interleaved([r, g, b]).as_flattened());
            }
        }
        ColourSpace::YCbCr => {
            let parts = chunks(0).iter().zip(chunks(1)).zip(chunks(2));
            for (rgb, ((luma, blue), red)) in rgb.iter_mut().zip(parts) {
                rgb.copy_from_slice(lanes.colours(luma, blue, red).as_flattened());
            }
        }
        ColourSpace::Cmyk | ColourSpace::Ycck => {
            let parts = (chunks(0).iter().zip(chunks(1))).zip(chunks(2).iter().zip(chunks(3)));
            for (rgb, ((a, b), (c, black))) in rgb.iter_mut().zip(parts) {
                let inks = match space {
                    ColourSpace::Cmyk => lanes.interleaved([a, b, c]),
                    // The three are the complement of RGB.
                    _ => lanes
                        .colours(a, b, c)
                        .map(|pixel| pixel.map(|level| !level)),
                };
                for ((rgb, ink), &black) in
                    rgb.as_chunks_mut::<3>().0.iter_mut().zip(inks).zip(black)
                {
                    *rgb = ink.map(|ink| printed(ink, black));
                }
            }
        }
    }
}

/// What an ink and black leave of white. Both are stored as their complements, which is Adobe's way and that of
/// nearly all such files.
#[inline(always)]
const fn printed(ink: u8, black: u8) -> u8 {
    ((ink as u32 * black as u32 + 127) / 255) as u8
}
