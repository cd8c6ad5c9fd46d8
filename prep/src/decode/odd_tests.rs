//! Every odd kind of image that is decoded, with its pixels.

use image::{DynamicImage, ImageBuffer, ImageFormat, Rgb as Pixel, RgbImage, Rgba};
use jpeg_encoder::{ColorType, Encoder};

use super::test_kit::{
    QUARTERS, SIZE, assert_near, decode_with, encoded, jpeg, middles, orientation_block, quarters,
    rgb_jpeg, with_app1,
};
use super::{DecodeOptions, Exif, Filter, ImageDecoder, Resize, Warning};

#[test]
fn cmyk_and_ycck_with_adobes_inversion() {
    // The encoder is given true inks and inverts them as Adobe does. No black ink.
    let inks: Vec<u8> = quarters(64, 64)
        .pixels()
        .flat_map(|p| [255 - p.0[0], 255 - p.0[1], 255 - p.0[2], 0])
        .collect();
    for color in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        assert_near(&jpeg(&inks, 64, 64, color, false), QUARTERS, 3);
    }
    // Half of the light is taken by black ink.
    let black: Vec<u8> = inks
        .chunks(4)
        .flat_map(|p| [p[0], p[1], p[2], 127])
        .collect();
    let half = QUARTERS.map(|pixel| pixel.map(|value| (u32::from(value) * 128 / 255) as u8));
    for color in [ColorType::Cmyk, ColorType::CmykAsYcck] {
        assert_near(&jpeg(&black, 64, 64, color, false), half, 3);
    }
}

#[test]
fn a_sequential_scan_brings_everything_whatever_its_header_says() {
    let whole = rgb_jpeg(&quarters(64, 64));
    let scan = whole
        .windows(2)
        .position(|mark| mark == [0xFF, 0xDA])
        .unwrap();
    // Behind its length and three components: the first and last place, and the bits, of what it brings.
    let header = scan + 2 + 2 + 1 + 3 * 2;
    assert_eq!(whole[header..header + 3], [0, 63, 0]);
    for places in [[181, 80, 63], [5, 63, 0], [0, 0, 0], [255, 255, 255]] {
        let mut odd = whole.clone();
        odd[header..header + 3].copy_from_slice(&places);
        let mut decoder = ImageDecoder::new(SIZE);
        let record = decoder.decode(&odd).map(<[u8]>::to_vec);
        assert_eq!(
            record,
            decode_with(&whole, DecodeOptions::default()),
            "{places:?}"
        );
        assert_eq!(decoder.warning(), Some(Warning::OddHeader), "{places:?}");
    }
}

#[test]
fn grey() {
    let luma = DynamicImage::ImageRgb8(quarters(64, 64)).into_luma8();
    let wanted =
        [(16, 16), (48, 16), (16, 48), (48, 48)].map(|(x, y)| [luma.get_pixel(x, y).0[0]; 3]);
    assert_near(
        &jpeg(luma.as_raw(), 64, 64, ColorType::Luma, false),
        wanted,
        1,
    );
    assert_near(
        &encoded(&DynamicImage::ImageLuma8(luma), ImageFormat::Png),
        wanted,
        0,
    );
}

#[test]
fn every_chroma_subsampling_and_progressive_coding() {
    let image = quarters(64, 64);
    use jpeg_encoder::SamplingFactor::{F_1_1, F_1_2, F_2_1, F_2_2, F_4_1};
    for sampling in [F_1_1, F_2_1, F_1_2, F_2_2, F_4_1] {
        for (progressive, restart) in [(false, 0), (false, 3), (true, 0)] {
            let mut bytes = Vec::new();
            let mut encoder = Encoder::new(&mut bytes, 98);
            encoder.set_sampling_factor(sampling);
            encoder.set_progressive(progressive);
            encoder.set_restart_interval(restart);
            encoder
                .encode(image.as_raw(), 64, 64, ColorType::Rgb)
                .unwrap();
            assert_near(&bytes, QUARTERS, 3);
        }
    }
}

#[test]
fn png_with_palette_and_with_16_bits() {
    // 2x2 pixels, a palette of QUARTERS, two bits each, as Pillow writes it.
    let bytes: [u8; 93] = [
        137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 2, 0, 0, 0, 2, 2, 3,
        0, 0, 0, 15, 216, 229, 183, 0, 0, 0, 12, 80, 76, 84, 69, 200, 20, 20, 20, 180, 20, 20, 20,
        220, 120, 120, 120, 225, 85, 56, 168, 0, 0, 0, 12, 73, 68, 65, 84, 120, 156, 99, 16, 96,
        216, 0, 0, 0, 228, 0, 193, 39, 168, 232, 87, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96, 130,
    ];
    // The middles are between the pixels' centres: corners are compared instead.
    let record = decode_with(&bytes, DecodeOptions::default()).unwrap();
    let (last, row) = (record.len() - 3, SIZE as usize * 3);
    for (at, wanted) in [0, row - 3, last + 3 - row, last].into_iter().zip(QUARTERS) {
        assert_eq!(record[at..at + 3], wanted);
    }
    let deep = DynamicImage::ImageRgb8(quarters(64, 64)).into_rgb16();
    assert_near(
        &encoded(&DynamicImage::ImageRgb16(deep), ImageFormat::Png),
        QUARTERS,
        0,
    );
}

#[test]
fn transparency_over_white_in_8_and_16_bits() {
    let alphas = [255, 128, 0, 51];
    let pixel = |x: u32, y: u32| {
        let at = usize::from(y >= 32) * 2 + usize::from(x >= 32);
        let [r, g, b] = QUARTERS[at];
        Rgba([r, g, b, alphas[at]])
    };
    let image = DynamicImage::ImageRgba8(ImageBuffer::from_fn(64, 64, pixel));
    let wanted = [[200, 20, 20], [137, 217, 137], [255; 3], [228; 3]];
    assert_near(&encoded(&image, ImageFormat::Png), wanted, 0);
    assert_near(&encoded(&image, ImageFormat::WebP), wanted, 0);
    let deep = DynamicImage::ImageRgba16(image.into_rgba16());
    assert_near(&encoded(&deep, ImageFormat::Png), wanted, 0);
}

#[test]
fn other_formats_are_known_by_their_bytes() {
    let image = DynamicImage::ImageRgb8(quarters(64, 64));
    for format in [
        ImageFormat::Png,
        ImageFormat::WebP,
        ImageFormat::Bmp,
        ImageFormat::Gif,
    ] {
        assert_near(
            &encoded(&image, format),
            QUARTERS,
            u8::from(format == ImageFormat::Gif),
        );
    }
}

#[test]
fn broken_exif_blocks_are_passed_over() {
    let plain = rgb_jpeg(&quarters(64, 48));
    let options = DecodeOptions {
        exif: Exif::Apply,
        ..DecodeOptions::default()
    };
    let wanted = decode_with(&plain, options).unwrap();
    for body in [
        b"Exif\0\0".as_slice(),
        b"Exif\0\0MM",
        b"Exif\0\0XX\0*\0\0\0\x08",
        b"Exif\0\0II*\0\xFF\xFF\xFF\xFF",
        b"Exif\0\0MM\0*\0\0\0\x08\xFF\xFF\x01\x12",
        &orientation_block(0),
        &orientation_block(9),
        b"",
        b"Exi",
    ] {
        assert_eq!(
            decode_with(&with_app1(&plain, body), options).unwrap(),
            wanted,
            "{body:?}"
        );
    }
}

#[test]
fn orientation_is_ignored_unless_asked_for() {
    let image = quarters(64, 64);
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| QUARTERS[i]);
    // EXIF 2.3, tag 0x0112: which quarter comes where, once upright.
    let upright = [
        [a, b, c, d],
        [b, a, d, c],
        [d, c, b, a],
        [c, d, a, b],
        [a, c, b, d],
        [c, a, d, b],
        [d, b, c, a],
        [b, d, a, c],
    ];
    for (orientation, wanted) in (1..).zip(upright) {
        let bytes = with_app1(&rgb_jpeg(&image), &orientation_block(orientation));
        assert_near(&bytes, QUARTERS, 3);
        let options = DecodeOptions {
            exif: Exif::Apply,
            ..DecodeOptions::default()
        };
        let found = middles(&decode_with(&bytes, options).unwrap());
        let far = |(a, b): (&u8, &u8)| a.abs_diff(*b) > 3;
        let differs = found
            .as_flattened()
            .iter()
            .zip(wanted.as_flattened())
            .any(far);
        assert!(
            !differs,
            "{orientation}: found {found:?}, wanted {wanted:?}"
        );
    }
}

#[test]
fn a_turned_picture_is_cropped_upright() {
    // 20 x 60, upright 60 x 20: the middle third is green.
    let pixel = |_, y| {
        Pixel(if (20..40).contains(&y) {
            [20, 180, 20]
        } else {
            [200, 20, 20]
        })
    };
    let bytes = with_app1(
        &rgb_jpeg(&ImageBuffer::from_fn(20, 60, pixel)),
        &orientation_block(6),
    );
    let options = DecodeOptions {
        exif: Exif::Apply,
        ..DecodeOptions::default()
    };
    let record = decode_with(&bytes, options).unwrap();
    for found in middles(&record) {
        assert!(found[1] > 170 && found[0] < 30, "{found:?}");
    }
}

#[test]
fn squash_keeps_the_whole_picture() {
    let options = DecodeOptions {
        resize: Resize::Squash,
        filter: Filter::Box,
        ..DecodeOptions::default()
    };
    let bytes = encoded(
        &DynamicImage::ImageRgb8(quarters(160, 32)),
        ImageFormat::Png,
    );
    let record = decode_with(&bytes, options).unwrap();
    assert_eq!(middles(&record), QUARTERS);
    let row = SIZE as usize * 3;
    assert_eq!(record[..3], QUARTERS[0]);
    assert_eq!(record[row - 3..row], QUARTERS[1]);
}

#[test]
fn filters_keep_flat_colours_and_differ_at_edges() {
    let bytes = encoded(&DynamicImage::ImageRgb8(quarters(90, 90)), ImageFormat::Png);
    let mut seen = Vec::new();
    for &filter in Filter::ALL {
        let options = DecodeOptions {
            filter,
            ..DecodeOptions::default()
        };
        let record = decode_with(&bytes, options).unwrap();
        assert_eq!(middles(&record), QUARTERS, "{filter}");
        assert!(!seen.contains(&record), "{filter}");
        seen.push(record);
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
fn more_than_256_restart_intervals_are_read_whether_an_image_is_turned_or_not() {
    let side = 17 * 8;
    let picture = quarters(side, side);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 98);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1);
    encoder.set_restart_interval(1);
    encoder
        .encode(picture.as_raw(), side as u16, side as u16, ColorType::Rgb)
        .unwrap();
    let options = DecodeOptions {
        exif: Exif::Apply,
        ..DecodeOptions::default()
    };
    // Mirrored twice, from left to right and from top to bottom.
    let turned = with_app1(&bytes, &orientation_block(3));
    let mut found = middles(&decode_with(&turned, options).unwrap());
    found.reverse();
    let wanted = middles(&decode_with(&bytes, DecodeOptions::default()).unwrap());
    let far = |(a, b): (&u8, &u8)| a.abs_diff(*b) > 2;
    let mut pairs = found.as_flattened().iter().zip(wanted.as_flattened());
    assert!(!pairs.any(far), "{found:?}, {wanted:?}");
}
