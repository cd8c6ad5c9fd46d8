//! Which samples a batch consists of.

use std::ops::Range;

use shardmill_formats::{Permutation, Philox, Stream};

use crate::settings::LastBatch;

/// The cut of an epoch into batches, and of batches into ranks.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    pub(crate) samples: u64,
    pub(crate) batch_size: u64,
    pub(crate) last: LastBatch,
    pub(crate) shuffle: bool,
    pub(crate) seed: u64,
    pub(crate) rank: u64,
    pub(crate) ranks: u64,
}

impl Sampler {
    /// Number of batches of an epoch, the same for every rank.
    pub(crate) fn steps(&self) -> u64 {
        match self.last {
            LastBatch::Drop => self.samples / self.batch_size,
            LastBatch::Keep | LastBatch::Pad => self.samples.div_ceil(self.batch_size),
        }
    }

    /// Places in the epoch's order of this rank's share of a batch. With padding they may go beyond
    /// the last sample.
    pub(crate) fn places(&self, step: u64) -> Range<u64> {
        let start = step * self.batch_size;
        if self.last == LastBatch::Keep {
            return start..(start + self.batch_size).min(self.samples);
        }
        let share = self.batch_size / self.ranks;
        start + self.rank * share..start + (self.rank + 1) * share
    }

    pub(crate) fn order(&self, epoch: u64) -> Order {
        let philox = Philox::new(self.seed, Stream::Order);
        Order {
            samples: self.samples,
            permutation: self
                .shuffle
                .then(|| Permutation::new(self.samples, &philox, epoch)),
        }
    }
}

/// The order of one epoch; it holds nothing for each sample.
pub(crate) struct Order {
    samples: u64,
    permutation: Option<Permutation>,
}

impl Order {
    /// The sample at a place; places beyond the last begin again.
    pub(crate) fn sample(&self, place: u64) -> u64 {
        let place = place % self.samples;
        self.permutation
            .as_ref()
            .map_or(place, |permutation| permutation.at(place))
    }
}
