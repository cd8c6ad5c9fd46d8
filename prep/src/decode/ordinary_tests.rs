use image::{ImageBuffer, Rgb as Pixel, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::ImageDecoder;
use super::jpeg::Target;
use crate::reject::Reject;

/// The record of an image whose colours are made as large as its luminance before the resize.
fn by_pixels(decoder: &mut ImageDecoder, bytes: &[u8]) -> Vec<u8> {
    let image = shardmill_jpeg::Image::parse(bytes).unwrap();
    let (options, budget) = (decoder.options, decoder.budget.clone());
    let target = Target {
        options: &options,
        budget: &budget,
        size: decoder.size,
    };
    let decoded = decoder.jpeg.rgb(&image, target, None).unwrap();
    let (rgb, crop) = decoded.pixels.unwrap();
    decoder.resize(rgb, crop).unwrap();
    decoder.record.clone()
}

fn photo(width: u32, height: u32) -> RgbImage {
    ImageBuffer::from_fn(width, height, |x, y| {
        let wave = |a: u32, b: u32| (127.0 + 100.0 * (f64::from(a * x + b * y) / 90.0).sin()) as u8;
        Pixel([wave(3, 7), wave(5, 2), wave(1, 4)])
    })
}

fn jpeg(image: &RgbImage, sampling: SamplingFactor, restart: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_sampling_factor(sampling);
    encoder.set_restart_interval(restart);
    let (width, height) = (image.width() as u16, image.height() as u16);
    encoder
        .encode(image.as_raw(), width, height, ColorType::Rgb)
        .unwrap();
    bytes
}

#[test]
fn planes_give_the_record_that_pixels_give() {
    use SamplingFactor::{F_1_1, F_1_2, F_2_1, F_2_2};
    for (width, height) in [
        (1, 1),
        (7, 9),
        (8, 8),
        (17, 33),
        (64, 40),
        (131, 77),
        (300, 31),
        (31, 300),
    ] {
        for sampling in [F_1_1, F_2_1, F_1_2, F_2_2] {
            for restart in [0, 1, 5] {
                let bytes = jpeg(&photo(width, height), sampling, restart);
                let place = format!("{width}x{height} {sampling:?} {restart}");
                let mut decoder = ImageDecoder::new(48);
                let found = decoder.decode(&bytes).unwrap().to_vec();
                let wanted = by_pixels(&mut decoder, &bytes);
                let sum: u32 = found
                    .iter()
                    .zip(&wanted)
                    .map(|(a, b)| u32::from(a.abs_diff(*b)))
                    .sum();
                let mean = f64::from(sum) / found.len() as f64;
                let most = if sampling == F_1_1 { 0.5 } else { 2.0 };
                assert!(mean < most, "{place}: {mean} levels");
            }
        }
    }
}

#[test]
fn damage_never_panics() {
    let mut state = 1_u32;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let whole = jpeg(&photo(40, 30), SamplingFactor::F_2_2, 2);
    let mut decoder = ImageDecoder::new(16);
    for _ in 0..5_000 {
        let mut bytes = whole.clone();
        for _ in 0..=draw(3) {
            let at = 2 + draw(bytes.len() - 2);
            bytes[at] = draw(256) as u8;
        }
        // Sizes stay as they are, so that no time goes into giants.
        let frame = whole
            .windows(2)
            .position(|pair| pair == [0xFF, 0xC0])
            .unwrap();
        bytes[frame + 5..frame + 9].copy_from_slice(&whole[frame + 5..frame + 9]);
        let _ = decoder.decode(&bytes);
    }
    for length in 3..whole.len() {
        let cut = decoder.decode(&whole[..length]).map(<[u8]>::len);
        // Without its end marker all pixels are still there.
        let all_there = length == whole.len() - 2 || length == whole.len() - 1;
        let wanted = match all_there {
            true => Ok(16 * 16 * 3),
            false => Err(Reject::Truncated),
        };
        assert_eq!(cut, wanted, "{length} of {}", whole.len());
    }
}
