//! The order of shards: whole shards in random order, a few of them shuffled together. Each is needed in
//! one part of an epoch only, which is what a cache on a disk smaller than the dataset needs.

use std::sync::Arc;

use shardmill_formats::{Permutation, Philox};

use super::blocks::Group;
use crate::data::ShardRuns;

/// Shards in random order, and groups of them with their samples shuffled. It keeps a number or two for each
/// shard.
pub(crate) struct Shards {
    runs: Arc<ShardRuns>,
    /// The runs in their order, and the first place of each; one more place is the end.
    order: Vec<u32>,
    starts: Vec<u64>,
    together: usize,
    inner: Philox,
}

impl Shards {
    /// The order of the samples of `runs`, with `together` shards in a group.
    pub(super) fn new(runs: &Arc<ShardRuns>, together: u64, philox: &Philox, tweak: u64) -> Self {
        let len = runs.len();
        let permutation = Permutation::new(len as u64, philox, tweak);
        let order: Vec<u32> = (0..len as u64).map(|i| permutation.at(i) as u32).collect();
        let mut starts = vec![0];
        for &run in &order {
            starts.push(starts[starts.len() - 1] + runs.samples(run as usize));
        }
        Self {
            runs: Arc::clone(runs),
            order,
            starts,
            together: usize::try_from(together).unwrap_or(usize::MAX).min(len),
            inner: philox.derive(tweak).derive(u64::MAX),
        }
    }

    /// Number of the run, in the order, that a place belongs to before the groups are shuffled.
    fn run(&self, place: u64) -> usize {
        self.starts.partition_point(|&start| start <= place) - 1
    }

    /// The group that a place belongs to.
    pub(crate) fn group(&self, place: u64) -> Group {
        let number = self.run(place) / self.together;
        let last = ((number + 1) * self.together).min(self.order.len());
        Group {
            number: number as u64,
            start: self.starts[number * self.together],
            end: self.starts[last],
        }
    }

    /// The groups in their order: the shards of each, and the place at which it ends.
    pub(super) fn groups(&self) -> impl Iterator<Item = (Vec<u32>, u64)> {
        let groups = self.order.chunks(self.together).enumerate();
        groups.map(|(number, runs)| {
            let shards = runs.iter().map(|&run| self.runs.shard(run as usize));
            let end = (number * self.together + runs.len()).min(self.order.len());
            (shards.collect(), self.starts[end])
        })
    }

    pub(super) fn at(&self, place: u64) -> u64 {
        let group = self.group(place);
        let shuffled = Permutation::new(group.end - group.start, &self.inner, group.number);
        let place = group.start + shuffled.at(place - group.start);
        let run = self.run(place);
        self.runs
            .sample(self.order[run] as usize, place - self.starts[run])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use shardmill_formats::Stream;

    use super::*;

    fn shards(sizes: &[u64], together: u64, epoch: u64) -> Shards {
        let runs = Arc::new(ShardRuns::of(sizes));
        Shards::new(&runs, together, &Philox::new(3, Stream::Order), epoch)
    }

    proptest! {
        #[test]
        fn every_sample_once_and_every_shard_in_one_group(
            sizes in proptest::collection::vec(0_u64..20, 1..12), together in 1_u64..5, epoch in any::<u64>()
        ) {
            prop_assume!(sizes.iter().any(|&size| size > 0));
            let order = shards(&sizes, together, epoch);
            let samples: u64 = sizes.iter().sum();
            let mut starts = vec![0];
            for size in &sizes {
                starts.push(starts[starts.len() - 1] + size);
            }
            let shard = |sample: u64| starts.partition_point(|&start| start <= sample) as u32 - 1;
            let mut seen: Vec<u64> = (0..samples).map(|place| order.at(place)).collect();
            let mut place = 0;
            for (shards, end) in order.groups() {
                prop_assert_eq!(order.group(place).start, place);
                prop_assert_eq!(order.group(place).end, end);
                prop_assert!(shards.len() as u64 <= together);
                let found = seen[place as usize..end as usize].iter();
                let found: BTreeSet<u32> = found.map(|&sample| shard(sample)).collect();
                prop_assert_eq!(found, shards.into_iter().collect::<BTreeSet<_>>());
                place = end;
            }
            prop_assert_eq!(place, samples);
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..samples).collect::<Vec<_>>());
        }
    }

    #[test]
    fn epochs_differ_in_their_shards_and_within_a_group() {
        let order = |epoch| {
            let order = shards(&[7; 9], 3, epoch);
            (0..63).map(|place| order.at(place)).collect::<Vec<_>>()
        };
        assert_ne!(order(0), order(1));
        let first = order(0);
        assert!(!first[..21].is_sorted());
        // A group is shuffled over its shards.
        let of_first_shard = first[..7]
            .iter()
            .map(|sample| sample / 7)
            .collect::<BTreeSet<_>>();
        assert!(of_first_shard.len() > 1);
    }
}
