//! The convolutions of each variant and the pools behind them, before their input's size is known.

use crate::net::config::{Conv1Padding, Conv1Window, ModelConfig, Variant};
use crate::net::shape::PoolKind;

/// How a convolution's window moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) side: usize,
    pub(super) stride: usize,
    /// Zeros above and to the left.
    pub(super) before: usize,
    /// Zeros below and to the right.
    pub(super) after: usize,
}

impl Window {
    /// A window that visits every pixel, with as many zeros on each side as keep the image's size.
    const fn same(side: usize) -> Self {
        Self {
            side,
            stride: 1,
            before: side / 2,
            after: side / 2,
        }
    }

    /// conv1's.
    fn conv1(config: &ModelConfig) -> Self {
        // With zeros on each side both forms have as many outputs as with the fewest on one.
        let (side, stride, symmetric) = match config.conv1_window {
            Conv1Window::Eleven => (11, 4, 2),
            Conv1Window::Seven => (7, 2, 1),
        };
        let (before, after) = match config.conv1_padding {
            Conv1Padding::Symmetric => (symmetric, symmetric),
            Conv1Padding::RightBottom => {
                let steps = config.input_size.max(side) - side;
                (0, steps.wrapping_neg() % stride)
            }
        };
        Self {
            side,
            stride,
            before,
            after,
        }
    }

    /// conv2's. Where conv1 has twice the outputs a side, it visits every second pixel.
    const fn conv2(config: &ModelConfig) -> Self {
        let stride = match config.conv1_window {
            Conv1Window::Eleven => 1,
            Conv1Window::Seven => 2,
        };
        Self {
            stride,
            ..Self::same(5)
        }
    }
}

/// The pool behind a convolution; its windows are two pixels apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) kind: PoolKind,
    /// Side of the window.
    pub(super) side: usize,
    /// Whether windows are cut at the border.
    pub(super) cut: bool,
}

/// A convolution and the pool behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    /// 1 for conv1 and pool1.
    pub(super) number: usize,
    /// Kernels at the variant's full width.
    pub(super) kernels: usize,
    pub(super) window: Window,
    pub(super) groups: usize,
    pub(super) pool: Option<Pool>,
}

/// The stages of the network that `config` describes.
pub(super) fn stages(config: &ModelConfig) -> Vec<Stage> {
    let kernels = match (config.variant, config.columns) {
        (Variant::Fig1, _) => return fig1(),
        (Variant::Alexnet, 2) => [96, 256, 384, 384, 256],
        (Variant::Alexnet, _) => [48, 128, 192, 192, 256],
        (Variant::AlexnetOwt, _) => [64, 192, 384, 256, 256],
    };
    let stage = |(number, kernels)| Stage {
        number,
        kernels,
        window: match number {
            1 => Window::conv1(config),
            2 => Window::conv2(config),
            _ => Window::same(3),
        },
        groups: if matches!(number, 2 | 4 | 5) {
            config.columns
        } else {
            1
        },
        pool: matches!(number, 1 | 2 | 5).then_some(Pool {
            kind: PoolKind::Max,
            side: config.pooling.kernel(),
            cut: false,
        }),
    };
    (1..).zip(kernels).map(stage).collect()
}

/// Fig. 1's network, from the authors' CIFAR-10 example. cuda-convnet rounds the number of a pool's windows
/// up.
fn fig1() -> Vec<Stage> {
    let stages = [
        (32, PoolKind::Max),
        (32, PoolKind::Average),
        (64, PoolKind::Average),
    ];
    let stage = |(number, (kernels, kind))| Stage {
        number,
        kernels,
        window: Window::same(5),
        groups: 1,
        pool: Some(Pool {
            kind,
            side: 3,
            cut: true,
        }),
    };
    (1..).zip(stages).map(stage).collect()
}
