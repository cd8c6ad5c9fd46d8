//! Which samples of a dataset are in which shard.

/// The samples of a dataset, or of a part of one, shard by shard.
#[derive(Debug)]
pub(crate) struct ShardRuns {
    /// The shards that have samples, ascending.
    shards: Vec<u32>,
    /// Number of samples in the shards before each of them, and of all.
    starts: Vec<u64>,
    /// The samples shard by shard, where they are not in that order anyway.
    samples: Option<Box<[u64]>>,
}

impl ShardRuns {
    /// The samples of a whole split, whose shards have these numbers of samples.
    pub(crate) fn of(sizes: &[u64]) -> Self {
        Self::counted(sizes, None)
    }

    /// The samples of a part: `shard` says in which of `shards` shards each of its `len` samples is.
    pub(super) fn of_part(len: u64, shards: usize, shard: impl Fn(u64) -> u32) -> Self {
        let mut sizes = vec![0; shards];
        let mut ascending = true;
        let mut last = 0;
        for sample in 0..len {
            let shard = shard(sample);
            sizes[shard as usize] += 1;
            ascending &= shard >= last;
            last = shard;
        }
        if ascending {
            return Self::of(&sizes);
        }
        let mut samples: Vec<u64> = (0..len).collect();
        samples.sort_by_key(|&sample| shard(sample));
        Self::counted(&sizes, Some(samples.into()))
    }

    fn counted(sizes: &[u64], samples: Option<Box<[u64]>>) -> Self {
        let mut runs = Self {
            shards: Vec::new(),
            starts: vec![0],
            samples,
        };
        let mut end = 0;
        for (shard, &size) in (0..).zip(sizes).filter(|(_, size)| **size > 0) {
            end += size;
            runs.shards.push(shard);
            runs.starts.push(end);
        }
        runs
    }

    /// Number of shards that have samples.
    pub(crate) const fn len(&self) -> usize {
        self.shards.len()
    }

    /// Whether the samples are in the shards' order.
    pub(crate) const fn is_ascending(&self) -> bool {
        self.samples.is_none()
    }

    /// The shard of run `run`.
    pub(crate) fn shard(&self, run: usize) -> u32 {
        self.shards[run]
    }

    /// Number of samples of run `run`.
    pub(crate) fn samples(&self, run: usize) -> u64 {
        self.starts[run + 1] - self.starts[run]
    }

    /// Sample number `i` of run `run`.
    pub(crate) fn sample(&self, run: usize, i: u64) -> u64 {
        let at = self.starts[run] + i;
        self.samples
            .as_ref()
            .map_or(at, |samples| samples[at as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_in_any_order_is_sorted_by_its_shards() {
        // Samples 0 and 2 are in shard 1, sample 1 in shard 0, sample 3 in shard 3.
        let shard = |sample: u64| [1, 0, 1, 3][sample as usize];
        let runs = ShardRuns::of_part(4, 5, shard);
        let found: Vec<(u32, Vec<u64>)> = (0..runs.len())
            .map(|run| {
                let samples = (0..runs.samples(run)).map(|i| runs.sample(run, i));
                (runs.shard(run), samples.collect())
            })
            .collect();
        assert_eq!(found, [(0, vec![1]), (1, vec![0, 2]), (3, vec![3])]);
    }
}
