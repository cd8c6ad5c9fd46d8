//! Rows of samples become rows of RGB.

use crate::colour_space::ColourSpace;
use crate::lanes::Lanes;

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
