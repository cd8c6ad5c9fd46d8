//! What is drawn for a sample, as a pure function of (seed, epoch, sample).

use shardmill_formats::{Philox, RecordShape, Statistics, Stream, Window};
use shardmill_kernels::{Rectangle, Tint};

use super::{jitter, resized};
use crate::order::Draw;
use crate::settings::{ColorJitter, Policy};

/// The part of a record that a row shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// First row of the record.
    pub top: u32,
    /// First column of the record.
    pub left: u32,
    /// Number of rows of the record: the crop size, unless the area is resized.
    pub height: u32,
    /// Number of columns of the record.
    pub width: u32,
    /// Whether it is shown mirrored.
    pub flip: bool,
}

/// What a row of a batch shows: a part of a record, resized to the policy's size if it has another, and
/// whether it is reflected.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct View {
    pub(crate) area: Rectangle,
    pub(crate) flip: bool,
    /// Added to R, G and B, on the 0-255 scale.
    pub(crate) shift: [f64; 3],
    pub(crate) tint: Option<Tint>,
}

impl View {
    /// The part of a record that it shows.
    pub(crate) const fn window(&self) -> Window {
        let Rectangle {
            top,
            left,
            height,
            width,
        } = self.area;
        Window {
            top,
            left,
            height,
            width,
        }
    }

    /// What the batch reports about it.
    pub(crate) const fn area(&self) -> Area {
        Area {
            top: self.area.top as u32,
            left: self.area.left as u32,
            height: self.area.height as u32,
            width: self.area.width as u32,
            flip: self.flip,
        }
    }
}

/// The principal colour components, each scaled by its standard deviation times that of the noise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColorNoise([[f64; 3]; 3]);

impl ColorNoise {
    /// AlexNet's colour noise: alpha_i * sqrt(lambda_i) * p_i with alpha_i ~ N(0, std).
    pub(crate) fn new(statistics: &Statistics, std: f64) -> Self {
        let scaled = |k: usize| {
            statistics.eigenvectors[k].map(|x| x * statistics.eigenvalues[k].sqrt() * std)
        };
        Self(std::array::from_fn(scaled))
    }

    /// What is added to R, G and B of a sample.
    fn shift(&self, philox: &Philox, sample: u64) -> [f64; 3] {
        let alphas = normals(philox, sample);
        let [p, q, r] = self.0;
        std::array::from_fn(|c| alphas[0] * p[c] + alphas[1] * q[c] + alphas[2] * r[c])
    }
}

/// How samples become rows.
pub(crate) struct Augmentation {
    pub(crate) policy: Policy,
    /// Independent augmentations of every sample.
    pub(crate) views: usize,
    pub(crate) jitter: Option<ColorJitter>,
    pub(crate) noise: Option<ColorNoise>,
}

impl Augmentation {
    /// Rows of a batch for each sample.
    pub(crate) const fn rows_per_sample(&self) -> usize {
        self.policy.rows_per_sample() * self.views
    }

    /// The random numbers of each view of an epoch.
    pub(crate) fn generators(&self, seed: u64, epoch: u64) -> Box<[Philox]> {
        let first = Philox::new(seed, Stream::Augment).derive(epoch);
        let view = |k: u64| if k == 0 { first } else { first.derive(k) };
        (0..self.views as u64).map(view).collect()
    }

    /// The rows of one view of a sample, in order. `philox` belongs to the epoch and the view.
    pub(crate) fn rows(
        &self,
        shape: RecordShape,
        philox: &Philox,
        draw: Draw,
    ) -> impl Iterator<Item = View> + use<> {
        let crop = self.policy.crop();
        let side = crop as usize;
        // A window that is resized may end larger than the record.
        let (bottom, right) = (
            shape.height.saturating_sub(crop) as usize,
            shape.width.saturating_sub(crop) as usize,
        );
        let at = |top, left, flip| View {
            area: Rectangle {
                top,
                left,
                height: side,
                width: side,
            },
            flip,
            ..View::default()
        };
        let center = at(bottom / 2, right / 2, false);
        let drawn = |area| {
            let [_, _, coin, _] = philox.block(draw.window, 0);
            let noise = self.noise.as_ref();
            let jitter = self.jitter.as_ref();
            View {
                area,
                flip: self.policy.flips() && coin >> 31 == 1,
                shift: noise.map_or([0.0; 3], |noise| noise.shift(philox, draw.stream)),
                tint: jitter.map(|jitter| jitter::tint(jitter, philox, draw.stream)),
            }
        };
        let mut views = [View::default(); 10];
        match self.policy {
            Policy::Train { .. } => {
                let [y, x, ..] = philox.block(draw.window, 0);
                let top = Philox::below(y, bottom as u32 + 1) as usize;
                let left = Philox::below(x, right as u32 + 1) as usize;
                views[0] = drawn(at(top, left, false).area);
            }
            Policy::RandomResizedCrop { scale, ratio, .. } => {
                views[0] = drawn(resized::window(shape, scale, ratio, philox, draw.window));
            }
            Policy::FixedCrop { .. } => views[0] = drawn(center.area),
            Policy::Center { .. } => views[0] = center,
            Policy::TwoView { .. } => {
                views[0] = center;
                views[1] = View {
                    flip: true,
                    ..center
                };
            }
            Policy::TenView { .. } => {
                let corners = [
                    (0, 0),
                    (0, right),
                    (bottom, 0),
                    (bottom, right),
                    (bottom / 2, right / 2),
                ];
                for (i, view) in views.iter_mut().enumerate() {
                    let (top, left) = corners[i % 5];
                    *view = at(top, left, i >= 5);
                }
            }
        }
        views.into_iter().take(self.policy.rows_per_sample())
    }
}

/// Three independent standard normal deviates.
fn normals(philox: &Philox, sample: u64) -> [f64; 3] {
    let pair = |counter| Philox::normals(philox.block(sample, counter));
    let ([first, second], [third, _]) = (pair(1), pair(2));
    [first, second, third]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: RecordShape = RecordShape {
        height: 256,
        width: 256,
    };

    fn alone(sample: u64) -> Draw {
        Draw {
            part: 0,
            sample,
            stream: sample,
            window: sample,
        }
    }

    fn train(draw: Draw) -> View {
        drawn(
            Policy::Train {
                crop: 224,
                flip: true,
                color_std: 0.1,
            },
            draw,
        )
    }

    fn drawn(policy: Policy, draw: Draw) -> View {
        let statistics = Statistics {
            mean: [0.0; 3],
            std: [1.0; 3],
            eigenvalues: [100.0, 4.0, 1.0],
            eigenvectors: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        };
        let augmentation = Augmentation {
            policy,
            views: 1,
            jitter: None,
            noise: Some(ColorNoise::new(&statistics, 0.1)),
        };
        let philox = Philox::new(1, Stream::Augment);
        let mut rows = augmentation.rows(SHAPE, &philox, draw);
        rows.next().unwrap()
    }

    #[test]
    fn every_window_position_comes_up_equally_often() {
        let mut rows = [0_u32; 33];
        let mut flips = 0;
        for sample in 0..33_000 {
            let view = train(alone(sample));
            rows[view.area.top] += 1;
            assert!(view.area.left <= 32);
            flips += u32::from(view.flip);
        }
        // Chi-squared with 32 degrees of freedom: 62.5 is passed by chance once in a thousand.
        let chi: f64 = rows
            .iter()
            .map(|&c| (f64::from(c) - 1000.0).powi(2) / 1000.0)
            .sum();
        assert!(chi < 62.5, "chi-squared {chi}");
        assert!(
            (16_000..17_000).contains(&flips),
            "{flips} of 33000 reflected"
        );
    }

    #[test]
    fn a_shared_window_leaves_the_colours_to_each_sample() {
        let shared = |sample| {
            train(Draw {
                window: 3,
                ..alone(sample)
            })
        };
        let (first, second) = (shared(10), shared(11));
        let place = |view: &View| (view.area, view.flip);
        assert_eq!(place(&first), place(&second));
        assert_eq!(place(&first), place(&train(alone(3))));
        assert_eq!(first.shift, train(alone(10)).shift);
        assert_ne!(first.shift, second.shift);
    }

    #[test]
    fn colour_noise_has_its_spread_along_each_component() {
        let n = 40_000;
        let shifts: Vec<_> = (0..n).map(|sample| train(alone(sample)).shift).collect();
        for (c, spread) in [1.0, 0.2, 0.1].into_iter().enumerate() {
            let mean = shifts.iter().map(|s| s[c]).sum::<f64>() / n as f64;
            let variance = shifts.iter().map(|s| (s[c] - mean).powi(2)).sum::<f64>() / n as f64;
            // Five standard errors.
            assert!(mean.abs() < 5.0 * spread / (n as f64).sqrt(), "mean {mean}");
            assert!(
                (variance.sqrt() / spread - 1.0).abs() < 0.02,
                "spread {}",
                variance.sqrt()
            );
        }
    }

    #[test]
    fn a_fixed_window_is_the_centre_with_the_flips_and_colours_of_the_random_one() {
        let policy = |flip| Policy::FixedCrop {
            crop: 224,
            flip,
            color_std: 0.1,
        };
        let mut flips = 0;
        for sample in 0..64 {
            let (fixed, random) = (drawn(policy(true), alone(sample)), train(alone(sample)));
            assert_eq!(
                (fixed.area.top, fixed.area.left),
                (16, 16),
                "sample {sample}"
            );
            assert_eq!((fixed.area.height, fixed.area.width), (224, 224));
            assert_eq!((fixed.flip, fixed.shift), (random.flip, random.shift));
            flips += u32::from(fixed.flip);
            assert!(!drawn(policy(false), alone(sample)).flip);
        }
        assert!((1..64).contains(&flips), "{flips} of 64 reflected");
    }

    #[test]
    fn ten_views_are_the_corners_the_centre_and_their_reflections() {
        let philox = Philox::new(0, Stream::Augment);
        let augmentation = Augmentation {
            policy: Policy::TenView { crop: 224 },
            views: 1,
            jitter: None,
            noise: None,
        };
        let views: Vec<View> = augmentation.rows(SHAPE, &philox, alone(5)).collect();
        assert_eq!(views.len(), 10);
        let at = |i: usize| (views[i].area.top, views[i].area.left, views[i].flip);
        assert_eq!(
            [at(0), at(1), at(2), at(3)],
            [
                (0, 0, false),
                (0, 32, false),
                (32, 0, false),
                (32, 32, false)
            ]
        );
        assert_eq!(
            (at(4), at(5), at(9)),
            ((16, 16, false), (0, 0, true), (16, 16, true))
        );
    }
}
