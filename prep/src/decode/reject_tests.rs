//! Images that are refused, each with its exact reason, and what is made of truncated ones.

use image::{DynamicImage, ImageBuffer, ImageFormat, Rgb as Pixel, RgbImage};

use super::test_kit::{decode_with, encoded, middles, quarters, reject, rgb_jpeg};
use super::{DecodeOptions, Truncated};

#[test]
fn a_truncated_jpeg_is_a_reject_or_padded() {
    let image = RgbImage::from_pixel(64, 64, Pixel([200, 20, 20]));
    let noise = ImageBuffer::from_fn(64, 64, |x, y| {
        let Pixel([r, g, b]) = *image.get_pixel(x, y);
        Pixel([r + ((x * 7 + y * 13) % 9) as u8, g, b])
    });
    let bytes = rgb_jpeg(&noise);
    let scan = bytes
        .windows(2)
        .position(|pair| pair == [0xFF, 0xDA])
        .unwrap();
    let cut = &bytes[..scan + (bytes.len() - scan) / 2];
    assert_eq!(reject(cut), "truncated: the image data ends too early");
    assert_eq!(
        reject(&bytes[..scan]),
        "truncated: the image data ends too early"
    );
    let options = DecodeOptions {
        truncated: Truncated::Pad,
        ..DecodeOptions::default()
    };
    // What the data reaches is there, the rest is one flat grey.
    let record = decode_with(cut, options).unwrap();
    let found = middles(&record);
    assert!(
        found[0][0].abs_diff(204) < 6 && found[0][1].abs_diff(20) < 6,
        "{found:?}"
    );
    assert_eq!((found[2], found[3]), ([128; 3], [128; 3]));
    assert_eq!(record, decode_with(cut, options).unwrap());
    // Without a scan there is no picture to pad.
    let nothing = decode_with(&bytes[..scan], options).unwrap_err();
    assert_eq!(nothing.code(), "truncated");
    // A whole image is the same either way.
    let whole = decode_with(&bytes, options).unwrap();
    assert_eq!(
        whole,
        decode_with(&bytes, DecodeOptions::default()).unwrap()
    );
}

#[test]
fn other_truncated_formats_are_rejects_either_way() {
    let image = DynamicImage::ImageRgb8(quarters(64, 64));
    for (format, code) in [
        (ImageFormat::Png, "truncated"),
        (ImageFormat::Bmp, "truncated"),
        (ImageFormat::Gif, "truncated"),
    ] {
        let bytes = encoded(&image, format);
        for truncated in [Truncated::Reject, Truncated::Pad] {
            let options = DecodeOptions {
                truncated,
                ..DecodeOptions::default()
            };
            let reject = decode_with(&bytes[..bytes.len() / 2], options).unwrap_err();
            assert_eq!(reject.code(), code, "{format:?}: {reject}");
        }
    }
}

#[test]
fn what_is_no_image() {
    assert_eq!(reject(b""), "empty: the file is empty");
    for bytes in [b"\0".as_slice(), b"just some text", b"\xFF\xD8", &[0; 4096]] {
        assert_eq!(
            reject(bytes),
            "not-an-image: the file is not an image of a known format"
        );
    }
    assert_eq!(
        reject(b"\xFF\xD8\xFF"),
        "truncated: the image data ends too early"
    );
}

#[test]
fn formats_that_are_not_read_are_named() {
    for (bytes, name) in [
        (b"%PDF-1.4".as_slice(), "PDF"),
        (b"P6\n1 1 255\nabc", "PNM"),
        (b"\0\0\0\x1Cftypavif\0\0\0\0avifmif1miaf", "AVIF"),
        (b"\0\0\0\x0CjP  \r\n\x87\n", "JPEG 2000"),
    ] {
        let wanted = format!("unsupported-format: {name} is not supported");
        assert_eq!(reject(bytes), wanted);
    }
}

#[test]
fn coding_processes_that_no_decoder_knows_are_named() {
    let bytes = rgb_jpeg(&quarters(16, 16));
    let frame = bytes
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    for (marker, name) in [
        (0xC9, "arithmetic-coded"),
        (0xCA, "arithmetic-coded"),
        (0xC3, "lossless"),
        (0xC5, "hierarchical"),
    ] {
        let mut bytes = bytes.clone();
        bytes[frame + 1] = marker;
        assert_eq!(
            reject(&bytes),
            format!("unsupported-jpeg: {name} JPEG is not supported")
        );
    }
}

#[test]
fn bombs_are_refused_by_their_header() {
    let image = DynamicImage::ImageRgb8(quarters(16, 16));
    let patched = |format, at: usize, with: &[u8]| {
        let mut bytes = encoded(&image, format);
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    let jpeg = rgb_jpeg(&quarters(16, 16));
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    let mut big_jpeg = jpeg.clone();
    big_jpeg[frame + 5..frame + 9].copy_from_slice(&[0xEA, 0x60, 0xEA, 0x60]);
    // 60000 x 60000 with the checksum that such a header has.
    let png = [
        0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60, 8, 2, 0, 0, 0, 0x0F, 0xB0, 0xE2, 0x15,
    ];
    for (bytes, side) in [
        (big_jpeg, 60_000),
        (patched(ImageFormat::Png, 16, &png), 60_000),
        (
            patched(ImageFormat::Bmp, 18, &[0x60, 0xEA, 0, 0, 0x60, 0xEA, 0, 0]),
            60_000,
        ),
        (
            patched(ImageFormat::Gif, 6, &[0x60, 0xEA, 0x60, 0xEA]),
            60_000,
        ),
    ] {
        assert_eq!(
            reject(&bytes),
            format!(
                "too-large: the image has {side}x{side} pixels, more than the limit of 100000000"
            )
        );
    }
}
