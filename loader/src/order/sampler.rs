//! Which samples are in which batch.

use std::ops::Range;
use std::sync::Arc;

use shardmill_formats::{Philox, Stream};

use super::draw::{Order, SampleOrder};
use super::pattern::Pattern;
use crate::data::{Mix, ShardRuns};
use crate::settings::LastBatch;

/// How an epoch is divided into batches, and a batch into the shares of the ranks.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    pub(crate) samples: u64,
    pub(crate) batch_size: u64,
    pub(crate) last: LastBatch,
    pub(crate) order: Order,
    pub(crate) seed: u64,
    pub(crate) rank: u64,
    pub(crate) ranks: u64,
    /// Consecutive places of an epoch that share a window and a reflection.
    pub(crate) draw_every: u64,
    pub(crate) pattern: Option<Arc<Pattern>>,
    /// The samples of each shard, for an order that follows shards.
    pub(crate) runs: Option<Arc<ShardRuns>>,
}

impl Sampler {
    /// Number of batches from place `first` to the end of an epoch, the same for every rank.
    pub(crate) fn steps(&self, first: u64) -> u64 {
        let left = self.samples.saturating_sub(first);
        match self.last {
            LastBatch::Drop => left / self.batch_size,
            LastBatch::Keep | LastBatch::Pad => left.div_ceil(self.batch_size),
        }
    }

    /// Number of batches of an epoch, but at least 1: more threads or buffers are of no use.
    pub(crate) fn most_batches(&self) -> usize {
        usize::try_from(self.steps(0)).unwrap_or(usize::MAX).max(1)
    }

    /// Places in the epoch's order of this rank's share of a batch, with batches counted from place
    /// `first`. With padding they may go beyond the last sample. Where the last batch is kept, shares
    /// differ by one sample at most, and the last ranks may have none of a small batch.
    pub(crate) fn places(&self, first: u64, step: u64) -> Range<u64> {
        let start = self.start(first, step);
        if self.last == LastBatch::Keep {
            let end = start.saturating_add(self.batch_size).min(self.samples);
            let size = end.saturating_sub(start);
            let (each, more) = (size / self.ranks, size % self.ranks);
            let place = |rank: u64| start + rank * each + rank.min(more);
            return place(self.rank)..place(self.rank + 1);
        }
        let share = self.batch_size / self.ranks;
        let place = |rank: u64| start.saturating_add(rank * share);
        place(self.rank)..place(self.rank + 1)
    }

    /// Samples of an epoch before batch `step`, over all ranks, including those before place `first`.
    /// Padding does not count.
    pub(crate) fn before(&self, first: u64, step: u64) -> u64 {
        self.start(first, step).min(self.samples)
    }

    fn start(&self, first: u64, step: u64) -> u64 {
        first.saturating_add(step.saturating_mul(self.batch_size))
    }

    pub(crate) fn epoch(&self, epoch: u64, mix: &Mix) -> EpochOrder {
        let turns = match &self.pattern {
            Some(pattern) => Turns::Mixed {
                pattern: Arc::clone(pattern),
                order: self.order,
                epoch,
                parts: (0_u64..)
                    .zip(mix.datasets())
                    .map(|(i, part)| (part.len(), Philox::new(self.seed, Stream::Mix).derive(i)))
                    .collect(),
            },
            None => {
                let philox = Philox::new(self.seed, Stream::Order);
                Turns::Single(
                    self.order
                        .draw(self.samples, self.runs.as_ref(), &philox, epoch),
                )
            }
        };
        EpochOrder {
            samples: self.samples,
            draw_every: self.draw_every,
            turns,
        }
    }
}

/// The sample at a place of an epoch, and what its augmentation is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draw {
    /// The dataset, among those of the mix.
    pub(crate) part: usize,
    /// The sample in it.
    pub(crate) sample: u64,
    /// Selects the random numbers of the augmentation; unique in an epoch. It is the sample, or in a
    /// mix, where a sample may occur more than once, its place.
    pub(crate) stream: u64,
    /// Selects the random numbers of window and reflection: `stream`, or the number of the run of
    /// places that share them.
    pub(crate) window: u64,
}

/// The order of one epoch. It stores nothing for each sample.
pub(crate) struct EpochOrder {
    samples: u64,
    draw_every: u64,
    turns: Turns,
}

enum Turns {
    Single(SampleOrder),
    Mixed {
        pattern: Arc<Pattern>,
        order: Order,
        epoch: u64,
        /// Samples and generator of each dataset.
        parts: Vec<(u64, Philox)>,
    },
}

impl EpochOrder {
    /// The sample at a place; places after the last begin again.
    pub(crate) fn draw(&self, place: u64) -> Draw {
        let place = place % self.samples;
        let shared = (self.draw_every > 1).then(|| place / self.draw_every);
        match &self.turns {
            Turns::Single(order) => {
                let sample = order.at(place);
                Draw {
                    part: 0,
                    sample,
                    stream: sample,
                    window: shared.unwrap_or(sample),
                }
            }
            Turns::Mixed {
                pattern,
                order,
                epoch,
                parts,
            } => {
                let (part, before) = pattern.turn(*epoch, place);
                let (samples, philox) = &parts[part];
                let samples_wide = u128::from(*samples);
                let (cycle, at) = (before / samples_wide, before % samples_wide);
                Draw {
                    part,
                    sample: order
                        .draw(*samples, None, philox, cycle as u64)
                        .at(at as u64),
                    stream: place,
                    window: shared.unwrap_or(place),
                }
            }
        }
    }

    /// The order of a single dataset.
    pub(crate) fn single(&self) -> Option<&SampleOrder> {
        match &self.turns {
            Turns::Single(order) => Some(order),
            Turns::Mixed { .. } => None,
        }
    }

    /// The shards that are needed at the same time, in their order, and the place at which each of these
    /// sets ends; `None` for an order in which any place may need any shard.
    pub(crate) fn shard_sets(&self, runs: Option<&ShardRuns>) -> Option<Vec<(Vec<u32>, u64)>> {
        match self.single()? {
            SampleOrder::Shards(shards) => Some(shards.groups().collect()),
            SampleOrder::Sequential => {
                let runs = runs.filter(|runs| runs.is_ascending())?;
                let mut end = 0;
                let sets = (0..runs.len()).map(|run| {
                    end += runs.samples(run);
                    (vec![runs.shard(run)], end)
                });
                Some(sets.collect())
            }
            SampleOrder::Global(_) | SampleOrder::Blocks(_) => None,
        }
    }

    pub(crate) const fn samples(&self) -> u64 {
        self.samples
    }
}
