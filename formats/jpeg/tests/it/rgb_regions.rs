//! A region's pixels are those of the same part of the whole image.

use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};

use shardmill_jpeg::{Damage, Decoder, Error, Extent, Image, OnDamage, Options, Region, Strip};
use shardmill_jpeg_kit::{Blocks, Content, Jpeg, Pattern, Quantisation, Random, mutate, write};

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

    /// Damage may lie where nothing is needed, but is not taken for pixels.
    #[test]
    fn what_is_needed_of_a_damaged_image_is_what_is_kept_of_it((jpeg, region) in streams(), seed: u64) {
        let bytes = mutate(&write(&jpeg), &mut Random::new(seed));
        let Ok(image) = Image::parse(&bytes) else { return Ok(()) };
        let (right, bottom) = (region.right.min(image.width()), region.bottom.min(image.height()));
        let region = Region { right, bottom, ..region };
        if region.left >= right || region.top >= bottom || image.width() * image.height() > 1 << 20 {
            return Ok(());
        }
        match needed(&bytes, region) {
            Ok(part) => prop_assert_eq!(part, kept(&bytes, region)),
            Err(_) => prop_assert!(ours::whole(&mut Decoder::default(), &bytes).is_err()),
        }
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

/// The pixels of a region of such an image, of which no more is read than needed.
fn needed(bytes: &[u8], region: Region) -> Result<Vec<u8>, Error> {
    let image = Image::parse(bytes).unwrap();
    let mut decoder = Decoder::default();
    let mut rgb = Vec::new();
    let mut put = |strip: Strip<'_>| rgb.extend_from_slice(strip.rgb);
    let pixels = decoder.rgb(&image, region, Options::default(), &mut put);
    // Planes are read further.
    let samples = decoder.planes(&image, region, Options::default());
    assert!(samples.is_err() || pixels.is_ok(), "{pixels:?}");
    pixels.map(|_| rgb)
}

/// The pixels of a region of an image of which everything is read and kept.
fn kept(bytes: &[u8], region: Region) -> Vec<u8> {
    let image = Image::parse(bytes).unwrap();
    let whole = Region::whole(image.width(), image.height());
    let options = Options {
        extent: Extent::Whole,
        damage: OnDamage::Keep,
        ..Options::default()
    };
    let mut rgb = Vec::new();
    let mut put = |strip: Strip<'_>| {
        rgb.truncate(3 * whole.right * strip.top);
        rgb.extend_from_slice(strip.rgb);
    };
    let decoded = Decoder::default().rgb(&image, whole, options, &mut put);
    decoded.unwrap();
    let rows = rgb.chunks_exact(3 * whole.right);
    let rows = rows.take(region.bottom).skip(region.top);
    let parts = rows.map(|row| &row[3 * region.left..3 * region.right]);
    parts.collect::<Vec<_>>().concat()
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

#[test]
fn blocks_of_a_region_are_not_read_from_the_data_of_another_interval() {
    let mut jpeg = Jpeg::sampled(40, 16, &[(1, 1)]).painted(Pattern::Noise, 3);
    jpeg.scans[0].restart = 5;
    let bytes = write(&jpeg);
    let scan = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]);
    let start = scan.unwrap() + 10;
    let marker = bytes
        .windows(2)
        .position(|pair| pair == [0xFF, 0xD0])
        .unwrap();
    // The left of both rows, so that the rest of the first one is jumped over.
    let region = Region {
        left: 0,
        top: 0,
        right: 24,
        bottom: 16,
    };
    let mut accepted = 0;
    for length in 0..marker - start {
        let short = [&bytes[..start + length], &bytes[marker..]].concat();
        if let Ok(found) = needed(&short, region) {
            accepted += 1;
            assert_eq!(found, kept(&short, region), "{length}");
        }
    }
    assert!((1..marker - start).contains(&accepted), "{accepted}");
}
