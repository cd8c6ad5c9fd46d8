//! Whole recipes: by name, or from a TOML file that names what differs from one of them.

mod error;
mod overlay;

pub use error::SetupError;

use std::path::Path;
use std::{fmt, fs};

use serde::Serialize;
use serde_json::Value;

use crate::net::config::{Activation, Conv1Order, LrnConfig, ModelConfig, Variant};
use crate::net::sgd::SgdConfig;
use crate::recipe::augmentation::Cropping;
use crate::recipe::difference::{Difference, differences};
use crate::recipe::schedule::{NET_145_MILESTONES, ScheduleConfig};
use crate::recipe::{InputScale, LaterRate, Mean, NONE, Recipe};
use overlay::{nested, overlay};

/// A network and how it is trained. The default is the paper.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Setup {
    /// How it is trained.
    #[serde(flatten)]
    pub recipe: Recipe,
    /// What it is made of.
    pub model: ModelConfig,
}

/// What a recipe of our own is called, and for whom it is.
pub const NAMES: [(&str, &str); 6] = [
    (
        "paper",
        "the paper, with the authors' source where the paper is silent",
    ),
    (
        "net145",
        "net 145 of the authors' source, the run behind the paper's figures",
    ),
    ("owt", "the paper's training of torchvision's network"),
    (
        "small",
        "the paper for sets of a few classes: lr 0.002, batches of 64",
    ),
    (
        "large-batch",
        "the paper with batches of 1,024: lr 0.08, reached in a warm-up of 5 epochs",
    ),
    (
        "fig1",
        "the four-layer network of the paper's Fig. 1 on CIFAR-10, without regularisation; CPU only",
    ),
];

/// Keys that bring the defaults of other keys with them.
const FIRST: [&str; 5] = [
    "model.variant",
    "schedule",
    "schedule.kind",
    "cropping",
    "cropping.kind",
];

/// Net 145's rate of biases, whatever that of weights.
const NET_145_BIAS_LR: f32 = 0.02;

/// Consecutive images that share net 145's crop and mirroring.
const NET_145_DRAW_EVERY: u64 = 32;

impl Setup {
    /// The recipe of a name in [`NAMES`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let paper = Self::default();
        match name {
            "paper" => Some(paper),
            "net145" => Some(net_145()),
            "owt" => Some(Self {
                model: ModelConfig::alexnet_owt(),
                ..paper
            }),
            "small" => Some(Self {
                recipe: Recipe {
                    lr: 0.002,
                    batch_size: 64,
                    ..paper.recipe
                },
                ..paper
            }),
            "large-batch" => Some(large_batch()),
            "fig1" => Some(fig_1()),
            _ => None,
        }
    }

    /// The recipe of a name, or else of the TOML file of that path: its `base` (`paper` if it has
    /// none) with what it names replaced.
    ///
    /// # Errors
    /// A file that cannot be read, an unknown key (the nearest known one is named), or a value of
    /// another type.
    pub fn open(name: &str) -> Result<Self, SetupError> {
        if let Some(setup) = Self::named(name) {
            return Ok(setup);
        }
        let path = Path::new(name);
        if !path.is_file() {
            return Err(unknown(name));
        }
        let text = fs::read_to_string(path).map_err(|source| SetupError::Io {
            path: path.into(),
            source,
        })?;
        Self::parse(&text).map_err(|source| SetupError::In {
            path: path.into(),
            source: Box::new(source),
        })
    }

    /// The recipe of a TOML text; see [`open`](Self::open).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn parse(text: &str) -> Result<Self, SetupError> {
        let mut table: toml::Table = text.parse()?;
        let base = match table.remove("base") {
            None => Self::default(),
            Some(toml::Value::String(name)) => Self::named(&name).ok_or_else(|| unknown(&name))?,
            Some(other) => {
                let reason = format!("{other} is no name of a recipe");
                return Err(SetupError::value("base", reason));
            }
        };
        overlay(base, &table)
    }

    /// Replaces one value: `lr=0.002`, `model.lrn.k=1`, `color_until=none`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn set(self, assignment: &str) -> Result<Self, SetupError> {
        let Some((key, value)) = assignment.split_once('=') else {
            return Err(SetupError::value(assignment, "write KEY=VALUE"));
        };
        // What is no TOML value is a word.
        let value = match format!("value = {value}").parse::<toml::Table>() {
            Ok(mut table) if table.len() == 1 => table.remove("value").expect("just written"),
            _ => toml::Value::String(value.to_owned()),
        };
        overlay(self, &nested(key, value))
    }

    /// Replaces several values, whatever their order; see [`set`](Self::set).
    pub(crate) fn set_all<'a>(
        mut self,
        assignments: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, SetupError> {
        let is_first = |assignment: &&str| {
            let key = assignment.split('=').next().unwrap_or_default();
            FIRST.contains(&key.trim())
        };
        let (first, rest): (Vec<&str>, Vec<_>) = assignments.into_iter().partition(is_first);
        for assignment in first.into_iter().chain(rest) {
            self = self.set(assignment)?;
        }
        Ok(self)
    }

    /// Every value in which two setups differ.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        differences(self, other)
    }

    /// The same with another activation and what it needs. tanh is flat at pixels of 0 to 255 and biases
    /// of 1, so it brings standardised pixels, biases of 0, and weights of a standard deviation of
    /// 0.02, with which the loss of the ablations falls. Fig. 1's network has initial values that suit both.
    #[must_use]
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.model.activation = activation;
        if activation == Activation::Tanh && self.model.variant != Variant::Fig1 {
            self.recipe.scale = InputScale::Standardized;
            (self.model.init.bias, self.model.init.std) = (0.0, 0.02);
        }
        self
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tree = serde_json::to_value(self).expect("plain data becomes JSON");
        fill(&mut tree);
        let text = toml::to_string(&tree).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

/// TOML cannot write nothing.
fn fill(tree: &mut Value) {
    match tree {
        Value::Null => *tree = Value::String(NONE.to_owned()),
        Value::Number(number) => {
            // An f32 is written by its own few digits, which give the same f32 again.
            let short = number
                .as_f64()
                .filter(|_| number.is_f64())
                .and_then(|wide| {
                    let narrow = wide as f32;
                    let digits = narrow.to_string().parse::<f64>().ok();
                    digits.filter(|_| f64::from(narrow) == wide)
                });
            if let Some(short) = short {
                *tree = short.into();
            }
        }
        Value::Object(map) => map.values_mut().for_each(fill),
        _ => {}
    }
}

fn unknown(name: &str) -> SetupError {
    let known = NAMES.map(|(name, _)| name);
    SetupError::UnknownName {
        name: name.to_owned(),
        known: known.join(", "),
        nearest: error::similar(name, &known).0,
    }
}

/// The paper's training with batches of 1,024. The rate is scaled with the batch, as Krizhevsky found to serve
/// better than its root ("One weird trick for parallelizing convolutional neural networks", 2014, section 4), and the
/// warm-up and the epochs at which the rate falls are those of Goyal et al. ("Accurate, Large Minibatch SGD", 2017).
fn large_batch() -> Setup {
    let paper = Setup::default();
    Setup {
        recipe: Recipe {
            batch_size: 1024,
            linear_lr: true,
            schedule: ScheduleConfig::warm_up(),
            ..paper.recipe
        },
        ..paper
    }
}

/// First learning rate of the authors' CIFAR-10 example; 0.002 for its biases.
const FIG_1_LR: f64 = 0.001;

/// Epochs on the axis of the paper's Fig. 1.
const FIG_1_EPOCHS: u64 = 40;

/// The paper's Fig. 1: no regularisation of any kind, and a rate that stays. What the figure's two networks
/// were trained with is not known but that each had its own rate; the rest is the paper's.
fn fig_1() -> Setup {
    let paper = Recipe::default();
    let recipe = Recipe {
        epochs: FIG_1_EPOCHS,
        lr: FIG_1_LR,
        sgd: SgdConfig {
            weight_decay: 0.0,
            ..paper.sgd
        },
        schedule: ScheduleConfig::steps(Vec::new()),
        cropping: Cropping::Fixed,
        flip: false,
        color_std: 0.0,
        mean: Mean::Image,
        ..paper
    };
    Setup {
        recipe,
        model: ModelConfig::fig1(),
    }
}

/// Facts of the authors' source and run log.
fn net_145() -> Setup {
    let paper = Setup::default();
    let mut recipe = Recipe {
        // "To 91": the rate falls after 25, 51 and 79 epochs.
        epochs: 91,
        schedule: ScheduleConfig::steps(NET_145_MILESTONES.to_vec()),
        draw_every: NET_145_DRAW_EVERY,
        color_until: Some(67),
        color_divisor: 1.1,
        conv1_lr: vec![
            LaterRate {
                after: 67,
                lr: 1e-5,
                frozen: false,
            },
            LaterRate {
                after: 72,
                lr: 0.0,
                frozen: true,
            },
        ],
        mean: Mean::ImageCenter,
        ..paper.recipe
    };
    recipe.sgd.bias_lr = Some(NET_145_BIAS_LR);
    Setup {
        recipe,
        model: ModelConfig {
            lrn_within_columns: true,
            map_norm: Some(LrnConfig::NET_145_MAPS),
            conv1_order: Conv1Order::ActivationLast,
            conv5_pool_first: true,
            ..paper.model
        },
    }
}

#[cfg(test)]
mod tests;
