//! In which order an epoch, and the one after it, needs shards.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A run of an epoch in which the same shards are in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// The shards, in the order in which they are first used.
    pub shards: Vec<u32>,
    /// Number of the last set whose shards have to be there while this one is the first in use; it is at
    /// least this set's own number.
    pub until: usize,
}

/// What is needed when: the sets of an epoch in their order, then those of the next one, whose numbers go
/// on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// The sets of both epochs.
    pub sets: Vec<Set>,
    /// Number of sets of the first epoch.
    pub epoch: usize,
}

impl Course {
    /// A course of one set, which holds every shard and stays in use.
    #[must_use]
    pub fn whole(shards: Vec<u32>) -> Self {
        let set = Set { shards, until: 0 };
        Self {
            sets: vec![set],
            epoch: 1,
        }
    }

    /// Whether this makes sense for a dataset of `shards` shards: another process sent it.
    pub(super) fn is_valid(&self, shards: usize) -> bool {
        let set_is_valid = |(number, set): (usize, &Set)| {
            let known = set.shards.iter().all(|&shard| (shard as usize) < shards);
            known && (number..self.sets.len()).contains(&set.until)
        };
        let until = self.sets.iter().map(|set| set.until);
        self.epoch <= self.sets.len()
            && self.sets.iter().enumerate().all(set_is_valid)
            && until.is_sorted()
    }

    /// Bytes of the shards that have to be there at once: the largest sum over the sets. `bytes` are the
    /// shards' sizes.
    #[must_use]
    pub fn open_at_once(&self, bytes: &[u64]) -> u64 {
        let sums = self.sets.iter().enumerate().map(|(number, set)| {
            let together = self.sets[number..=set.until].iter();
            let together: BTreeSet<_> = together.flat_map(|set| &set.shards).collect();
            together
                .into_iter()
                .map(|&shard| bytes[shard as usize])
                .sum()
        });
        sums.max().unwrap_or(0)
    }
}
