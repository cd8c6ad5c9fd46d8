//! TIFFs of every kind that is read, written by the `tiff` crate.

use std::io::Cursor;

use tiff::encoder::colortype::{CMYK8, ColorType, Gray8, Gray16, RGB8, RGB16, RGBA8, RGBA16};
use tiff::encoder::{Compression, DeflateLevel, TiffEncoder, TiffValue};
use tiff::tags::Tag;

use super::test_kit::{QUARTERS, assert_near, decode_with, middles, quarters, reject};
use super::{DecodeOptions, Exif};

/// A TIFF of 64x64 pixels, with some more tags.
fn tiff<C: ColorType>(
    samples: &[C::Inner],
    compression: Compression,
    tags: &[(Tag, &[u16])],
) -> Vec<u8>
where
    [C::Inner]: TiffValue,
{
    let mut file = Cursor::new(Vec::new());
    let encoder = TiffEncoder::new(&mut file).unwrap();
    let mut encoder = encoder.with_compression(compression);
    let mut image = encoder.new_image::<C>(64, 64).unwrap();
    for (tag, values) in tags {
        image.encoder().write_tag(*tag, *values).unwrap();
    }
    image.write_data(samples).unwrap();
    file.into_inner()
}

#[test]
fn lossless_ways_of_packing_give_the_same_pixels() {
    let picture = quarters(64, 64);
    for compression in [
        Compression::Uncompressed,
        Compression::Lzw,
        Compression::Deflate(DeflateLevel::Fast),
        Compression::Packbits,
    ] {
        assert_near(&tiff::<RGB8>(&picture, compression, &[]), QUARTERS, 0);
    }
}

#[test]
fn depths_greys_and_inks() {
    let none = Compression::Uncompressed;
    let picture = quarters(64, 64);
    let deep: Vec<u16> = picture
        .iter()
        .map(|&level| u16::from(level) * 257)
        .collect();
    assert_near(&tiff::<RGB16>(&deep, none, &[]), QUARTERS, 0);
    let inks: Vec<u8> = picture
        .pixels()
        .flat_map(|p| [255 - p.0[0], 255 - p.0[1], 255 - p.0[2], 0])
        .collect();
    assert_near(&tiff::<CMYK8>(&inks, none, &[]), QUARTERS, 0);
    let grey = QUARTERS.map(|[_, green, _]| [green; 3]);
    let greens: Vec<u8> = picture.pixels().map(|p| p.0[1]).collect();
    assert_near(&tiff::<Gray8>(&greens, none, &[]), grey, 0);
    let greens: Vec<u16> = greens.iter().map(|&level| u16::from(level) * 257).collect();
    assert_near(&tiff::<Gray16>(&greens, none, &[]), grey, 0);
}

#[test]
fn transparency_is_laid_over_white_whether_multiplied_or_not() {
    let none = Compression::Uncompressed;
    let alpha = 51_u32;
    let wanted = QUARTERS.map(|pixel| {
        pixel.map(|level| ((u32::from(level) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
    });
    let pixels = quarters(64, 64);
    let apart: Vec<u8> = pixels
        .pixels()
        .flat_map(|p| [p.0[0], p.0[1], p.0[2], alpha as u8])
        .collect();
    // The encoder says of its alpha that colours are not multiplied by it.
    assert_near(&tiff::<RGBA8>(&apart, none, &[]), wanted, 0);
    let deep: Vec<u16> = apart.iter().map(|&level| u16::from(level) * 257).collect();
    assert_near(&tiff::<RGBA16>(&deep, none, &[]), wanted, 0);
    let multiplied: Vec<u8> = pixels
        .pixels()
        .flat_map(|p| {
            let [r, g, b] = p.0.map(|level| (u32::from(level) * alpha / 255) as u8);
            [r, g, b, alpha as u8]
        })
        .collect();
    let tags: [(Tag, &[u16]); 1] = [(Tag::ExtraSamples, &[1])];
    assert_near(&tiff::<RGBA8>(&multiplied, none, &tags), wanted, 2);
}

#[test]
fn one_bit_a_pixel() {
    // Eight rows of two bytes, black left and white right; 0 is black.
    let entry = |tag: u16, kind: u16, value: u32| {
        let mut entry = [tag.to_le_bytes(), kind.to_le_bytes()].concat();
        entry.extend(1_u32.to_le_bytes());
        entry.extend(value.to_le_bytes());
        entry
    };
    for (zero_is_black, levels) in [(1, [0, 255]), (0, [255, 0])] {
        let mut bytes = b"II*\0\x18\0\0\0".to_vec();
        bytes.extend([0x00, 0xFF].repeat(8));
        bytes.extend(9_u16.to_le_bytes());
        for (tag, value) in [
            (256, 16),
            (257, 8),
            (258, 1),
            (259, 1),
            (262, zero_is_black),
            (273, 8),
            (277, 1),
            (278, 8),
            (279, 16),
        ] {
            bytes.extend(entry(tag, 3, value));
        }
        bytes.extend([0; 4]);
        let options = DecodeOptions {
            resize: super::Resize::Squash,
            ..DecodeOptions::default()
        };
        let record = decode_with(&bytes, options).unwrap();
        let [left, right, ..] = middles(&record);
        assert_eq!([left, right], levels.map(|level| [level; 3]));
    }
}

#[test]
fn orientation_is_followed_once_whether_asked_for_or_not() {
    let tags: [(Tag, &[u16]); 1] = [(Tag::Orientation, &[3])];
    let bytes = tiff::<RGB8>(&quarters(64, 64), Compression::Uncompressed, &tags);
    let mut turned = QUARTERS;
    turned.reverse();
    for exif in [Exif::Ignore, Exif::Apply] {
        let options = DecodeOptions {
            exif,
            ..DecodeOptions::default()
        };
        assert_eq!(middles(&decode_with(&bytes, options).unwrap()), turned);
    }
}

#[test]
fn what_is_not_read_is_named_and_what_is_cut_is_truncated() {
    let none = Compression::Uncompressed;
    let picture = quarters(64, 64);
    let mut bytes = tiff::<RGB8>(&picture, none, &[]);
    // Compression 7 is JPEG.
    let entry = bytes
        .windows(4)
        .position(|entry| entry == [0x03, 0x01, 3, 0])
        .unwrap();
    bytes[entry + 8] = 7;
    assert!(reject(&bytes).starts_with("unsupported-format: TIFF of this kind"));
    // The directory stands after the pixels, so a file is cut by a strip that leads too far.
    bytes[entry + 8] = 1;
    let cut = bytes[..bytes.len() / 2].to_vec();
    assert!(["truncated", "damaged"].contains(&reject(&cut).split(':').next().unwrap()));
    for length in 4..40 {
        let _ = reject(&bytes[..length]);
    }
}

#[test]
fn no_directory_makes_it_panic() {
    let picture = quarters(64, 64);
    for compression in [Compression::Uncompressed, Compression::Lzw] {
        let bytes = tiff::<RGB8>(&picture, compression, &[(Tag::ExtraSamples, &[])]);
        let start = u32::from_le_bytes(*bytes[4..].first_chunk().unwrap()) as usize;
        for at in (0..8).chain(start..bytes.len()) {
            for value in [0, 1, 2, 3, 6, 255] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                let found = decode_with(&bytes, DecodeOptions::default());
                let code = found.map_or_else(|reject| reject.code(), |_| "");
                assert_ne!(code, "decoder-fault", "byte {at} is {value}");
            }
        }
    }
}
