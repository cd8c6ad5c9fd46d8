//! Whether the disk has enough free space.

use std::path::Path;

use shardmill_formats::{Codec, RecordShape};

use crate::error::PrepError;

/// Bytes that a record takes in the index of its shard, rounded up generously.
pub(crate) const INDEX_BYTES: u64 = 100;
/// Records that are encoded to estimate what all will take.
pub(crate) const SAMPLE: usize = 64;

/// Most bytes that a record of `codec` takes, with its index entry: a codec that cannot make an image
/// smaller adds a little to its pixels.
pub(crate) fn most_bytes(codec: Codec, shape: RecordShape) -> u64 {
    let pixels = shape.pixels() as u64 * 3;
    INDEX_BYTES
        + match codec {
            Codec::Raw => pixels,
            Codec::Zstd | Codec::Jpeg => pixels + pixels / 8 + 2048,
        }
}

/// Compares the size of what will be made with the free space of the disk under `folder`. `most` is a bound that
/// is known at once; only if the disk has less is the `likely` size estimated, which takes time. `advice` says
/// how to need less.
///
/// # Errors
/// Too little space; what `likely` fails with.
pub(crate) fn check(
    folder: &Path,
    most: u64,
    likely: impl FnOnce() -> Result<u64, PrepError>,
    advice: &'static str,
) -> Result<(), PrepError> {
    let mut existing = std::path::absolute(folder).map_err(PrepError::io(folder))?;
    while !existing.exists() && existing.pop() {}
    let available = fs4::available_space(&existing).map_err(PrepError::io(&existing))?;
    if available >= most {
        return Ok(());
    }
    let needed = likely()?.min(most);
    if available >= needed {
        return Ok(());
    }
    Err(PrepError::DiskFull {
        path: existing,
        needed: needed.div_ceil(1_000_000),
        available: available / 1_000_000,
        advice,
    })
}

/// The size of `count` records, estimated from a sample, with the index, and a margin of 5% for a sample that is
/// not quite representative.
pub(crate) fn scaled(sample: &[u64], count: u64) -> u64 {
    let bytes: u64 = sample.iter().sum();
    let each = bytes as f64 / sample.len().max(1) as f64;
    ((each * 1.05 + INDEX_BYTES as f64) * count as f64) as u64
}

/// About [`SAMPLE`] of `count` places, spread evenly over them.
pub(crate) fn spread(count: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(count.div_ceil(SAMPLE).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likely_size_is_asked_for_only_where_the_bound_does_not_fit() {
        let here = Path::new(".");
        let never = || -> Result<u64, PrepError> { panic!("there is room for the bound") };
        check(here, 1, never, "").unwrap();
        check(here, u64::MAX, || Ok(1), "").unwrap();
        let error = check(here, u64::MAX, || Ok(u64::MAX), "buy a disk").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("buy a disk") && text.contains("--ignore-free-space"),
            "{text}"
        );
    }

    #[test]
    fn a_sample_is_spread_and_scaled() {
        assert_eq!(spread(3).collect::<Vec<_>>(), [0, 1, 2]);
        let places: Vec<usize> = spread(1000).collect();
        assert!((60..=64).contains(&places.len()) && places.last() > Some(&980));
        assert_eq!(spread(0).count(), 0);
        assert_eq!(scaled(&[1000, 3000], 10), (2000 * 105 / 100 + 100) * 10);
        assert_eq!(scaled(&[], 0), 0);
    }

    #[test]
    fn no_codec_takes_more_than_its_bound() {
        use shardmill_formats::{EncodeOptions, Encoder};
        // Noise is what no codec makes smaller.
        let mut state = 1_u32;
        for side in [1, 2, 7, 32, 256] {
            let shape = RecordShape {
                height: side,
                width: side,
            };
            let noise: Vec<u8> = (0..shape.bytes())
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect();
            for codec in Codec::ALL {
                let options = EncodeOptions {
                    jpeg_quality: 100,
                    ..EncodeOptions::default()
                };
                let mut encoded = Vec::new();
                let mut encoder = Encoder::new(codec, shape, options).unwrap();
                encoder.encode(&noise, &mut encoded).unwrap();
                let bound = most_bytes(codec, shape);
                assert!(
                    encoded.len() as u64 <= bound,
                    "{codec} {side}: {} of {bound}",
                    encoded.len()
                );
            }
        }
    }
}
