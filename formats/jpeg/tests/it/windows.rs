//! Parts of images as RGB, beside the same part of the whole image.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;
use shardmill_jpeg::{Damage, Decoder, Error, Extent, Image, Options, Region, Strip};

const SAMPLINGS: [SamplingFactor; 4] = [
    SamplingFactor::R_4_4_4,
    SamplingFactor::R_4_2_2,
    SamplingFactor::R_4_4_0,
    SamplingFactor::R_4_2_0,
];

/// A picture with sharp edges in all colours.
fn picture(width: usize, height: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut draw = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let patches: Vec<u8> = (0..3 * 24 * 24).map(|_| draw()).collect();
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let patch = (y / 3 * 24 + x / 3) * 3;
            rgb.extend((patch..patch + 3).map(|i| patches[i] / 2 + draw() / 4 + 30));
        }
    }
    rgb
}

/// A JPEG; `sampling` 4 is grey.
fn encoded((width, height): (usize, usize), sampling: usize, restart: u16, seed: u32) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, [30, 75, 95][seed as usize % 3]);
    encoder.set_restart_interval(restart);
    let rgb = picture(width, height, seed);
    let (across, down) = (width as u16, height as u16);
    if let Some(&factor) = SAMPLINGS.get(sampling) {
        encoder.set_sampling_factor(factor);
        encoder.encode(&rgb, across, down, ColorType::Rgb).unwrap();
    } else {
        let grey: Vec<u8> = rgb.chunks_exact(3).map(|pixel| pixel[1]).collect();
        encoder
            .encode(&grey, across, down, ColorType::Luma)
            .unwrap();
    }
    jpeg
}

/// The rows of a region, which must come in order and whole.
fn rows(
    decoder: &mut Decoder,
    jpeg: &[u8],
    region: Region,
    extent: Extent,
) -> Result<Vec<u8>, Error> {
    let image = Image::parse(jpeg)?;
    let length = 3 * (region.right - region.left);
    let mut found = Vec::new();
    let options = Options {
        extent,
        ..Options::default()
    };
    let mut put = |strip: Strip<'_>| {
        assert_eq!(strip.top * length, found.len());
        assert!(!strip.rgb.is_empty() && strip.rgb.len().is_multiple_of(length));
        found.extend_from_slice(strip.rgb);
    };
    decoder.rgb(&image, region, options, &mut put)?;
    assert_eq!(found.len(), length * (region.bottom - region.top));
    Ok(found)
}

/// Units in a row.
fn units(width: usize, sampling: usize) -> usize {
    width.div_ceil([8, 16, 8, 16, 8][sampling])
}

/// A span within a length, of two numbers drawn.
fn span(length: usize, (a, b): (usize, usize)) -> (usize, usize) {
    let (a, b) = (a % length, b % length);
    (a.min(b), a.max(b) + 1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn a_window_is_the_same_part_of_the_whole_image(
        size in (1..=70_usize, 1..=70_usize),
        sampling in 0..=4_usize,
        restart in prop_oneof![Just(0_usize), 1..12_usize, Just(100), Just(101), Just(102)],
        down in any::<(usize, usize)>(),
        across in any::<(usize, usize)>(),
        seed: u32,
    ) {
        let (width, height) = size;
        // From 100 on, rows of units.
        let restart = match restart {
            100.. => units(width, sampling) * (restart - 99),
            _ => restart,
        };
        let jpeg = encoded(size, sampling, restart as u16, seed);
        let mut decoder = Decoder::default();
        let all = Region::whole(width, height);
        let whole = rows(&mut decoder, &jpeg, all, Extent::Whole).unwrap();
        prop_assert_eq!(&rows(&mut decoder, &jpeg, all, Extent::Needed).unwrap(), &whole);
        let (left, right) = span(width, across);
        let (top, bottom) = span(height, down);
        let window = Region { left, top, right, bottom };
        let lines = whole.chunks_exact(width * 3).skip(top).take(bottom - top);
        let wanted: Vec<u8> = lines.flat_map(|row| row[left * 3..right * 3].to_vec()).collect();
        for extent in [Extent::Needed, Extent::Whole] {
            let found = rows(&mut decoder, &jpeg, window, extent).unwrap();
            prop_assert_eq!(&found, &wanted, "{:?} {:?}", window, extent);
        }
    }
}

#[test]
fn a_window_does_not_see_what_restart_markers_jump_over() {
    let (width, height) = (64, 64);
    let jpeg = encoded((width, height), 3, units(width, 3) as u16, 1);
    let restarts: Vec<usize> = (0..jpeg.len() - 1)
        .filter(|&i| jpeg[i] == 0xFF && (0xD0..=0xD7).contains(&jpeg[i + 1]))
        .collect();
    assert_eq!(restarts.len(), 3);
    let window = Region {
        left: 5,
        top: 40,
        right: 20,
        bottom: 46,
    };
    let mut decoder = Decoder::default();
    let wanted = rows(&mut decoder, &jpeg, window, Extent::Whole).unwrap();
    // The second interval holds rows 16 to 31; the window's colours begin at row 38.
    let mut damaged = jpeg.clone();
    damaged[restarts[0] + 2..restarts[1]].fill(0x7F);
    let found = rows(&mut decoder, &damaged, window, Extent::Needed);
    assert_eq!(found, Ok(wanted));
    let found = rows(&mut decoder, &damaged, window, Extent::Whole);
    assert!(matches!(found, Err(Error::Damaged(_))), "{found:?}");
    // A marker of another number is still a marker that is missing.
    let mut turned = jpeg;
    turned[restarts[1] + 1] ^= 1;
    let found = rows(&mut decoder, &turned, window, Extent::Needed);
    assert_eq!(found, Err(Damage::Restart.into()));
}

#[test]
fn a_picture_that_is_cut_is_damaged_in_spite_of_an_end_marker() {
    for (sampling, restart) in [(3, 0), (0, 0), (3, 4), (4, 7)] {
        let jpeg = encoded((64, 48), sampling, restart, 5);
        let scan = jpeg.windows(2).position(|marker| marker == [0xFF, 0xDA]);
        let data = scan.unwrap() + 8;
        let mut cut = jpeg[..data + (jpeg.len() - data) * 3 / 10].to_vec();
        cut.extend([0xFF, 0xD9]);
        let whole = Region::whole(64, 48);
        let found = rows(&mut Decoder::default(), &cut, whole, Extent::Whole);
        assert!(
            matches!(found, Err(Error::Damaged(_))),
            "{sampling} {restart}"
        );
    }
}

#[test]
fn tables_that_are_kept_are_those_of_the_image() {
    // Files with the standard tables and with tables of their own in turns.
    let files = [0, 1, 2, 3].map(|i| {
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 80);
        encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
        let rgb = picture(48, 48, i);
        if i % 2 == 0 {
            encoder.encode(&rgb, 48, 48, ColorType::Rgb).unwrap();
        } else {
            let grey: Vec<u8> = rgb.chunks_exact(3).map(|pixel| pixel[0]).collect();
            encoder.set_optimized_huffman_tables(true);
            encoder.encode(&grey, 48, 48, ColorType::Luma).unwrap();
        }
        jpeg
    });
    let mut kept = Decoder::default();
    for turn in 0..24 {
        let jpeg = &files[turn * turn % 7 % 4];
        let whole = Region::whole(48, 48);
        let wanted = rows(&mut Decoder::default(), jpeg, whole, Extent::Whole);
        assert!(wanted.is_ok());
        assert_eq!(
            rows(&mut kept, jpeg, whole, Extent::Whole),
            wanted,
            "{turn}"
        );
    }
}

#[test]
fn every_block_is_found_wherever_restart_intervals_begin() {
    let (width, height) = (49, 34);
    let mut decoder = Decoder::default();
    for sampling in [3, 4] {
        for restart in 1..=16 {
            let jpeg = encoded((width, height), sampling, restart, 2);
            let all = Region::whole(width, height);
            let whole = rows(&mut decoder, &jpeg, all, Extent::Whole).unwrap();
            for top in (0..height).step_by(8) {
                for left in (0..width).step_by(8) {
                    let (right, bottom) = (left + 1, top + 1);
                    let window = Region {
                        left,
                        top,
                        right,
                        bottom,
                    };
                    let found = rows(&mut decoder, &jpeg, window, Extent::Needed).unwrap();
                    let place = (top * width + left) * 3;
                    let at = format!("{sampling} {restart} {window:?}");
                    assert_eq!(found, whole[place..place + 3], "{at}");
                }
            }
        }
    }
}
