//! Every hyper-parameter of training, each once, with its source.
//!
//! "Paper" is Krizhevsky, Sutskever and Hinton, NIPS 2012; "source" is the authors' released code.
//! What the network is made of (variant, width, input size, dropout) is
//! [`ModelConfig`](crate::ModelConfig).

pub(crate) mod augmentation;
pub(crate) mod difference;
mod order;
pub(crate) mod schedule;
pub(crate) mod setup;
mod text;

pub(crate) use text::rate;

use serde::{Deserialize, Serialize};
use shardmill_loader::Order;

use crate::net::Parameter;
use crate::net::mean_image::MeanCut;
use crate::net::number::number;
use crate::net::sgd::{Rate, SgdConfig};
use crate::recipe::augmentation::{Cropping, Jitter};
use crate::recipe::schedule::ScheduleConfig;

/// How a network is trained. The default is the paper.
///
/// It is printed when training starts and stored in every checkpoint as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Passes over the training split. Paper, section 5: "roughly 90 cycles".
    pub epochs: u64,
    /// Images in a step. Paper, section 5: 128.
    pub batch_size: usize,
    /// First learning rate. Paper, section 5: 0.01.
    pub lr: f64,
    /// Momentum, weight decay, and the biases' rules.
    pub sgd: SgdConfig,
    /// When the learning rate falls. Paper, section 5: when the validation error stops improving.
    pub schedule: ScheduleConfig,
    /// How the network's window is cut from an image. Paper, section 4.1: at random.
    pub cropping: Cropping,
    /// Whether images are mirrored at random. Paper, section 4.1: yes.
    pub flip: bool,
    /// Consecutive images of an epoch that share one crop and one draw of mirroring. Paper: 1, each has
    /// its own; net 145: 32.
    pub draw_every: u64,
    /// The order of the training images. The paper does not say; the default, and what a checkpoint without
    /// this value means, is that any image may come at any place.
    #[serde(with = "order")]
    pub order: Order,
    /// Standard deviation of the colour noise along each principal component of the pixels'
    /// colours, in units of that component's own. Paper, section 4.1: 0.1.
    pub color_std: f64,
    /// Random changes of brightness, contrast, saturation and hue before the colour noise. Paper: none.
    pub jitter: Jitter,
    /// Finished epochs after which the colour noise ends; `None`: it stays. Net 145: 67.
    pub color_until: Option<u64>,
    /// Divides images that have colour noise. Authors' source: 1.1; the paper has no such thing.
    pub color_divisor: f64,
    /// Batches whose gradients are averaged before each update: a step sees `batch_size * accumulate`
    /// images.
    pub accumulate: usize,
    /// Whether `lr` is for 128 images, and larger or smaller in the ratio of a step's images to that.
    pub linear_lr: bool,
    /// Rates of conv1 that replace the others after a number of finished epochs. Net 145: 1e-5 after 67,
    /// and none after 72: the layer then stays as it is.
    pub conv1_lr: Vec<LaterRate>,
    /// The largest root mean square of a convolution's kernel: one above it is scaled down to it after each
    /// update. Zeiler and Fergus, 2013, section 3.1: 0.1, so that a few kernels of conv1 do not dominate
    /// the others; the paper has no such thing. On the CPU only.
    pub kernel_radius: Option<f64>,
    /// Layers that are not trained: names, or beginnings of names such as `conv`.
    pub freeze: Vec<String>,
    /// What is subtracted from every pixel. Paper, section 2: "the mean activity over the training set
    /// from each pixel".
    pub mean: Mean,
    /// Scale of the pixels that the network sees. Paper, section 2: minus the mean, nothing else.
    pub scale: InputScale,
    /// The split that is validated on, whose error the schedule and the choice of the best checkpoint
    /// follow; `None`: `val`, where the dataset has it with labels.
    pub val_split: Option<String>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            epochs: 90,
            batch_size: 128,
            lr: 0.01,
            sgd: SgdConfig::default(),
            schedule: ScheduleConfig::default(),
            cropping: Cropping::default(),
            flip: true,
            draw_every: 1,
            order: Order::Global,
            color_std: 0.1,
            jitter: Jitter::default(),
            color_until: None,
            color_divisor: 1.0,
            accumulate: 1,
            linear_lr: false,
            conv1_lr: Vec::new(),
            kernel_radius: None,
            freeze: Vec::new(),
            mean: Mean::Channel,
            scale: InputScale::MeanOnly,
            val_split: None,
        }
    }
}

/// The colour noise of an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColorNoise {
    /// Its standard deviation: [`Recipe::color_std`].
    pub std: f64,
    /// What the image is divided by: [`Recipe::color_divisor`].
    pub divisor: f64,
}

/// A rate from an epoch on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaterRate {
    /// Finished epochs after which it holds.
    pub after: u64,
    /// The rate.
    pub lr: f64,
    /// Whether the layer is not updated at all, so that its weights and velocities stay exactly as they
    /// are, as in the authors' source wherever a rate is 0; `lr` must be 0 then. At a rate of 0 without
    /// this, the momentum still moves the layer for some steps. Runs whose checkpoints lack this value
    /// did that, so `false` is what it means to lack it; a recipe file that lacks it means `true` where
    /// `lr` is 0.
    #[serde(default)]
    pub frozen: bool,
}

/// The word for no choice in a recipe's text: TOML has no null.
const NONE: &str = "none";

/// Why a mean image, which has one pixel for each pixel of a record, does not go with every cropping.
const UNCUT_MEAN: &str = "a mean image cannot be subtracted from a resized crop, whose pixels are not \
                          those of the records; use `--mean channel`, or `--cropping random`";

/// The most images of a step: more than any set has, so that sums of images never overflow.
const MOST_IMAGES: usize = 1 << 31;

/// Images of the paper's step, to which [`Recipe::linear_lr`] relates.
const PAPER_BATCH: usize = 128;

/// The highest learning rate that is taken: far above any of use, and small enough to be read.
const HIGHEST_RATE: f64 = 1e6;

/// What is subtracted from every pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mean {
    /// The mean of its channel over the training split
    #[default]
    Channel,
    /// The mean image: the mean of the pixel at that place in the training records
    Image,
    /// The centre of the mean image, for every window, and never mirrored: net145
    ImageCenter,
}

impl Mean {
    /// How the mean image is cut; `None` where there is none.
    #[must_use]
    pub const fn cut(self) -> Option<MeanCut> {
        match self {
            Self::Channel => None,
            Self::Image => Some(MeanCut::Window),
            Self::ImageCenter => Some(MeanCut::Center),
        }
    }
}

/// The scale of the pixels that the network sees; initialisation and learning rate belong to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputScale {
    /// 0 to 255 minus the channel's mean over the training split: the paper's.
    #[default]
    MeanOnly,
    /// The same divided by the channel's standard deviation: torchvision's.
    Standardized,
}

impl Recipe {
    /// Images of a step.
    #[must_use]
    pub fn step_images(&self) -> usize {
        self.batch_size * self.accumulate
    }

    /// The first rate, with [`linear_lr`](Self::linear_lr) applied.
    #[must_use]
    pub fn base_lr(&self) -> f64 {
        if self.linear_lr {
            self.lr * self.step_images() as f64 / PAPER_BATCH as f64
        } else {
            self.lr
        }
    }

    /// Whether layer `name` is trained.
    #[must_use]
    pub fn trains(&self, name: &str) -> bool {
        !self
            .freeze
            .iter()
            .any(|frozen| name.starts_with(frozen.as_str()))
    }

    /// The rate of a parameter after `finished` epochs where the schedule gives `lr`; `None` if it is
    /// not trained.
    #[must_use]
    pub fn rate(&self, parameter: &Parameter, lr: f64, finished: u64) -> Option<Rate> {
        if !self.trains(parameter.name()) {
            return None;
        }
        let own = self
            .conv1_lr
            .iter()
            .rev()
            .find(|later| later.after <= finished);
        match own.filter(|_| parameter.name().starts_with("conv1.")) {
            Some(own) if own.frozen => None,
            // Biases too: their own rule is for rates that follow the schedule.
            Some(own) => Some(Rate {
                lr: own.lr as f32,
                ..self.sgd.rate(parameter.kind(), 0.0)
            }),
            None => Some(self.sgd.rate(parameter.kind(), lr as f32)),
        }
    }

    /// The colour noise of the epoch after `finished` ones; `None` without any.
    #[must_use]
    pub fn color_noise(&self, finished: u64) -> Option<ColorNoise> {
        let ended = self.color_until.is_some_and(|end| finished >= end);
        (!ended && self.color_std > 0.0).then_some(ColorNoise {
            std: self.color_std,
            divisor: self.color_divisor,
        })
    }

    /// What is wrong with the first invalid value; `None` for a recipe that can be trained.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let positive = |name: &str, value: f64| {
            (!value.is_finite() || value <= 0.0)
                .then(|| format!("{name} is {}; it must be above 0", number(value)))
        };
        // Updates are computed in f32, where a lower rate is 0.
        let rate = |name: &str, value: f64, least: f64| {
            (!(least..=HIGHEST_RATE).contains(&value)).then(|| {
                let least = if least > 0.0 { "above 0" } else { "0 or above" };
                let (value, highest) = (number(value), number(HIGHEST_RATE));
                format!("{name} is {value}; it must be {least} in f32, and at most {highest}")
            })
        };
        let share = |name: &str, value: f64| {
            (!(0.0..1.0).contains(&value)).then(|| {
                format!(
                    "{name} is {}; it must be at least 0 and below 1",
                    number(value)
                )
            })
        };
        let not_zero =
            |name: &str, value: u64| (value == 0).then(|| format!("{name} must be at least 1"));
        not_zero("the number of epochs", self.epochs)
            .or_else(|| not_zero("the batch size", self.batch_size as u64))
            .or_else(|| rate("the learning rate", self.lr, f32::MIN_POSITIVE.into()))
            .or_else(|| positive("the biases' rate factor", self.sgd.bias_lr_factor.into()))
            .or_else(|| positive("the kernels' radius", self.kernel_radius.unwrap_or(1.0)))
            .or_else(|| share("the momentum", self.sgd.momentum.into()))
            .or_else(|| share("the weight decay", self.sgd.weight_decay.into()))
            .or_else(|| not_zero("the number of images to a draw", self.draw_every))
            .or_else(|| order::problem(self.order))
            .or_else(|| share("the colour noise", self.color_std))
            .or_else(|| positive("the colour divisor", self.color_divisor))
            .or_else(|| self.cropping.problem())
            .or_else(|| {
                let uncut = self.mean == Mean::Image && self.cropping.resizes();
                uncut.then(|| UNCUT_MEAN.to_owned())
            })
            .or_else(|| self.jitter.problem())
            .or_else(|| {
                let unnamed = self.val_split.as_deref() == Some(NONE);
                unnamed.then(|| format!("{NONE} is no split to validate on: it means no choice"))
            })
            .or_else(|| not_zero("the number of batches accumulated", self.accumulate as u64))
            .or_else(|| {
                let images = self.batch_size.checked_mul(self.accumulate);
                let fits = images.is_some_and(|images| images <= MOST_IMAGES);
                (!fits).then(|| format!("a step has more than {MOST_IMAGES} images; use smaller batches"))
            })
            .or_else(|| rate("the biases' rate", self.sgd.bias_lr.unwrap_or(0.0).into(), 0.0))
            .or_else(|| {
                let mut rates = self.conv1_lr.iter();
                rates.find_map(|later| rate("a rate of conv1", later.lr, 0.0))
            })
            .or_else(|| {
                let moves = |rate: &&LaterRate| rate.frozen && rate.lr != 0.0;
                self.conv1_lr.iter().find(moves).map(|rate| {
                    format!(
                        "conv1 is frozen after epoch {} but has the rate {}; give it `lr = 0`, or leave \
                         `frozen = true` out",
                        rate.after,
                        number(rate.lr)
                    )
                })
            })
            .or_else(|| {
                (!self.conv1_lr.is_sorted_by(|a, b| a.after < b.after))
                    .then(|| "the epochs of conv1's rates must rise".to_owned())
            })
            .or_else(|| {
                let empty = self.freeze.iter().any(String::is_empty);
                empty.then(|| "the name of a layer to freeze is empty".to_owned())
            })
            .or_else(|| self.schedule.problem())
    }
}

#[cfg(test)]
mod tests {
    use super::Recipe;
    use crate::net::sgd::SgdConfig;

    #[test]
    fn survives_json_to_the_last_bit() {
        let recipe = Recipe {
            lr: 0.1 + 0.2,
            sgd: SgdConfig {
                momentum: 1.0 / 3.0,
                ..SgdConfig::default()
            },
            ..Recipe::default()
        };
        let json = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), recipe);
    }

    #[test]
    fn refuses_unknown_keys_and_missing_ones() {
        let json = serde_json::to_string(&Recipe::default()).unwrap();
        assert!(serde_json::from_str::<Recipe>(&json.replace("\"lr\"", "\"rate\"")).is_err());
    }

    #[test]
    fn names_the_value_that_makes_no_sense() {
        assert_eq!(Recipe::default().problem(), None);
        let spoiled = |spoil: fn(&mut Recipe)| {
            let mut recipe = Recipe::default();
            spoil(&mut recipe);
            recipe
        };
        for (recipe, word) in [
            (spoiled(|recipe| recipe.lr = f64::NAN), "learning rate"),
            (spoiled(|recipe| recipe.sgd.momentum = 1.0), "momentum"),
            (spoiled(|recipe| recipe.batch_size = 0), "batch size"),
            (
                spoiled(|recipe| recipe.kernel_radius = Some(0.0)),
                "kernels' radius",
            ),
        ] {
            assert!(recipe.problem().is_some_and(|text| text.contains(word)));
        }
    }
}
