//! The order of blocks: long runs for a disk, and the samples of a group of blocks shuffled.

use shardmill_formats::{Permutation, Philox};

/// Blocks in random order, and groups of them with their samples shuffled.
///
/// At most one block is not full. It has a place of its own among the others, so that every place can
/// be computed without a search.
pub(crate) struct Blocks {
    samples: u64,
    block: u64,
    interleave: u64,
    /// The full blocks.
    full: Permutation,
    /// Samples of the block that is not full; 0 if all are.
    short: u64,
    /// Its place among the blocks.
    short_at: u64,
    inner: Philox,
}

/// The blocks of a group, and its places in the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) number: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Blocks {
    pub(super) fn new(
        samples: u64,
        block: u64,
        interleave: u64,
        philox: &Philox,
        tweak: u64,
    ) -> Self {
        let (full, short) = (samples / block, samples % block);
        let inner = philox.derive(tweak).derive(u64::MAX);
        let [low, high, ..] = inner.block(u64::MAX, u32::MAX - 1);
        // 64 random bits, so that the bias is far too small to be noticed.
        let draw = u128::from(u64::from(high) << 32 | u64::from(low));
        Self {
            samples,
            block,
            interleave,
            full: Permutation::new(full, philox, tweak),
            short,
            short_at: ((draw * u128::from(full + 1)) >> 64) as u64,
            inner,
        }
    }

    /// The place as if every block were full.
    fn even(&self, place: u64) -> u64 {
        if self.short > 0 && place >= self.short_at * self.block + self.short {
            place + self.block - self.short
        } else {
            place
        }
    }

    /// First place of the `i`-th block of the order.
    fn start(&self, i: u64) -> u64 {
        let missing = if self.short > 0 && i > self.short_at {
            self.block - self.short
        } else {
            0
        };
        (i * self.block - missing).min(self.samples)
    }

    /// The group that a place belongs to.
    pub(crate) fn group(&self, place: u64) -> Group {
        let number = self.even(place) / (self.block * self.interleave);
        let blocks = self.full.len() + u64::from(self.short > 0);
        let last = ((number + 1) * self.interleave).min(blocks);
        Group {
            number,
            start: self.start(number * self.interleave),
            end: self.start(last),
        }
    }

    /// First sample and length of each run of a group, in the order of the blocks.
    pub(crate) fn runs(&self, group: Group) -> impl Iterator<Item = (u64, u64)> {
        let first = self.even(group.start) / self.block;
        let mut at = group.start;
        (first..).map_while(move |i| {
            if at >= group.end {
                return None;
            }
            let end = self.start(i + 1).min(group.end);
            let run = (self.sample(at), end - at);
            at = end;
            Some(run)
        })
    }

    pub(super) fn at(&self, place: u64) -> u64 {
        let group = self.group(place);
        let shuffled = Permutation::new(group.end - group.start, &self.inner, group.number);
        self.sample(group.start + shuffled.at(place - group.start))
    }

    /// The sample at a place before the groups are shuffled.
    fn sample(&self, place: u64) -> u64 {
        let even = self.even(place);
        let (i, offset) = (even / self.block, even % self.block);
        let block = if self.short == 0 || i < self.short_at {
            self.full.at(i)
        } else if i == self.short_at {
            self.full.len()
        } else {
            self.full.at(i - 1)
        };
        block * self.block + offset
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shardmill_formats::Stream;

    use super::*;

    fn blocks(samples: u64, block: u64, interleave: u64, epoch: u64) -> Blocks {
        let philox = Philox::new(3, Stream::Order);
        Blocks::new(samples, block, interleave, &philox, epoch)
    }

    proptest! {
        #[test]
        fn every_sample_once_and_only_in_its_group(
            samples in 1_u64..400, block in 1_u64..20, interleave in 1_u64..9, epoch in any::<u64>()
        ) {
            let order = blocks(samples, block, interleave, epoch);
            let mut seen: Vec<u64> = (0..samples).map(|place| order.at(place)).collect();
            let mut place = 0;
            while place < samples {
                let group = order.group(place);
                prop_assert_eq!(group.start, place);
                prop_assert!(group.end - group.start <= block * interleave);
                let mut found = seen[place as usize..group.end as usize].to_vec();
                found.sort_unstable();
                let mut runs: Vec<u64> = order
                    .runs(group)
                    .flat_map(|(first, len)| first..first + len)
                    .collect();
                // A run is a block: nothing of it is elsewhere.
                for (first, len) in order.runs(group) {
                    prop_assert_eq!(first % block, 0);
                    prop_assert!(len == block || first + len == samples);
                }
                runs.sort_unstable();
                prop_assert_eq!(found, runs);
                for inside in group.start..group.end {
                    prop_assert_eq!(order.group(inside), group);
                }
                place = group.end;
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..samples).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_short_block_comes_anywhere_and_epochs_differ() {
        let mut first = [0_u32; 4];
        for epoch in 0..4000 {
            let order = blocks(35, 10, 1, epoch);
            let at = (0..4)
                .position(|i| order.sample(order.start(i)) == 30)
                .unwrap();
            first[at] += 1;
        }
        // Chi-squared with 3 degrees of freedom: 16.3 is passed by chance once in a thousand.
        let chi: f64 = first
            .iter()
            .map(|&c| (f64::from(c) - 1000.0).powi(2) / 1000.0)
            .sum();
        assert!(chi < 16.3, "chi-squared {chi}: {first:?}");
        let order = |epoch| {
            (0..35)
                .map(|p| blocks(35, 10, 2, epoch).at(p))
                .collect::<Vec<_>>()
        };
        assert_ne!(order(0), order(1));
    }
}
