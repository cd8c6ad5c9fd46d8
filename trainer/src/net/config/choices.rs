//! The choices between named forms.

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
    /// Two on each side, as torchvision does; one for windows of 7x7.
    Symmetric,
}

/// The size and the step of conv1's window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Conv1Window {
    /// 11x11 every 4 pixels: the paper.
    #[default]
    #[serde(rename = "11x11")]
    Eleven,
    /// 7x7 every 2 pixels: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2013,
    /// section 4.1. As in their Fig. 3, conv2 visits every second pixel then, so that the later layers keep
    /// their sizes.
    #[serde(rename = "7x7")]
    Seven,
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
