//! Rows of luminance and two colour differences become pixels (JFIF 1.02).

use super::lanes::Lanes;
use super::strip::{PARTS, PIXELS};

/// RGB of as many pixels as `record` has room for; the rows are those of a [`super::strip::Strip`].
#[inline(always)]
pub(super) fn colours(
    lanes: impl Lanes,
    luma: &[i16],
    blue: &[i16],
    red: &[i16],
    record: &mut [u8],
) {
    let groups = luma.as_chunks().0.iter().zip(blue.as_chunks().0);
    let groups = groups.zip(red.as_chunks().0);
    for (((luma, blue), red), record) in groups.zip(record.chunks_mut(PIXELS * 3)) {
        let rgb = pixels(lanes, luma, blue, red);
        let rgb = rgb.as_flattened();
        // Most are whole, and a copy of known length is fast.
        match record.first_chunk_mut::<{ PIXELS * 3 }>() {
            Some(record) => record.copy_from_slice(rgb),
            None => record.copy_from_slice(&rgb[..record.len()]),
        }
    }
}

/// Grey pixels, as many as `record` has room for.
#[inline(always)]
pub(super) fn greys(luma: &[i16], record: &mut [u8]) {
    for (pixel, &level) in record.chunks_exact_mut(3).zip(luma) {
        let level = level.saturating_add(128 * PARTS + PARTS / 2) / PARTS;
        pixel.fill(level.clamp(0, 255) as u8);
    }
}

/// In parts of a level, which 16 bits are enough for: the upper halves of 16-bit products.
#[inline(always)]
fn pixels(
    lanes: impl Lanes,
    luma: &[i16; PIXELS],
    blue: &[i16; PIXELS],
    red: &[i16; PIXELS],
) -> [[u8; 3]; PIXELS] {
    // A difference of 1 is 256, `factor` is in 1/16384, and their product in 1/64 of a level.
    const { assert!(PARTS == 64) };
    let part =
        |difference: i16, factor: i16| ((i32::from(difference) * i32::from(factor)) >> 16) as i16;
    // A filter may overshoot the levels that there are.
    let difference = |value: i16| value.clamp(-128 * PARTS, 127 * PARTS) * (256 / PARTS);
    let level =
        |value: i16| (value.saturating_add(128 * PARTS + PARTS / 2) / PARTS).clamp(0, 255) as u8;
    let mut channels = [[0; PIXELS]; 3];
    for i in 0..PIXELS {
        let luma = luma[i];
        let (blue, red) = (difference(blue[i]), difference(red[i]));
        channels[0][i] = level(luma + part(red, 22_970));
        channels[1][i] = level(luma - part(blue, 5_638) - part(red, 11_700));
        channels[2][i] = level(luma + part(blue, 29_032));
    }
    lanes.interleaved(&channels)
}

#[cfg(test)]
mod tests {
    use pulp::Scalar;

    use super::*;

    /// The row of a strip that is the same level throughout.
    fn row(level: u8) -> [i16; PIXELS] {
        [(i16::from(level) - 128) * PARTS; PIXELS]
    }

    #[test]
    fn colours_are_those_of_jfif() {
        for ([luma, blue, red], wanted) in [
            ([0, 128, 128], [0, 0, 0]),
            ([255, 128, 128], [255, 255, 255]),
            ([76, 85, 255], [254, 0, 0]),
            ([150, 44, 21], [0, 255, 1]),
            ([29, 255, 107], [0, 0, 254]),
        ] {
            let mut pixel = [0; 3];
            colours(Scalar, &row(luma), &row(blue), &row(red), &mut pixel);
            assert_eq!(pixel, wanted);
        }
    }

    #[test]
    fn greys_are_rounded_and_stay_within_their_bounds() {
        let parts = |level: f64| ((level - 128.0) * f64::from(PARTS)) as i16;
        let mut pixels = [0; 15];
        let row = [-20.0, 0.5, 17.25, 254.75, 300.0].map(parts);
        greys(&row, &mut pixels);
        let levels: Vec<u8> = pixels.chunks(3).map(|pixel| pixel[1]).collect();
        assert_eq!(levels, [0, 1, 17, 255, 255]);
    }

    /// The definition, in f64.
    fn naive([luma, blue, red]: [u8; 3]) -> [f64; 3] {
        let (luma, blue, red) = (
            f64::from(luma),
            f64::from(blue) - 128.0,
            f64::from(red) - 128.0,
        );
        [
            luma + 1.402 * red,
            luma - 0.344_136 * blue - 0.714_136 * red,
            luma + 1.772 * blue,
        ]
        .map(|level| level.clamp(0.0, 255.0))
    }

    #[test]
    fn colours_are_within_the_rounding_of_naive() {
        let mut sum = 0.0;
        for blue in 0..=255_u8 {
            for red in 0..=255_u8 {
                let levels: [u8; PIXELS] = std::array::from_fn(|i| (i * 8) as u8 ^ blue ^ red);
                let luma = levels.map(|level| (i16::from(level) - 128) * PARTS);
                let mut found = [0; PIXELS * 3];
                colours(Scalar, &luma, &row(blue), &row(red), &mut found);
                for (found, luma) in found.chunks_exact(3).zip(levels) {
                    for (found, exact) in found.iter().zip(naive([luma, blue, red])) {
                        let difference = f64::from(*found) - exact;
                        assert!(
                            difference.abs() < 0.57,
                            "{luma} {blue} {red}: {exact} {found}"
                        );
                        sum += difference;
                    }
                }
            }
        }
        let mean = sum / (PIXELS as f64 * 3.0 * 65_536.0);
        assert!(mean.abs() < 0.02, "{mean}");
    }
}
