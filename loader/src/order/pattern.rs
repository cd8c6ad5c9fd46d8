//! Which dataset of a mix comes when.

use shardmill_formats::{Philox, Stream};

use crate::data::Mix;

/// The turns repeat after about this many places, a multiple of the sum of the weights.
const PATTERN: u64 = 1024;

/// The turns of the datasets: a shuffled list that repeats and is the same in every epoch, so that how
/// often a dataset came before a place can be computed.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// A dataset, and how often it came before in the list.
    turns: Vec<(u16, u32)>,
    /// How often each dataset comes in the list.
    each: Vec<u64>,
    /// How often each dataset comes in an epoch.
    epoch: Vec<u64>,
}

impl Pattern {
    /// The turns of a mix of several datasets; `None` for a single one.
    pub(crate) fn of(mix: &Mix, seed: u64) -> Option<Self> {
        (mix.datasets().len() > 1).then(|| Self::new(mix.weights(), mix.len(), seed))
    }

    fn new(weights: &[u32], len: u64, seed: u64) -> Self {
        let sum: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        let times = PATTERN.div_ceil(sum);
        let mut turns: Vec<(u16, u32)> = Vec::new();
        for (part, &weight) in weights.iter().enumerate() {
            let count = usize::try_from(u64::from(weight) * times).expect("at most 65,536 turns");
            turns.extend(std::iter::repeat_n((part as u16, 0), count));
        }
        let philox = Philox::new(seed, Stream::Mix);
        for i in (1..turns.len()).rev() {
            let word = philox.block(i as u64, 0)[0];
            turns.swap(i, Philox::below(word, i as u32 + 1) as usize);
        }
        let mut each = vec![0_u64; weights.len()];
        for (part, before) in &mut turns {
            let count = &mut each[usize::from(*part)];
            *before = *count as u32;
            *count += 1;
        }
        let mut pattern = Self {
            turns,
            each,
            epoch: Vec::new(),
        };
        let (rounds, rest) = (len / pattern.len(), len % pattern.len());
        let mut epoch: Vec<u64> = pattern.each.iter().map(|count| count * rounds).collect();
        for (part, _) in &pattern.turns[..rest as usize] {
            epoch[usize::from(*part)] += 1;
        }
        pattern.epoch = epoch;
        pattern
    }

    fn len(&self) -> u64 {
        self.turns.len() as u64
    }

    /// The dataset at a place, and how often it came before since the first epoch.
    pub(super) fn turn(&self, epoch: u64, place: u64) -> (usize, u128) {
        let (round, at) = (place / self.len(), place % self.len());
        let (part, before) = self.turns[at as usize];
        let part = usize::from(part);
        let in_epoch = round * self.each[part] + u64::from(before);
        let earlier = u128::from(epoch) * u128::from(self.epoch[part]);
        (part, earlier + u128::from(in_epoch))
    }
}
