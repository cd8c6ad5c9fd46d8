//! What an image may take.

use shardmill_jpeg::{Damage, Decoder, Error, Image, Limits, OnDamage, Options, Region};
use shardmill_jpeg_kit::{Jpeg, scans, write};

use crate::planes::whole;

/// A stream whose frame header claims to be of another size.
fn claiming(jpeg: &Jpeg, side: u16) -> Vec<u8> {
    let mut bytes = write(jpeg);
    let frame = bytes
        .windows(2)
        .position(|pair| matches!(pair, [0xFF, 0xC0..=0xC2]));
    let sides = frame.unwrap() + 5;
    let [high, low] = side.to_be_bytes();
    bytes[sides..sides + 4].copy_from_slice(&[high, low, high, low]);
    bytes
}

#[test]
fn more_pixels_than_allowed_are_refused_in_every_kind_of_file() {
    let sequential = Jpeg::default();
    let progressive = sequential.clone().progressive(scans::refined(3));
    for jpeg in [sequential, progressive] {
        for damage in [OnDamage::Refuse, OnDamage::Keep] {
            let mut options = Options {
                damage,
                limits: Limits {
                    pixels: 255,
                    ..Limits::default()
                },
                ..Options::default()
            };
            let too_large = |width, height, limit| Error::TooLarge {
                width,
                height,
                limit,
            };
            let mut decoder = Decoder::default();
            let mut error =
                |bytes: &[u8], options| whole(&mut decoder, bytes, options).unwrap_err();
            assert_eq!(error(&write(&jpeg), options), too_large(16, 16, 255));
            options.limits = Limits::default();
            let giant = claiming(&jpeg, 65_500);
            assert_eq!(
                error(&giant, options),
                too_large(65_500, 65_500, 100_000_000)
            );
        }
        let exactly = Options {
            limits: Limits {
                pixels: 256,
                ..Limits::default()
            },
            ..Options::default()
        };
        assert!(whole(&mut Decoder::default(), &write(&jpeg), exactly).is_ok());
    }
}

#[test]
fn a_giant_of_a_few_bytes_is_refused_before_its_coefficients_are_made_room_for() {
    let jpeg = Jpeg::default().progressive(scans::refined(3));
    let giant = claiming(&jpeg, 65_500);
    let options = Options {
        limits: Limits {
            pixels: usize::MAX,
            ..Limits::default()
        },
        ..Options::default()
    };
    // Some 13 GB of coefficients.
    let image = Image::parse(&giant).unwrap();
    let corner = Region::whole(8, 8);
    let mut decoder = Decoder::default();
    let found = decoder.planes(&image, corner, options);
    assert_eq!(found.unwrap_err(), Error::Damaged(Damage::Ends));
}

#[test]
fn more_scans_than_allowed_are_refused() {
    let jpeg = Jpeg::default().progressive(scans::refined(3));
    let bytes = write(&jpeg);
    let with = |scans| Options {
        limits: Limits {
            scans,
            ..Limits::default()
        },
        ..Options::default()
    };
    let mut decoder = Decoder::default();
    let scans = jpeg.scans.len();
    assert!(whole(&mut decoder, &bytes, with(scans)).is_ok());
    let found = whole(&mut decoder, &bytes, with(scans - 1));
    assert_eq!(found.unwrap_err(), Error::Unsupported("many-scan"));
}
