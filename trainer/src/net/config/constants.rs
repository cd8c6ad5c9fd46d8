//! The constants of the normalisations and of the initial values.

use serde::{Deserialize, Serialize};

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
