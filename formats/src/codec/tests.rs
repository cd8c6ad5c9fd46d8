use proptest::prelude::*;

use super::*;

fn photo(shape: RecordShape) -> Vec<u8> {
    let (height, width) = (shape.height as usize, shape.width as usize);
    let mut rgb = Vec::with_capacity(shape.bytes());
    for y in 0..height {
        for x in 0..width {
            let wave = ((x as f32 / 9.0).sin() * (y as f32 / 13.0).cos() * 60.0) as i32;
            rgb.extend(
                [128 + wave, 100 + (y * 100 / height) as i32, 200 - wave]
                    .map(|v| v.clamp(0, 255) as u8),
            );
        }
    }
    rgb
}

fn round_trip(codec: Codec, shape: RecordShape, rgb: &[u8]) -> (usize, Vec<u8>) {
    let mut stored = vec![99; 7];
    let mut encoder = Encoder::new(codec, shape, EncodeOptions::default()).unwrap();
    encoder.encode(rgb, &mut stored).unwrap();
    let mut back = vec![0; shape.bytes()];
    Decoder::new(codec, shape)
        .decode(&stored, &mut back)
        .unwrap();
    (stored.len(), back)
}

#[test]
fn lossless_codecs_give_back_the_pixels_at_any_size() {
    for (height, width) in [(1, 1), (1, 9), (5, 7), (32, 32), (256, 256)] {
        let shape = RecordShape { height, width };
        let rgb = photo(shape);
        for codec in Codec::ALL.into_iter().filter(|codec| codec.is_lossless()) {
            assert_eq!(round_trip(codec, shape, &rgb).1, rgb, "{codec} {shape}");
        }
    }
}

#[test]
fn jpeg_stays_near_the_pixels_and_is_small() {
    for (height, width) in [(1, 1), (8, 17), (32, 32), (256, 256)] {
        let shape = RecordShape { height, width };
        let rgb = photo(shape);
        let (_, back) = round_trip(Codec::Jpeg, shape, &rgb);
        let worst = rgb
            .iter()
            .zip(&back)
            .map(|(a, b)| a.abs_diff(*b))
            .max()
            .unwrap();
        assert!(worst <= 24, "{shape}: off by {worst}");
    }
    let shape = RecordShape {
        height: 256,
        width: 256,
    };
    assert!(round_trip(Codec::Jpeg, shape, &photo(shape)).0 < shape.bytes() / 8);
    assert!(round_trip(Codec::Zstd, shape, &photo(shape)).0 < shape.bytes() / 2);
}

#[test]
fn buffers_and_records_of_another_size_are_refused() {
    let shape = RecordShape {
        height: 16,
        width: 16,
    };
    let small = RecordShape {
        height: 8,
        width: 16,
    };
    for codec in Codec::ALL {
        let mut stored = Vec::new();
        let mut encoder = Encoder::new(codec, small, EncodeOptions::default()).unwrap();
        assert!(encoder.encode(&[0; 5], &mut stored).is_err());
        encoder.encode(&photo(small), &mut stored).unwrap();
        let mut rgb = vec![0; shape.bytes()];
        assert!(
            Decoder::new(codec, shape)
                .decode(&stored, &mut rgb)
                .is_err(),
            "{codec}"
        );
        assert!(
            Decoder::new(codec, small)
                .decode(&stored, &mut rgb)
                .is_err(),
            "{codec}"
        );
    }
    let quality = EncodeOptions {
        jpeg_quality: 0,
        ..EncodeOptions::default()
    };
    assert!(matches!(
        Encoder::new(Codec::Jpeg, shape, quality),
        Err(CodecError::Quality(0))
    ));
}

#[test]
fn every_truncation_of_a_record_is_refused() {
    let shape = RecordShape {
        height: 24,
        width: 24,
    };
    for codec in Codec::ALL {
        let mut stored = Vec::new();
        Encoder::new(codec, shape, EncodeOptions::default())
            .unwrap()
            .encode(&photo(shape), &mut stored)
            .unwrap();
        let mut decoder = Decoder::new(codec, shape);
        let mut rgb = vec![0; shape.bytes()];
        for len in 0..stored.len() {
            assert!(
                decoder.decode(&stored[..len], &mut rgb).is_err(),
                "{codec} cut to {len} of {}",
                stored.len()
            );
        }
    }
}

#[test]
fn a_jpeg_that_is_cut_in_its_data_is_refused_in_spite_of_an_end_marker() {
    let shape = RecordShape {
        height: 64,
        width: 48,
    };
    let mut stored = Vec::new();
    Encoder::new(Codec::Jpeg, shape, EncodeOptions::default())
        .unwrap()
        .encode(&photo(shape), &mut stored)
        .unwrap();
    let scan = stored
        .windows(2)
        .position(|marker| marker == [0xFF, 0xDA])
        .unwrap();
    let mut decoder = Decoder::new(Codec::Jpeg, shape);
    let mut rgb = vec![0; shape.bytes()];
    // Behind the scan's header of 14 bytes. The last byte holds bits that fill it up, so two are taken away.
    for percent in [0, 5, 30, 60, 90, 100] {
        let length = (stored.len() - 4 - scan - 14) * percent / 100;
        let mut cut = stored[..scan + 14 + length].to_vec();
        cut.extend([0xFF, 0xD9]);
        let error = decoder.decode(&cut, &mut rgb);
        assert!(
            matches!(error, Err(CodecError::JpegDecode(_))),
            "{percent}%"
        );
    }
    decoder.decode(&stored, &mut rgb).unwrap();
}

#[test]
fn a_jpeg_with_bytes_of_no_pixel_is_refused() {
    let shape = RecordShape {
        height: 24,
        width: 24,
    };
    let mut stored = Vec::new();
    Encoder::new(Codec::Jpeg, shape, EncodeOptions::default())
        .unwrap()
        .encode(&photo(shape), &mut stored)
        .unwrap();
    let end = stored.len() - 2;
    stored.splice(end..end, [1, 2, 3, 4]);
    let mut rgb = vec![0; shape.bytes()];
    let error = Decoder::new(Codec::Jpeg, shape).decode(&stored, &mut rgb);
    assert!(matches!(error, Err(CodecError::JpegRecord(_))));
}

#[test]
fn a_zstd_bomb_is_refused_without_growing() {
    let shape = RecordShape {
        height: 4,
        width: 4,
    };
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap();
    let mut rgb = vec![0; shape.bytes()];
    assert!(
        Decoder::new(Codec::Zstd, shape)
            .decode(&bomb, &mut rgb)
            .is_err()
    );
}

#[test]
fn a_jpeg_that_claims_to_be_larger_is_refused_by_its_header() {
    let shape = RecordShape {
        height: 16,
        width: 16,
    };
    let mut stored = Vec::new();
    let mut encoder = Encoder::new(Codec::Jpeg, shape, EncodeOptions::default()).unwrap();
    encoder.encode(&photo(shape), &mut stored).unwrap();
    // Start of frame: marker, length, precision, then rows and columns of two bytes each.
    let frame = stored
        .windows(2)
        .position(|marker| marker == [0xFF, 0xC0])
        .unwrap();
    let mut rgb = vec![7; shape.bytes()];
    for (rows, columns) in [
        (65_500_u16, 65_500_u16),
        (16, 65_500),
        (65_500, 16),
        (17, 16),
        (0, 16),
    ] {
        stored[frame + 5..frame + 7].copy_from_slice(&rows.to_be_bytes());
        stored[frame + 7..frame + 9].copy_from_slice(&columns.to_be_bytes());
        let error = Decoder::new(Codec::Jpeg, shape).decode(&stored, &mut rgb);
        assert!(error.is_err(), "{rows}x{columns}");
        assert!(rgb.iter().all(|&value| value == 7), "nothing was decoded");
    }
}

#[test]
#[should_panic(expected = "out of the range")]
fn a_window_out_of_the_record_panics() {
    let shape = RecordShape {
        height: 4,
        width: 4,
    };
    let window = Window {
        left: usize::MAX,
        ..Window::whole(shape)
    };
    let _ = Decoder::new(Codec::Raw, shape).window(&[0; 48], window, &mut |_| ());
}

proptest! {
    #[test]
    fn the_rows_of_a_window_are_those_of_the_whole_record(
        (height, width) in (1_u32..70, 1_u32..70), place in any::<[prop::sample::Index; 4]>(), noise in any::<u8>(),
    ) {
        let shape = RecordShape { height, width };
        let mut rgb = photo(shape);
        for (i, value) in rgb.iter_mut().enumerate() {
            *value ^= (i * i) as u8 & noise;
        }
        let [top, left] = [place[0].index(height as usize), place[1].index(width as usize)];
        let window = Window {
            top,
            left,
            height: 1 + place[2].index(height as usize - top),
            width: 1 + place[3].index(width as usize - left),
        };
        for codec in Codec::ALL {
            let mut stored = Vec::new();
            Encoder::new(codec, shape, EncodeOptions::default()).unwrap().encode(&rgb, &mut stored).unwrap();
            let mut decoder = Decoder::new(codec, shape);
            let mut whole = vec![0; shape.bytes()];
            decoder.decode(&stored, &mut whole).unwrap();
            let mut next = 0;
            decoder.window(&stored, window, &mut |rows| {
                assert_eq!(rows.top, next, "rows come in order");
                assert_eq!(rows.iter(window.width).count(), rows.count);
                for row in rows.iter(window.width) {
                    let start = ((top + next) * width as usize + left) * 3;
                    assert_eq!(row, &whole[start..][..window.width * 3], "{codec} {window:?} row {next}");
                    next += 1;
                }
            }).unwrap();
            prop_assert_eq!(next, window.height);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), damage in any::<(u16, u8)>()) {
        let shape = RecordShape { height: 16, width: 16 };
        let mut rgb = vec![0; shape.bytes()];
        for codec in Codec::ALL {
            let mut decoder = Decoder::new(codec, shape);
            let _ = decoder.decode(&bytes, &mut rgb);
            let mut stored = Vec::new();
            Encoder::new(codec, shape, EncodeOptions::default()).unwrap().encode(&photo(shape), &mut stored).unwrap();
            let at = usize::from(damage.0) % stored.len();
            stored[at] ^= damage.1;
            let _ = decoder.decode(&stored, &mut rgb);
        }
    }
}
