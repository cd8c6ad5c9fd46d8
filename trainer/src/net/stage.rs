//! The convolutions of each variant and the pools behind them, before their input's size is known.

use crate::net::config::{Conv1Padding, ModelConfig, Variant};
use crate::net::shape::PoolKind;

/// Side of conv1's window in the paper's network, and its step.
const CONV1_SIDE: usize = 11;
const CONV1_STRIDE: usize = 4;

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

    /// That of the paper's conv1 on an input of `input_size` pixels a side.
    fn conv1(padding: Conv1Padding, input_size: usize) -> Self {
        let (before, after) = match padding {
            Conv1Padding::Symmetric => (2, 2),
            Conv1Padding::RightBottom => {
                let steps = input_size.max(CONV1_SIDE) - CONV1_SIDE;
                (0, steps.wrapping_neg() % CONV1_STRIDE)
            }
        };
        Self {
            side: CONV1_SIDE,
            stride: CONV1_STRIDE,
            before,
            after,
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
            1 => Window::conv1(config.conv1_padding, config.input_size),
            2 => Window::same(5),
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
