//! The order of an epoch: which sample stands at which place.

use shardmill_formats::{Permutation, Philox};

use super::blocks::Blocks;

/// How the order of an epoch is drawn. Every order is a pure function of (seed, epoch, place), takes
/// no memory for a sample and reaches any place at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Any sample may stand anywhere: every order is as likely as every other.
    #[default]
    Global,
    /// Blocks of consecutive samples in random order; the samples of `interleave` blocks at a time
    /// are shuffled among each other.
    ///
    /// A disk then reads long runs, each once in an epoch. What is lost: a batch comes from few
    /// blocks, so which samples may meet depends on how the shards were written. Shards that
    /// `prep ingest` made are shuffled already, and a batch holds as many classes as a global one;
    /// [`Loader::expected_classes`](crate::Loader::expected_classes) computes it for any dataset.
    Blocks {
        /// Samples of a block.
        block: u64,
        /// Blocks that are shuffled together.
        interleave: u64,
    },
    /// The dataset's own.
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

    /// Samples that are shuffled among each other.
    pub(crate) const fn window(self, samples: u64) -> u64 {
        match self {
            Self::Global => samples,
            Self::Blocks { block, interleave } => block * interleave,
            Self::Sequential => 1,
        }
    }

    /// The order of `samples` samples that belongs to the generator and `tweak`.
    pub(crate) fn draw(self, samples: u64, philox: &Philox, tweak: u64) -> Drawn {
        match self {
            Self::Global => Drawn::Global(Permutation::new(samples, philox, tweak)),
            Self::Blocks { block, interleave } => {
                Drawn::Blocks(Blocks::new(samples, block, interleave, philox, tweak))
            }
            Self::Sequential => Drawn::Sequential,
        }
    }
}

/// An order that was drawn.
pub(crate) enum Drawn {
    Global(Permutation),
    Blocks(Blocks),
    Sequential,
}

impl Drawn {
    pub(crate) fn at(&self, place: u64) -> u64 {
        match self {
            Self::Global(permutation) => permutation.at(place),
            Self::Blocks(blocks) => blocks.at(place),
            Self::Sequential => place,
        }
    }
}
