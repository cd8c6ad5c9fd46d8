//! Damage: what costs pixels is a reject, what does not is counted, and nothing is worse than that.

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;

use super::test_kit::{SIZE, decode_with, encoded, jpeg, quarters, rgb_jpeg};
use super::{Check, DecodeOptions, ImageDecoder, Truncated, Warning};

proptest! {
    /// Whatever a stranger makes of a JPEG, it is a record or a reject, never a panic.
    #[test]
    fn a_damaged_jpeg_never_panics(
        which in 0_usize..4,
        at in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
        pad in any::<bool>(),
    ) {
        let picture = quarters(61, 47);
        let mut bytes = match which {
            0 => rgb_jpeg(&picture),
            1 => jpeg(picture.as_raw(), 61, 47, ColorType::Rgb, true),
            2 => jpeg(DynamicImage::ImageRgb8(picture).into_luma8().as_raw(), 61, 47, ColorType::Luma, false),
            _ => {
                let mut out = Vec::new();
                let mut encoder = Encoder::new(&mut out, 90);
                encoder.set_restart_interval(3);
                encoder.set_sampling_factor(SamplingFactor::F_2_2);
                encoder.encode(picture.as_raw(), 61, 47, ColorType::Rgb).unwrap();
                out
            }
        };
        for (index, value) in at {
            let place = index.index(bytes.len());
            bytes[place] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let truncated = if pad { Truncated::Pad } else { Truncated::Reject };
        let options = DecodeOptions { truncated, ..DecodeOptions::default() };
        if let Ok(record) = decode_with(&bytes, options) {
            prop_assert_eq!(record.len(), (SIZE * SIZE * 3) as usize);
        }
    }
}

/// A picture without flat parts, so that all of its data matters, with a restart marker each `restart` units.
fn busy(width: u32, height: u32, restart: u16, progressive: bool) -> Vec<u8> {
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let noise = (x * 31 + y * 17).wrapping_mul(2_654_435_761) >> 26;
        Rgb([
            (x * 3 + noise) as u8,
            (y * 5 + noise) as u8,
            (x + y + 90) as u8,
        ])
    });
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, 90);
    encoder.set_progressive(progressive);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    if restart > 0 {
        encoder.set_restart_interval(restart);
    }
    let (width, height) = (width as u16, height as u16);
    encoder
        .encode(picture.as_raw(), width, height, ColorType::Rgb)
        .unwrap();
    out
}

/// Where the data of the first scan begins.
fn data(jpeg: &[u8]) -> usize {
    let scan = jpeg.windows(2).position(|pair| pair == [0xFF, 0xDA]);
    let scan = scan.unwrap();
    scan + 2 + usize::from(jpeg[scan + 3])
}

fn place(jpeg: &[u8], marker: u8) -> usize {
    let found = jpeg.windows(2).position(|pair| pair == [0xFF, marker]);
    found.unwrap()
}

/// What becomes of an image: the warning, or the code of the reject.
fn fate(bytes: &[u8], check: Check) -> Result<Option<Warning>, &'static str> {
    let options = DecodeOptions {
        check,
        ..DecodeOptions::default()
    };
    let mut decoder = ImageDecoder::with_options(SIZE, options);
    match decoder.decode(bytes) {
        Ok(_) => Ok(decoder.warning()),
        Err(reject) => Err(reject.code()),
    }
}

#[test]
fn an_end_marker_behind_cut_data_does_not_hide_the_cut() {
    for (restart, progressive) in [(0, false), (5, false), (0, true)] {
        let whole = busy(120, 90, restart, progressive);
        assert_eq!(fate(&whole, Check::Decoded), Ok(None));
        let start = data(&whole);
        for percent in [7, 30, 60, 90] {
            let cut = &whole[..start + (whole.len() - start) * percent / 100];
            for end in [b"".as_slice(), b"\xFF\xD9"] {
                let found = fate(&[cut, end].concat(), Check::Decoded);
                // A progressive file may be cut within its tables.
                let damaged = progressive && found == Err("damaged");
                assert!(damaged || found == Err("truncated"), "{percent}: {found:?}");
            }
        }
    }
}

#[test]
fn zeros_in_the_middle_are_no_data() {
    for (restart, progressive) in [(0, false), (9, false), (0, true)] {
        let mut bytes = busy(160, 160, restart, progressive);
        let middle = bytes.len() / 2;
        bytes[middle..middle + 1024].fill(0);
        let found = fate(&bytes, Check::Decoded);
        assert!(found.is_err(), "{restart} {progressive}: {found:?}");
    }
}

#[test]
fn restart_markers_out_of_turn_and_missing_ones_are_damage() {
    let whole = busy(120, 90, 5, false);
    let mut turned = whole.clone();
    turned[place(&whole, 0xD1) + 1] = 0xD2;
    assert_eq!(fate(&turned, Check::Decoded), Err("damaged"));
    // An interval with its marker.
    let (from, to) = (place(&whole, 0xD0), place(&whole, 0xD1));
    let missing = [&whole[..from], &whole[to..]].concat();
    assert_eq!(fate(&missing, Check::Decoded), Err("damaged"));
    // Half of an interval's data.
    let half = from + (to - from) / 2;
    let short = [&whole[..half], &whole[to..]].concat();
    assert_eq!(fate(&short, Check::Decoded), Err("damaged"));
}

#[test]
fn bytes_too_many_and_a_missing_end_are_harmless_and_counted() {
    for restart in [0, 5] {
        let whole = busy(120, 90, restart, false);
        let end = place(&whole, 0xD9);
        let wanted = decode_with(&whole, DecodeOptions::default()).unwrap();
        let mut decoder = ImageDecoder::new(SIZE);
        for (bytes, warning) in [
            (whole[..end].to_vec(), Some(Warning::NoEnd)),
            (whole[..=end].to_vec(), Some(Warning::NoEnd)),
            (
                [&whole[..end], &[0; 9], &whole[end..]].concat(),
                Some(Warning::ExtraBytes),
            ),
            // Behind the end marker stands what does not belong to the picture.
            ([&whole, b"a thumbnail".as_slice()].concat(), None),
            // Fill bytes belong to markers.
            ([&whole[..end], &[0xFF; 3], &whole[end..]].concat(), None),
        ] {
            assert_eq!(decoder.decode(&bytes).unwrap(), wanted, "{warning:?}");
            assert_eq!(decoder.warning(), warning);
        }
        // It is the last image's alone.
        decoder.decode(&whole).unwrap();
        assert_eq!(decoder.warning(), None);
    }
    let whole = busy(120, 90, 5, false);
    let at = place(&whole, 0xD2);
    let stray = [&whole[..at], &[0x55; 40], &whole[at..]].concat();
    assert_eq!(fate(&stray, Check::Decoded), Ok(Some(Warning::ExtraBytes)));
}

#[test]
fn what_is_harmless_in_a_progressive_file_is_counted() {
    let options = DecodeOptions::default();
    let whole = busy(120, 90, 0, true);
    let wanted = decode_with(&whole, options).unwrap();
    let end = place(&whole, 0xD9);
    let second = end.min(data(&whole) + 40);
    let behind_scan = second + place(&whole[second..], 0xDA);
    for (bytes, warning) in [
        (whole[..end].to_vec(), Warning::NoEnd),
        (
            [&whole[..end], &[7; 9], &whole[end..]].concat(),
            Warning::ExtraBytes,
        ),
        (
            [&whole[..behind_scan], &[7; 9], &whole[behind_scan..]].concat(),
            Warning::ExtraBytes,
        ),
        (
            [&whole[..20], b"junk", &whole[20..]].concat(),
            Warning::ExtraBytes,
        ),
    ] {
        assert_eq!(fate(&bytes, Check::Decoded), Ok(Some(warning)));
        assert_eq!(decode_with(&bytes, options).unwrap(), wanted, "{warning:?}");
    }
    // Without its last scan it is a coarser picture, which is its maker's right.
    let last = whole.windows(2).rposition(|pair| pair == [0xFF, 0xDA]);
    let fewer = [&whole[..last.unwrap()], b"\xFF\xD9"].concat();
    assert_eq!(fate(&fewer, Check::Decoded), Ok(Some(Warning::FewerScans)));
    assert_eq!(
        fate(&fewer[..fewer.len() - 2], Check::Decoded),
        Err("truncated")
    );
}

#[test]
fn damage_below_the_rows_that_are_needed_is_seen_when_asked_for() {
    // The square in the middle of a tall picture.
    let mut bytes = busy(40, 400, 0, false);
    let near_end = bytes.len() - 40;
    bytes[near_end..near_end + 30].fill(0);
    assert_eq!(fate(&bytes, Check::Decoded), Ok(None));
    let whole = fate(&bytes, Check::Whole);
    assert!(
        whole.is_err() || whole == Ok(Some(Warning::ExtraBytes)),
        "{whole:?}"
    );
    let sound = busy(40, 400, 0, false);
    assert_eq!(fate(&sound, Check::Whole), Ok(None));
    // Cut down there, it is seen by its missing end even so.
    assert_eq!(fate(&sound[..near_end], Check::Decoded), Err("truncated"));
}

#[test]
fn damaged_pixels_are_kept_where_padding_is_asked_for() {
    let options = DecodeOptions {
        truncated: Truncated::Pad,
        ..DecodeOptions::default()
    };
    let whole = busy(160, 160, 0, false);
    let wanted = decode_with(&whole, options).unwrap();
    let start = data(&whole);
    let cut = [&whole[..start + (whole.len() - start) / 2], b"\xFF\xD9"].concat();
    let mut zeros = whole.clone();
    zeros[whole.len() / 2..][..1024].fill(0);
    for bytes in [cut, zeros] {
        assert!(decode_with(&bytes, DecodeOptions::default()).is_err());
        let record = decode_with(&bytes, options).unwrap();
        // The upper quarter is as it was.
        let rows = record.len() / 4;
        let far = |(a, b): (&u8, &u8)| a.abs_diff(*b) > 12;
        let differ = record[..rows].iter().zip(&wanted).filter(|&pair| far(pair));
        assert!(differ.count() < rows / 20);
        assert_ne!(record, wanted);
    }
}

#[test]
fn levels_that_no_pixels_have_are_damage() {
    // Noise in place of the data: it is read as codes, but the levels run away.
    let whole = busy(160, 160, 0, false);
    let start = data(&whole);
    let mut state = 1_u32;
    let noise: Vec<u8> = (0..200_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 25) as u8
        })
        .collect();
    let bytes = [&whole[..start], &noise, b"\xFF\xD9"].concat();
    assert_eq!(fate(&bytes, Check::Decoded), Err("damaged"));
}

#[test]
fn a_png_without_its_end_is_harmless_and_one_without_pixels_is_not() {
    let picture = quarters(61, 47);
    let whole = encoded(&DynamicImage::ImageRgb8(picture), ImageFormat::Png);
    let end = whole.len() - 12;
    let wanted = decode_with(&whole, DecodeOptions::default()).unwrap();
    let mut decoder = ImageDecoder::new(SIZE);
    let text = b"\0\0\0\x04tEXta\0bc";
    for bytes in [
        whole[..end].to_vec(),
        whole[..end + 7].to_vec(),
        [&whole[..end], text].concat(),
    ] {
        assert_eq!(decoder.decode(&bytes).unwrap(), wanted);
        assert_eq!(decoder.warning(), Some(Warning::NoEnd));
    }
    for length in [end - 1, end - 20, end / 2, 40] {
        assert_eq!(fate(&whole[..length], Check::Decoded), Err("truncated"));
    }
}

#[test]
fn a_side_of_nothing_is_never_a_record() {
    let gif = |width: u8, height: u8, inner_width: u8, inner_height: u8| {
        let screen = [width, 0, height, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255];
        let frame = [0x2C, 0, 0, 0, 0, inner_width, 0, inner_height, 0, 0, 2];
        [
            b"GIF89a".as_slice(),
            &screen,
            &frame,
            &[2, 0x4C, 1, 0, 0x3B],
        ]
        .concat()
    };
    let mut decoder = ImageDecoder::new(SIZE);
    decoder.decode(&rgb_jpeg(&quarters(40, 40))).unwrap();
    for (width, height) in [(0, 0), (0, 1), (1, 0)] {
        let reject = decoder.decode(&gif(width, height, width, height));
        assert_eq!(reject.unwrap_err().code(), "damaged", "{width}x{height}");
    }
    // A frame of nothing on a screen of one pixel is a transparent picture, or a reject.
    for bytes in [gif(1, 1, 0, 1), gif(1, 1, 0, 0)] {
        if let Ok(record) = decoder.decode(&bytes) {
            assert!(record.iter().all(|&level| level == 255));
        }
    }
    for mut bytes in [rgb_jpeg(&quarters(40, 40)), busy(40, 40, 0, true)] {
        let frame = bytes
            .windows(2)
            .position(|pair| matches!(pair, [0xFF, 0xC0 | 0xC2]));
        let sides = frame.unwrap() + 5;
        for side in [sides, sides + 2] {
            let saved = [bytes[side], bytes[side + 1]];
            bytes[side..side + 2].fill(0);
            // A height of nothing stands for one behind the picture.
            let code = if side == sides {
                "unsupported-jpeg"
            } else {
                "damaged"
            };
            assert_eq!(fate(&bytes, Check::Decoded), Err(code));
            bytes[side..side + 2].copy_from_slice(&saved);
        }
    }
}

#[test]
fn a_panic_is_a_reject_and_the_decoder_is_new_after_it() {
    let bytes = rgb_jpeg(&quarters(61, 47));
    let options = DecodeOptions {
        filter: super::Filter::Bicubic,
        ..DecodeOptions::default()
    };
    let wanted = decode_with(&bytes, options).unwrap();
    let mut decoder = ImageDecoder::with_options(SIZE, options);
    let reject = decoder.attempt(|decoder| {
        decoder.decode_any(&bytes)?;
        // Half done.
        decoder.record.truncate(7);
        decoder.jpeg = super::jpeg::JpegDecoder::default();
        panic!("index out of bounds")
    });
    let reject = reject.unwrap_err();
    assert_eq!(reject.code(), "decoder-fault");
    assert!(reject.to_string().contains("index out of bounds"));
    assert_eq!(decoder.decode(&bytes).unwrap(), wanted);
}
