//! The order of an epoch: which sample has which place.

use shardmill_formats::{Permutation, Philox};

use super::blocks::Blocks;

/// How the order of an epoch is drawn. Every order is a pure function of (seed, epoch, place), needs no
/// memory for each sample, and computes any place directly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Any sample may have any place, and all orders are equally likely.
    #[default]
    Global,
    /// Blocks of consecutive samples in random order; the samples of `interleave` blocks at a time are
    /// shuffled.
    ///
    /// A disk then reads long runs, each once in an epoch. In exchange, the samples of a batch come from
    /// few blocks, so which samples can meet depends on how the shards were written. Shards from
    /// `prep ingest` are already shuffled, and a batch of them holds as many classes as in the global
    /// order; [`Loader::expected_classes`](crate::Loader::expected_classes) computes that number for
    /// any dataset.
    Blocks {
        /// Samples of a block.
        block: u64,
        /// Blocks that are shuffled together.
        interleave: u64,
    },
    /// The dataset's own order.
    Sequential,
}

impl Order {
    /// 32 blocks of 32 samples: windows of 1,024 samples, 200 MB of raw records of 256x256.
    #[must_use]
    pub const fn blocks() -> Self {
        Self::Blocks {
            block: 32,
            interleave: 32,
        }
    }

    /// Number of samples that are shuffled with each other.
    pub(crate) const fn window(self, samples: u64) -> u64 {
        match self {
            Self::Global => samples,
            Self::Blocks { block, interleave } => block * interleave,
            Self::Sequential => 1,
        }
    }

    /// The order of `samples` samples that the generator and `tweak` determine.
    pub(crate) fn draw(self, samples: u64, philox: &Philox, tweak: u64) -> SampleOrder {
        match self {
            Self::Global => SampleOrder::Global(Permutation::new(samples, philox, tweak)),
            Self::Blocks { block, interleave } => {
                SampleOrder::Blocks(Blocks::new(samples, block, interleave, philox, tweak))
            }
            Self::Sequential => SampleOrder::Sequential,
        }
    }
}

/// The order of the samples of one dataset.
pub(crate) enum SampleOrder {
    Global(Permutation),
    Blocks(Blocks),
    Sequential,
}

impl SampleOrder {
    pub(crate) fn at(&self, place: u64) -> u64 {
        match self {
            Self::Global(permutation) => permutation.at(place),
            Self::Blocks(blocks) => blocks.at(place),
            Self::Sequential => place,
        }
    }
}
