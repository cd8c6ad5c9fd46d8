//! A region's pixels are those of the same part of the whole image.

use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};

use shardmill_jpeg::{Damage, Decoder, Error, Image, Options, Region};
use shardmill_jpeg_kit::{Blocks, Content, Jpeg, Quantisation, write};

use crate::{any, ours};

/// A stream, and a region of its image that is not empty.
fn streams() -> impl Strategy<Value = (Jpeg, Region)> {
    let corners = (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>());
    (any::jpeg(), corners).prop_map(|(jpeg, (a, b, c, d))| {
        let between = |a: u16, b: u16, size: u16| {
            let (a, b) = (usize::from(a % size), usize::from(b % size));
            (a.min(b), a.max(b) + 1)
        };
        let (left, right) = between(a, b, jpeg.frame.width);
        let (top, bottom) = between(c, d, jpeg.frame.height);
        let region = Region {
            left,
            top,
            right,
            bottom,
        };
        (jpeg, region)
    })
}

proptest! {
    #[test]
    fn a_region_is_the_same_part_of_the_whole((jpeg, region) in streams()) {
        let bytes = write(&jpeg);
        let mut decoder = Decoder::default();
        let whole = ours::whole(&mut decoder, &bytes).unwrap();
        let image = Image::parse(&bytes).unwrap();
        let part = ours::decode(&mut decoder, &image, region).unwrap();
        let rows = whole.rgb.chunks_exact(3 * whole.width).skip(region.top).take(part.height);
        let expected: Vec<u8> = rows.flat_map(|row| &row[3 * region.left..3 * region.right]).copied().collect();
        prop_assert_eq!(part.rgb, expected);
    }

    /// What a decoder keeps from one image to the next changes no pixel.
    #[test]
    fn a_decoder_that_was_used_gives_what_a_new_one_gives(first in any::jpeg(), second in any::jpeg()) {
        let (first, second) = (write(&first), write(&second));
        let mut used = Decoder::default();
        ours::whole(&mut used, &first).unwrap();
        // An error in between leaves nothing behind either.
        let _ = ours::whole(&mut used, &first[..first.len() * 3 / 4]);
        let fresh = ours::whole(&mut Decoder::default(), &second).unwrap();
        prop_assert_eq!(ours::whole(&mut used, &second).unwrap(), fresh);
    }
}

/// A grey JPEG of 64x16 pixels whose two rows of blocks have these first values, in steps of 16: values beyond 128 are
/// those of no pixels.
fn grey(row: [i16; 8], restart: u16) -> Vec<u8> {
    let mut jpeg = Jpeg::sampled(64, 16, &[(1, 1)]);
    jpeg.quantisation = vec![Quantisation::flat(0, 16)];
    jpeg.scans[0].restart = restart;
    let mut grid = Blocks::zeros((8, 2));
    for (block, level) in grid.blocks.iter_mut().zip([row, row].concat()) {
        block[0] = level;
    }
    jpeg.content = Content::Coefficients(vec![grid]);
    write(&jpeg)
}

/// The pixels of a region of such an image, of which no more is read than needed, in both ways.
fn needed(bytes: &[u8], region: Region) -> Result<Vec<u8>, Error> {
    let image = Image::parse(bytes).unwrap();
    let mut decoder = Decoder::default();
    let mut rgb = Vec::new();
    let mut put = |strip: shardmill_jpeg::Strip<'_>| rgb.extend_from_slice(strip.rgb);
    let pixels = decoder.rgb(&image, region, Options::default(), &mut put);
    let samples = decoder.planes(&image, region, Options::default());
    assert_eq!(samples.map(|(_, report)| report), pixels);
    pixels.map(|_| rgb)
}

#[test]
fn values_beyond_white_within_a_row_are_no_damage_of_a_region_either() {
    for restart in [0, 1, 2, 3, 5, 8, 11] {
        let bytes = grey([0, 0, 200, 200, 200, 0, 0, 0], restart);
        let whole = ours::whole(&mut Decoder::default(), &bytes).unwrap();
        for (left, right) in (0..8).flat_map(|left| (left + 1..=8).map(move |right| (left, right)))
        {
            for (top, bottom) in [(0, 8), (0, 16), (8, 16)] {
                let (left, right) = (8 * left, 8 * right);
                let region = Region {
                    left,
                    top,
                    right,
                    bottom,
                };
                let rows = whole.rgb.chunks_exact(3 * 64).take(bottom).skip(top);
                let wanted = rows
                    .flat_map(|row| &row[3 * left..3 * right])
                    .copied()
                    .collect();
                assert_eq!(needed(&bytes, region), Ok(wanted), "{restart} {region:?}");
            }
        }
    }
}

#[test]
fn values_beyond_white_up_to_the_end_of_a_row_are_damage_of_a_region_too() {
    let bytes = grey([0, 0, 200, 200, 200, 200, 200, 200], 0);
    let damage = Error::Damaged(Damage::Level);
    assert_eq!(ours::whole(&mut Decoder::default(), &bytes), Err(damage));
    let region = Region {
        left: 16,
        top: 0,
        right: 24,
        bottom: 8,
    };
    assert_eq!(needed(&bytes, region), Err(damage));
}
