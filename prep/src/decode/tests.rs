use image::{DynamicImage, ImageBuffer, ImageFormat, Rgba};

use super::test_kit::encoded;
use super::*;

/// 40x30, red left and blue right of the middle, 16 bits deep where asked.
fn two_colours() -> DynamicImage {
    let pixel = |x, _| {
        if x < 20 {
            Rgba([200, 0, 0, 255_u8])
        } else {
            Rgba([0, 0, 200, 255])
        }
    };
    DynamicImage::ImageRgba8(ImageBuffer::from_fn(40, 30, pixel))
}

fn corners(record: &[u8], size: usize) -> ([u8; 3], [u8; 3]) {
    let at = |x: usize| record[(size / 2 * size + x) * 3..][..3].try_into().unwrap();
    (at(1), at(size - 2))
}

fn near(found: [u8; 3], wanted: [u8; 3], tolerance: u8) {
    let far = found
        .iter()
        .zip(wanted)
        .any(|(a, b)| a.abs_diff(b) > tolerance);
    assert!(!far, "found {found:?}, wanted {wanted:?}");
}

fn decode(bytes: &[u8]) -> (Vec<u8>, ([u8; 3], [u8; 3])) {
    let mut decoder = ImageDecoder::new(16);
    let record = decoder.decode(bytes).unwrap().to_vec();
    let ends = corners(&record, 16);
    (record, ends)
}

#[test]
fn every_format_gives_the_same_picture_whatever_its_name() {
    let image = DynamicImage::ImageRgb8(two_colours().into_rgb8());
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Gif,
        ImageFormat::WebP,
        ImageFormat::Jpeg,
    ] {
        let (_, (left, right)) = decode(&encoded(&image, format));
        near(left, [200, 0, 0], 3);
        near(right, [0, 0, 200], 3);
    }
}

#[test]
fn sixteen_bits_become_eight() {
    let image = DynamicImage::ImageRgb16(two_colours().into_rgb16());
    let (_, (left, right)) = decode(&encoded(&image, ImageFormat::Png));
    assert_eq!((left, right), ([200, 0, 0], [0, 0, 200]));
}

#[test]
fn transparency_is_laid_over_white() {
    let pixel = |x, _| {
        if x < 20 {
            Rgba([0, 0, 0, 0_u8])
        } else {
            Rgba([0, 100, 200, 128])
        }
    };
    let image = DynamicImage::ImageRgba8(ImageBuffer::from_fn(40, 30, pixel));
    let (_, (left, right)) = decode(&encoded(&image, ImageFormat::Png));
    assert_eq!((left, right), ([255; 3], [127, 177, 227]));
}

#[test]
fn grey_jpegs_become_three_equal_channels() {
    let image = DynamicImage::ImageLuma8(two_colours().into_luma8());
    let (record, _) = decode(&encoded(&image, ImageFormat::Jpeg));
    assert!(record.chunks(3).all(|p| p[0] == p[1] && p[1] == p[2]));
}

#[test]
fn inverted_cmyk_and_ycck_give_their_colours() {
    // Adobe stores inks inverted: 255 is none. No black, full yellow and magenta: red.
    let inks: Vec<u8> = (0..40 * 30)
        .flat_map(|i| {
            if i % 40 < 20 {
                [255, 0, 0, 255]
            } else {
                [0, 0, 255, 200]
            }
        })
        .collect();
    for color in [
        jpeg_encoder::ColorType::Cmyk,
        jpeg_encoder::ColorType::CmykAsYcck,
    ] {
        let mut bytes = Vec::new();
        // The encoder inverts on its own, so it is given true inks.
        let true_inks: Vec<u8> = inks.iter().map(|ink| 255 - ink).collect();
        jpeg_encoder::Encoder::new(&mut bytes, 98)
            .encode(&true_inks, 40, 30, color)
            .unwrap();
        let (_, (left, right)) = decode(&bytes);
        near(left, [255, 0, 0], 6);
        near(right, [0, 0, 200], 6);
    }
}

#[test]
fn extreme_shapes_become_squares() {
    for (width, height) in [(1, 1), (2000, 2), (2, 2000), (16, 16)] {
        let image = DynamicImage::ImageRgb8(ImageBuffer::from_pixel(
            width,
            height,
            image::Rgb([9, 99, 199]),
        ));
        let (record, _) = decode(&encoded(&image, ImageFormat::Png));
        assert_eq!(record.len(), 16 * 16 * 3);
        assert!(
            record.chunks(3).all(|p| p == [9, 99, 199]),
            "{width}x{height}"
        );
    }
}

#[test]
fn rejects_name_their_reason() {
    let jpeg = encoded(
        &DynamicImage::ImageRgb8(two_colours().into_rgb8()),
        ImageFormat::Jpeg,
    );
    let png = encoded(&two_colours(), ImageFormat::Png);
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    let with_frame = |marker| {
        let mut bytes = jpeg.clone();
        bytes[frame + 1] = marker;
        bytes
    };
    let mut huge = png.clone();
    // Width and height of the PNG header, and its checksum left wrong: refused before decoding.
    huge[16..24].copy_from_slice(&[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]);
    let mut decoder = ImageDecoder::new(16);
    let mut code = |bytes: &[u8]| decoder.decode(bytes).unwrap_err().code();
    assert_eq!(code(&[]), "empty");
    assert_eq!(code(b"just some text, not an image"), "not-an-image");
    assert_eq!(code(&jpeg[..jpeg.len() / 2]), "truncated");
    assert_eq!(code(&jpeg[..30]), "truncated");
    assert_eq!(code(&with_frame(0xC9)), "unsupported-jpeg");
    assert_eq!(code(&with_frame(0xC3)), "unsupported-jpeg");
    assert!(["truncated", "damaged"].contains(&code(&png[..png.len() / 2])));
    assert!(["too-large", "damaged"].contains(&code(&huge)));
    let message = ImageDecoder::new(16)
        .decode(&with_frame(0xC9))
        .unwrap_err()
        .to_string();
    assert!(message.contains("arithmetic"), "{message}");
}

#[test]
fn a_jpeg_that_claims_too_many_pixels_is_refused_from_its_header() {
    let mut jpeg = encoded(
        &DynamicImage::ImageRgb8(two_colours().into_rgb8()),
        ImageFormat::Jpeg,
    );
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xFE, 0xFF, 0xFE]);
    let reject = ImageDecoder::new(16).decode(&jpeg).unwrap_err();
    assert!(
        matches!(
            reject,
            Reject::TooLarge {
                width: 65534,
                height: 65534,
                ..
            }
        ),
        "{reject}"
    );
}

#[test]
fn the_manifest_names_the_libraries_that_are_built_in() {
    let lock = include_str!("../../../Cargo.lock");
    // The first ones are our own, with numbers that rise whenever their pixels change.
    let others = DECODER.strip_prefix("shardmill-jpeg 5, shardmill-tiff 1, ");
    let other = RESIZER.strip_prefix("shardmill-resize 1, ");
    for text in others.unwrap().split(", ").chain(other) {
        let (name, version) = text.split_once(' ').unwrap();
        let entry = format!("name = \"{name}\"\nversion = \"{version}\"");
        assert!(
            lock.contains(&entry),
            "Cargo.lock has another version than {text}"
        );
    }
}
