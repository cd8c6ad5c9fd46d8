//! The order of an epoch: which sample has which place.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use shardmill_formats::{Permutation, Philox};

use super::blocks::Blocks;
use super::shards::Shards;
use crate::data::ShardRuns;

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
    /// Whole shards in random order; the samples of `together` shards at a time are shuffled.
    ///
    /// Each shard is needed in one part of an epoch only. So a dataset in an object store can be read
    /// through a cache that holds less than all of it, and each shard is fetched at most once an epoch.
    /// What [`Blocks`](Self::Blocks) says of the samples of a batch holds here too. It is for a single
    /// dataset, and keeps two numbers for each shard.
    Shards {
        /// Shards that are shuffled together.
        together: u64,
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

    /// 8 shards at a time.
    #[must_use]
    pub const fn shards() -> Self {
        Self::Shards { together: 8 }
    }

    /// Number of samples that are read as one piece and shuffled with each other.
    pub(crate) const fn window(self, samples: u64) -> u64 {
        match self {
            Self::Global => samples,
            Self::Blocks { block, interleave } => block * interleave,
            Self::Shards { .. } | Self::Sequential => 1,
        }
    }

    /// The order of `samples` samples that the generator and `tweak` determine. `runs` are their shards,
    /// which only the order of shards needs.
    pub(crate) fn draw(
        self,
        samples: u64,
        runs: Option<&Arc<ShardRuns>>,
        philox: &Philox,
        tweak: u64,
    ) -> SampleOrder {
        match self {
            Self::Global => SampleOrder::Global(Permutation::new(samples, philox, tweak)),
            Self::Blocks { block, interleave } => {
                SampleOrder::Blocks(Blocks::new(samples, block, interleave, philox, tweak))
            }
            Self::Shards { together } => {
                let runs = runs.expect("the builder finds the shards' samples for this order");
                SampleOrder::Shards(Shards::new(runs, together, philox, tweak))
            }
            Self::Sequential => SampleOrder::Sequential,
        }
    }
}

impl fmt::Display for Order {
    /// The name that [`FromStr`] reads; blocks of other sizes than the usual ones are given with them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Global => f.write_str("global"),
            order if order == Self::blocks() => f.write_str("blocks"),
            Self::Blocks { block, interleave } => write!(f, "blocks:{block}x{interleave}"),
            order if order == Self::shards() => f.write_str("shards"),
            Self::Shards { together } => write!(f, "shards:{together}"),
            Self::Sequential => f.write_str("sequential"),
        }
    }
}

impl FromStr for Order {
    type Err = String;

    /// Reads `global`, `blocks`, `blocks:SAMPLESxBLOCKS`, `shards`, `shards:TOGETHER` or `sequential`.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().ok().filter(|&number: &u64| number > 0);
        let order = match text.split_once(':') {
            None => match text {
                "global" => Some(Self::Global),
                "blocks" => Some(Self::blocks()),
                "shards" => Some(Self::shards()),
                "sequential" => Some(Self::Sequential),
                _ => None,
            },
            Some(("shards", together)) => {
                number(together).map(|together| Self::Shards { together })
            }
            Some(("blocks", sizes)) => sizes.split_once('x').and_then(|(block, interleave)| {
                let (block, interleave) = (number(block)?, number(interleave)?);
                Some(Self::Blocks { block, interleave })
            }),
            Some(_) => None,
        };
        order.ok_or_else(|| {
            "give global, blocks, shards or sequential; shards:4 shuffles 4 shards at a time, and blocks:32x32 \
             shuffles 32 blocks of 32 samples at a time"
                .to_owned()
        })
    }
}

/// The order of the samples of one dataset.
pub(crate) enum SampleOrder {
    Global(Permutation),
    Blocks(Blocks),
    Shards(Shards),
    Sequential,
}

impl SampleOrder {
    pub(crate) fn at(&self, place: u64) -> u64 {
        match self {
            Self::Global(permutation) => permutation.at(place),
            Self::Blocks(blocks) => blocks.at(place),
            Self::Shards(shards) => shards.at(place),
            Self::Sequential => place,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_as_they_are_written() {
        for text in [
            "global",
            "blocks",
            "blocks:8x4",
            "shards",
            "shards:3",
            "sequential",
        ] {
            assert_eq!(text.parse::<Order>().unwrap().to_string(), text);
        }
        assert_eq!("shards:8".parse(), Ok(Order::shards()));
        for text in [
            "",
            "Global",
            "shards:",
            "shards:0",
            "shards:-1",
            "blocks:3",
            "blocks:0x3",
            "global:1",
        ] {
            assert!(text.parse::<Order>().is_err(), "{text}");
        }
    }
}
