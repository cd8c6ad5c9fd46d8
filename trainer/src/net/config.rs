//! The choices that make up a network, from which everything else about it follows.

use serde::{Deserialize, Serialize};

/// Which network the other choices start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// The 2012 network: convolutions of 96, 256, 384, 384 and 256 kernels in two columns.
    #[default]
    #[value(help = "The 2012 network, in two columns")]
    Alexnet,
    /// The single-column 64-192-384-256-256 network that torchvision ships.
    #[value(help = "The single-column network that torchvision ships")]
    AlexnetOwt,
    /// The four-layer network of the paper's Fig. 1 for images of 32x32 pixels, as the authors' CIFAR-10
    /// example has it: convolutions of 32, 32 and 64 kernels of 5x5, a max pool and two average pools.
    #[value(help = "The four-layer network of the paper's Fig. 1, for CIFAR-10; CPU only")]
    Fig1,
}

impl Variant {
    /// The name of the last layer, whose outputs are the classes.
    #[must_use]
    pub const fn last_layer(self) -> &'static str {
        match self {
            Self::Alexnet | Self::AlexnetOwt => "fc8",
            Self::Fig1 => "fc4",
        }
    }
}

/// The function applied after every layer with weights but the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(x, 0)`; the gradient at 0 is 0.
    #[default]
    #[value(help = None::<&str>)]
    Relu,
    /// Hyperbolic tangent.
    #[value(help = None::<&str>)]
    Tanh,
    /// `1 / (1 + exp(-x))`.
    #[value(help = None::<&str>)]
    Sigmoid,
}

/// The window of every max pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// 3x3 windows every 2 pixels.
    #[default]
    Overlapping,
    /// 2x2 windows every 2 pixels.
    NonOverlapping,
}

impl Pooling {
    /// Side of the window, in pixels.
    #[must_use]
    pub const fn kernel(self) -> usize {
        match self {
            Self::Overlapping => 3,
            Self::NonOverlapping => 2,
        }
    }
}

/// Where conv1's zeros go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conv1Padding {
    /// On the right and bottom only, so many that the last window is full (3 at 224), as in the
    /// authors' source.
    #[default]
    RightBottom,
    /// Two on each side, as torchvision does.
    Symmetric,
}

/// Response normalisation across channels:
/// `b = a / (k + alpha / size * sum of a^2 over size neighbouring channels)^beta`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LrnConfig {
    /// Channels in the sum; odd.
    pub size: usize,
    /// The additive constant.
    pub k: f32,
    /// The scale of the sum; divided by `size`, as in the authors' source, PyTorch and Caffe.
    pub alpha: f32,
    /// The power.
    pub beta: f32,
}

impl LrnConfig {
    /// Net 145's further normalisation within each map, over squares of 5x5 pixels, where `alpha` is
    /// divided by 25.
    pub const NET_145_MAPS: Self = Self {
        size: 5,
        k: 1.0,
        alpha: 1e-3,
        beta: 0.75,
    };
}

/// The initial values. The default is the authors' source.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InitConfig {
    /// Standard deviation of the weights. Paper, section 5: 0.01.
    pub std: f64,
    /// Standard deviation of the weights of conv1; `None`: that of the others. The authors' CIFAR-10
    /// example: 1e-4.
    pub std_conv1: Option<f64>,
    /// Standard deviation of the weights of conv3, conv4 and conv5. Authors' source: 0.03; with the
    /// paper's 0.01 the loss is known to stay at ln(1000).
    pub std_middle: f64,
    /// Biases of conv2, conv4, conv5, fc6 and fc7; the others begin at 0. Paper, section 5: 1.
    pub bias: f32,
}

impl Default for InitConfig {
    fn default() -> Self {
        Self {
            std: 0.01,
            std_conv1: None,
            std_middle: 0.03,
            bias: 1.0,
        }
    }
}

impl InitConfig {
    /// Fig. 1's network: the authors' CIFAR-10 example, 1e-4 for conv1, 0.01 for conv2, conv3 and the
    /// fully connected layer, which has 0.1 in another of their examples; biases begin at 0.
    pub const FIG_1: Self = Self {
        std: 0.01,
        std_conv1: Some(1e-4),
        std_middle: 0.01,
        bias: 0.0,
    };
}

/// The order of conv1's activation, normalisation and pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conv1Order {
    /// Activation, normalisation, pool: the paper.
    #[default]
    ActivationFirst,
    /// Normalisation of the convolution's output, pool, activation: net 145.
    ActivationLast,
}

impl Default for LrnConfig {
    /// The paper's section 3.3.
    fn default() -> Self {
        Self {
            size: 5,
            k: 2.0,
            alpha: 1e-4,
            beta: 0.75,
        }
    }
}

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
    /// Multiplies every layer's width; channels are rounded to multiples of 8. 1 is the paper's.
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
                    found: found.to_string(),
                    expected,
                })
            }
        };
        let sound = (1..=1_000_000).contains(&self.classes);
        check(sound, "classes", &self.classes, "1 to 1000000")?;
        let sound = self.input_size <= 4096;
        check(sound, "input_size", &self.input_size, "at most 4096")?;
        let sound = self.width > 0.0 && self.width <= 8.0;
        check(sound, "width", &self.width, "above 0, at most 8")?;
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
                    found: found[field].to_string(),
                    expected,
                });
            }
        }
        Ok(())
    }
}

/// The fields that Fig. 1's network has no choice of, and what they hold there.
const FIG_1_FIXED: [(&str, &str); 9] = [
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
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serialises_and_reads_back() {
        let config = ModelConfig {
            removed_conv: Some(4),
            ..ModelConfig::alexnet_owt()
        };
        let json = serde_json::to_string(&config).unwrap();
        assert!(json.contains(r#""variant":"alexnet-owt""#), "{json}");
        assert_eq!(serde_json::from_str::<ModelConfig>(&json).unwrap(), config);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert!(serde_json::from_str::<ModelConfig>(r#"{"lrm": null}"#).is_err());
    }

    #[test]
    fn values_out_of_range_are_named() {
        let config = ModelConfig {
            dropout: 1.0,
            ..ModelConfig::alexnet()
        };
        let message = config.validate().unwrap_err().to_string();
        assert_eq!(message, "model.dropout is 1; expected 0 or more, below 1");
        let spoil: [fn(&mut ModelConfig); 5] = [
            |config| config.classes = 0,
            |config| config.variant = Variant::AlexnetOwt,
            |config| config.removed_conv = Some(1),
            |config| (config.lrn, config.lrn_within_columns) = (None, true),
            |config| config.width = f64::NAN,
        ];
        for spoil in spoil {
            let mut config = ModelConfig::alexnet();
            spoil(&mut config);
            assert!(config.validate().is_err(), "{config:?}");
        }
    }

    #[test]
    fn what_fig1_does_not_have_is_refused_in_words() {
        ModelConfig::fig1().validate().unwrap();
        let spoil: [fn(&mut ModelConfig); 9] = [
            |config| config.columns = 2,
            |config| config.lrn = Some(LrnConfig::default()),
            |config| config.lrn_within_columns = true,
            |config| config.map_norm = Some(LrnConfig::NET_145_MAPS),
            |config| config.conv5_pool_first = true,
            |config| config.pooling = Pooling::NonOverlapping,
            |config| config.dropout = 0.5,
            |config| config.removed_conv = Some(2),
            |config| config.conv1_padding = Conv1Padding::RightBottom,
        ];
        for (spoil, (field, _)) in spoil.into_iter().zip(FIG_1_FIXED) {
            let mut config = ModelConfig::fig1();
            spoil(&mut config);
            let message = config.validate().unwrap_err().to_string();
            let named = message.starts_with(&format!("model.{field} is "));
            assert!(named && message.contains("for fig1"), "{message}");
        }
        let config = ModelConfig {
            dropout: 0.5,
            ..ModelConfig::fig1()
        };
        let message = config.validate().unwrap_err().to_string();
        assert_eq!(
            message,
            "model.dropout is 0.5; expected 0 for fig1, which is trained without regularisation"
        );
    }

    #[test]
    fn what_earlier_versions_wrote_means_the_same() {
        let mut json = serde_json::to_value(ModelConfig::alexnet()).unwrap();
        let init = json["init"].as_object_mut().unwrap();
        assert!(init.remove("std_conv1").is_some());
        let config: ModelConfig = serde_json::from_value(json).unwrap();
        assert_eq!(config, ModelConfig::alexnet());
    }

    #[test]
    fn another_variant_keeps_only_classes_that_were_chosen() {
        let alexnet = ModelConfig::alexnet();
        assert_eq!(alexnet.changed_to(Variant::Fig1), ModelConfig::fig1());
        let chosen = ModelConfig {
            classes: 20,
            width: 0.5,
            ..alexnet
        };
        let other = chosen.changed_to(Variant::Fig1);
        assert_eq!((other.classes, other.width), (20, 1.0));
        assert_eq!(chosen.changed_to(Variant::Alexnet), chosen);
    }
}
