//! Pixels are those that the standard defines, within two levels.

use proptest::prelude::{prop_assert, proptest};

use shardmill_jpeg::Decoder;
use shardmill_jpeg_kit::{Jpeg, Pattern, SAMPLINGS, scans, write};

use crate::{any, naive_rgb, ours};

/// How far pixels are from the naive twin's, in levels.
#[derive(Clone, Copy, Debug, Default)]
struct Difference {
    most: f64,
    sum: f64,
    count: usize,
}

impl Difference {
    fn of(jpeg: &Jpeg) -> Self {
        let pixels = ours::whole(&mut Decoder::default(), &write(jpeg)).unwrap();
        let size = (
            usize::from(jpeg.frame.width),
            usize::from(jpeg.frame.height),
        );
        assert_eq!((pixels.width, pixels.height), size);
        let levels = pixels.rgb.iter().zip(naive_rgb::rgb(jpeg));
        let mut all = Self::default();
        for (&level, exact) in levels {
            let far = (f64::from(level) - exact).abs();
            all = all.and(Self {
                most: far,
                sum: far,
                count: 1,
            });
        }
        all
    }

    fn and(self, other: Self) -> Self {
        Self {
            most: self.most.max(other.most),
            sum: self.sum + other.sum,
            count: self.count + other.count,
        }
    }

    fn mean(self) -> f64 {
        self.sum / self.count as f64
    }
}

/// A transform in integers may be one level from the definition. So may luma and a colour difference, which
/// counts 1.772 times in blue (T.871) and whose interpolation rounds too. Rounding to a level adds a half.
const MOST: f64 = 1.0 + 1.772 + 0.5 * 1.772 + 0.5;

/// Rounding moves a level by a quarter on average, and happens up to three times.
const MEAN: f64 = 0.75;

proptest! {
    #[test]
    fn pixels_are_those_of_the_naive_twin(jpeg in any::jpeg()) {
        let difference = Difference::of(&jpeg);
        prop_assert!(difference.most <= MOST, "{difference:?}");
    }
}

#[test]
fn every_size_from_1_to_40_has_the_naive_twins_pixels() {
    let mut all = Difference::default();
    for (at, sampling) in [&SAMPLINGS[0], &SAMPLINGS[1], &SAMPLINGS[2], &SAMPLINGS[3]]
        .into_iter()
        .enumerate()
    {
        for width in 1..=40 {
            for height in 1..=40 {
                let mut jpeg = Jpeg::sampled(width, height, sampling)
                    .painted(Pattern::Edges, u64::from(width * 41 + height));
                if (usize::from(width + height) + at) % 5 == 0 {
                    jpeg = jpeg.progressive(scans::refined(3));
                }
                jpeg.scans
                    .iter_mut()
                    .for_each(|scan| scan.restart = width % 4);
                let difference = Difference::of(&jpeg);
                assert!(
                    difference.most <= MOST,
                    "{width}x{height} {sampling:?}: {difference:?}"
                );
                all = all.and(difference);
            }
        }
    }
    assert!(all.mean() <= MEAN, "{all:?}");
}

#[test]
fn every_quality_has_the_naive_twins_pixels() {
    let mut all = Difference::default();
    for sampling in SAMPLINGS
        .into_iter()
        .filter(|sampling| sampling.len() != 2)
        .step_by(5)
    {
        for quality in 1..=100 {
            let mut jpeg = Jpeg::sampled(19, 13, sampling)
                .with_quality(quality)
                .painted(Pattern::Noise, u64::from(quality));
            jpeg.scans = scans::each(sampling.len());
            let difference = Difference::of(&jpeg);
            assert!(
                difference.most <= MOST,
                "quality {quality} {sampling:?}: {difference:?}"
            );
            all = all.and(difference);
        }
    }
    assert!(all.mean() <= MEAN, "{all:?}");
}
