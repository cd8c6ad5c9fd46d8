//! Every hyper-parameter of training, each once, with its source.
//!
//! "Paper" is Krizhevsky, Sutskever and Hinton, NIPS 2012; "source" is the authors' released code.
//! What the network is made of (variant, width, input size, dropout) is
//! [`ModelConfig`](crate::ModelConfig).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::schedule::ScheduleConfig;
use crate::sgd::SgdConfig;

/// How a network is trained. The default is the paper.
///
/// It is printed when training starts and stored in every checkpoint as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// Whether images are mirrored at random. Paper, section 4.1: yes.
    pub flip: bool,
    /// Standard deviation of the colour noise along each principal component of the pixels'
    /// colours, in units of that component's own. Paper, section 4.1: 0.1.
    pub color_std: f64,
    /// Scale of the pixels that the network sees. Paper, section 2: minus the mean, nothing else.
    pub scale: InputScale,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            epochs: 90,
            batch_size: 128,
            lr: 0.01,
            sgd: SgdConfig::default(),
            schedule: ScheduleConfig::default(),
            flip: true,
            color_std: 0.1,
            scale: InputScale::MeanOnly,
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
    /// The first value that makes no sense, in words; `None` for a recipe that can be trained.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let positive = |name: &str, value: f64| {
            (!value.is_finite() || value <= 0.0)
                .then(|| format!("{name} is {value}; it must be above 0"))
        };
        let share = |name: &str, value: f64| {
            (!(0.0..1.0).contains(&value))
                .then(|| format!("{name} is {value}; it must be at least 0 and below 1"))
        };
        let not_zero =
            |name: &str, value: u64| (value == 0).then(|| format!("{name} must be at least 1"));
        not_zero("the number of epochs", self.epochs)
            .or_else(|| not_zero("the batch size", self.batch_size as u64))
            .or_else(|| positive("the learning rate", self.lr))
            .or_else(|| positive("the biases' rate factor", self.sgd.bias_lr_factor.into()))
            .or_else(|| share("the momentum", self.sgd.momentum.into()))
            .or_else(|| share("the weight decay", self.sgd.weight_decay.into()))
            .or_else(|| share("the colour noise", self.color_std))
            .or_else(|| self.schedule.problem())
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decay = if self.sgd.bias_decay {
            "with"
        } else {
            "without"
        };
        let flip = if self.flip { ", flip" } else { "" };
        let scale = match self.scale {
            InputScale::MeanOnly => "0-255 minus the channel mean",
            InputScale::Standardized => "minus the channel mean, over its standard deviation",
        };
        writeln!(
            f,
            "recipe    {} epochs of batches of {}",
            self.epochs, self.batch_size
        )?;
        writeln!(
            f,
            "sgd       lr {}, momentum {}, weight decay {}; biases at {} times the rate, {decay} decay",
            self.lr, self.sgd.momentum, self.sgd.weight_decay, self.sgd.bias_lr_factor
        )?;
        writeln!(f, "schedule  {}", self.schedule)?;
        write!(
            f,
            "images    random crop{flip}, colour noise {}; {scale}",
            self.color_std
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Recipe;
    use crate::sgd::SgdConfig;

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
        let sgd = SgdConfig {
            momentum: 1.0,
            ..SgdConfig::default()
        };
        let bad = [
            (
                Recipe {
                    lr: f64::NAN,
                    ..Recipe::default()
                },
                "learning rate",
            ),
            (
                Recipe {
                    sgd,
                    ..Recipe::default()
                },
                "momentum",
            ),
            (
                Recipe {
                    batch_size: 0,
                    ..Recipe::default()
                },
                "batch size",
            ),
        ];
        for (recipe, word) in bad {
            assert!(recipe.problem().is_some_and(|text| text.contains(word)));
        }
    }
}
