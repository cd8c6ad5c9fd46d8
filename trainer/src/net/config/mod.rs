//! The choices that make up a network, from which everything else about it follows.

mod choices;
mod constants;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::net::number::number;

pub use choices::{Activation, Conv1Order, Conv1Padding, Conv1Window, Pooling, Variant};
pub use constants::{InitConfig, LrnConfig};

/// One network: a variant and the switches of the paper's ablations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// The network to start from.
    pub variant: Variant,
    /// Classes of the last layer.
    pub classes: usize,
    /// Side of the square input image, in pixels.
    pub input_size: usize,
    /// Multiplies every layer's width; channels are rounded to multiples of 8. 0.0001 to 8; 1 is the
    /// paper's.
    pub width: f64,
    /// 2: grouped convolutions in conv2, conv4 and conv5. 1: one column of half the width, with
    /// conv5 and the fully connected layers left as they are (the paper's footnote to section 3.2).
    pub columns: usize,
    /// Response normalisation after conv1 and conv2; `None` leaves it out.
    pub lrn: Option<LrnConfig>,
    /// Whether that normalisation stays within each of the [`columns`](Self::columns), so that channels
    /// at a column's border have fewer neighbours: net 145. Otherwise it runs over all channels of a
    /// pixel, as the paper's formula does. With one column the two are the same.
    pub lrn_within_columns: bool,
    /// Further normalisation after norm2 within each map, where `alpha` is divided by `size^2`; not in
    /// the paper.
    pub map_norm: Option<LrnConfig>,
    /// The order of conv1's activation, normalisation and pool.
    pub conv1_order: Conv1Order,
    /// Whether conv5's activation comes after pool5, as in net 145. A rising function gives the same
    /// values and gradients on both sides of a max pool.
    pub conv5_pool_first: bool,
    /// The initial values.
    pub init: InitConfig,
    /// The window of the max pools.
    pub pooling: Pooling,
    /// The activation function.
    pub activation: Activation,
    /// The share of values dropped around fc6 and fc7 while training; 0 for none.
    pub dropout: f32,
    /// A convolution to leave out, 2 to 5 (its pool stays).
    pub removed_conv: Option<usize>,
    /// Where conv1's zeros go.
    pub conv1_padding: Conv1Padding,
    /// The size and the step of conv1's window.
    pub conv1_window: Conv1Window,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self::alexnet()
    }
}

/// Why a [`ModelConfig`] describes no network.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ModelConfigError {
    /// A field has a value out of its range.
    #[error("model.{field} is {found}; expected {expected}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What it holds.
        found: String,
        /// What it may hold.
        expected: &'static str,
    },
    /// The image is too small for a layer's window.
    #[error(
        "an input of {input_size}x{input_size} pixels leaves {found}x{found} for {layer}, whose \
         window is {window}x{window}; use a larger input_size"
    )]
    TooSmall {
        /// The configured side of the input.
        input_size: usize,
        /// The layer that does not fit.
        layer: String,
        /// The side that reaches the layer.
        found: usize,
        /// The side that it needs.
        window: usize,
    },
}

impl ModelConfig {
    /// The network of the 2012 paper: 60,965,224 parameters with 1,000 classes.
    #[must_use]
    pub fn alexnet() -> Self {
        Self {
            variant: Variant::Alexnet,
            classes: 1000,
            input_size: 224,
            width: 1.0,
            columns: 2,
            lrn: Some(LrnConfig::default()),
            lrn_within_columns: false,
            map_norm: None,
            conv1_order: Conv1Order::ActivationFirst,
            conv5_pool_first: false,
            init: InitConfig::default(),
            pooling: Pooling::Overlapping,
            activation: Activation::Relu,
            dropout: 0.5,
            removed_conv: None,
            conv1_padding: Conv1Padding::RightBottom,
            conv1_window: Conv1Window::Eleven,
        }
    }

    /// The network that torchvision calls `alexnet`: 61,100,840 parameters with 1,000 classes.
    #[must_use]
    pub fn alexnet_owt() -> Self {
        Self {
            variant: Variant::AlexnetOwt,
            columns: 1,
            lrn: None,
            conv1_padding: Conv1Padding::Symmetric,
            ..Self::alexnet()
        }
    }

    /// The variant's own choices with everything else at its default.
    #[must_use]
    pub fn of(variant: Variant) -> Self {
        match variant {
            Variant::Alexnet => Self::alexnet(),
            Variant::AlexnetOwt => Self::alexnet_owt(),
            Variant::Fig1 => Self::fig1(),
        }
    }

    /// The network of the paper's Fig. 1: 89,578 parameters with 10 classes.
    ///
    /// conv1's activation comes after its pool, as in the authors' example; a rising function gives the
    /// same values and gradients on both sides of a max pool.
    #[must_use]
    pub fn fig1() -> Self {
        Self {
            variant: Variant::Fig1,
            classes: 10,
            input_size: 32,
            columns: 1,
            lrn: None,
            conv1_order: Conv1Order::ActivationLast,
            init: InitConfig::FIG_1,
            dropout: 0.0,
            conv1_padding: Conv1Padding::Symmetric,
            ..Self::alexnet()
        }
    }

    /// Another variant's own choices; of this network's own, a number of classes that was chosen stays.
    #[must_use]
    pub fn changed_to(&self, variant: Variant) -> Self {
        if self.variant == variant {
            return self.clone();
        }
        let mut other = Self::of(variant);
        if self.classes != Self::of(self.variant).classes {
            other.classes = self.classes;
        }
        other
    }

    /// Checks every field's range; shapes are checked where the layers are laid out.
    ///
    /// # Errors
    /// The first field out of its range.
    pub fn validate(&self) -> Result<(), ModelConfigError> {
        let check = |ok: bool, field, found: &dyn ToString, expected| {
            if ok {
                Ok(())
            } else {
                Err(ModelConfigError::Field {
                    field,
                    found: shortened(found.to_string()),
                    expected,
                })
            }
        };
        let sound = (1..=1_000_000).contains(&self.classes);
        check(sound, "classes", &self.classes, "1 to 1000000")?;
        let sound = self.input_size <= 4096;
        check(sound, "input_size", &self.input_size, "at most 4096")?;
        // Long before the narrowest, every layer has the eight channels that it cannot do without.
        let sound = (0.0001..=8.0).contains(&self.width);
        check(sound, "width", &self.width, "0.0001 to 8")?;
        let sound = matches!(self.columns, 1 | 2);
        check(sound, "columns", &self.columns, "1 or 2")?;
        let sound = self.columns == 1 || self.variant != Variant::AlexnetOwt;
        check(sound, "columns", &self.columns, "1 for alexnet-owt")?;
        if self.variant == Variant::Fig1 {
            self.validate_fig1()?;
        }
        let sound = (0.0..1.0).contains(&self.dropout);
        check(sound, "dropout", &self.dropout, "0 or more, below 1")?;
        let removed = self.removed_conv.unwrap_or(3);
        let sound = (2..=5).contains(&removed);
        check(sound, "removed_conv", &removed, "2 to 5")?;
        let conv1 = self.init.std_conv1.unwrap_or(0.0);
        for std in [self.init.std, conv1, self.init.std_middle] {
            let sound = (0.0..=10.0).contains(&std);
            check(sound, "init.std", &std, "0 to 10")?;
        }
        let bias = self.init.bias;
        check(bias.is_finite(), "init.bias", &bias, "a number")?;
        let within = self.lrn_within_columns;
        let (sound, expected) = (
            self.lrn.is_some() || !within,
            "false where model.lrn is none",
        );
        check(sound, "lrn_within_columns", &within, expected)?;
        for lrn in [self.lrn, self.map_norm].into_iter().flatten() {
            let sound = lrn.size % 2 == 1 && lrn.size <= 15;
            check(sound, "lrn.size", &lrn.size, "odd, at most 15")?;
            check(lrn.k > 0.0, "lrn.k", &lrn.k, "above 0")?;
            check(lrn.alpha >= 0.0, "lrn.alpha", &lrn.alpha, "0 or more")?;
            check(lrn.beta >= 0.0, "lrn.beta", &lrn.beta, "0 or more")?;
        }
        Ok(())
    }

    /// Checks that nothing is changed that Fig. 1's network does not have.
    fn validate_fig1(&self) -> Result<(), ModelConfigError> {
        let (own, json) = (Self::fig1(), |value: &Self| {
            serde_json::to_value(value).expect("plain data becomes JSON")
        });
        let (own, found) = (json(&own), json(self));
        for (field, expected) in FIG_1_FIXED {
            if found[field] != own[field] {
                return Err(ModelConfigError::Field {
                    field,
                    found: match &found[field] {
                        Value::String(word) => word.clone(),
                        Value::Object(_) => "set".to_owned(),
                        other => other.to_string(),
                    },
                    expected,
                });
            }
        }
        Ok(())
    }
}

/// The text of a value, with an exponent for a number of many digits.
fn shortened(text: String) -> String {
    match text.parse() {
        Ok(value) if text.len() > 16 => number(value),
        _ => text,
    }
}

/// The fields that Fig. 1's network has no choice of, and what they hold there.
const FIG_1_FIXED: [(&str, &str); 10] = [
    ("columns", "1 for fig1"),
    ("lrn", "none for fig1, which has no normalisation"),
    ("lrn_within_columns", "false for fig1"),
    ("map_norm", "none for fig1, which has no normalisation"),
    ("conv5_pool_first", "false for fig1, which has no conv5"),
    ("pooling", "overlapping for fig1"),
    (
        "dropout",
        "0 for fig1, which is trained without regularisation",
    ),
    ("removed_conv", "none for fig1"),
    ("conv1_padding", "symmetric for fig1"),
    (
        "conv1_window",
        "11x11, no other choice, for fig1, whose kernels are all 5x5",
    ),
];

#[cfg(test)]
mod tests;
