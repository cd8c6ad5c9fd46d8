//! Damage of any kind is no more than a reject.

use image::DynamicImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;

use super::test_kit::{SIZE, decode_with, jpeg, quarters, rgb_jpeg};
use super::{DecodeOptions, Truncated};

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
