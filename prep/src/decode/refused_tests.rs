//! What is refused, with the exact reason; and that damage of any kind is no more than that.

use image::{DynamicImage, ImageBuffer, ImageFormat, Rgb as Pixel, RgbImage};
use jpeg_encoder::{ColorType, Encoder};
use proptest::prelude::*;

use super::odd_tests::{
    SIZE, assert_near, decode_with, encoded, jpeg, middles, quarters, reject, rgb_jpeg,
};
use super::*;

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
    for bytes in [
        b"\0".as_slice(),
        b"just some text",
        b"\xFF\xD8",
        &[0; 4096],
        b"%PDF-1.4",
    ] {
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
fn one_pixel_and_a_panorama() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let image = DynamicImage::ImageRgb8(RgbImage::from_pixel(1, 1, Pixel([120; 3])));
        assert_near(&encoded(&image, format), [[120; 3]; 4], 1);
        // The centre square of 20000 x 20 is 20 columns from 9990 on, the only blue ones.
        let pixel = |x, _| {
            Pixel(if (9_984..10_016).contains(&x) {
                [20, 20, 220]
            } else {
                [200, 20, 20]
            })
        };
        let wide = ImageBuffer::from_fn(20_000, 20, pixel);
        let tall = image::imageops::rotate90(&wide);
        assert_near(
            &encoded(&DynamicImage::ImageRgb8(wide), format),
            [[20, 20, 220]; 4],
            8,
        );
        assert_near(
            &encoded(&DynamicImage::ImageRgb8(tall), format),
            [[20, 20, 220]; 4],
            8,
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
                encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
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
