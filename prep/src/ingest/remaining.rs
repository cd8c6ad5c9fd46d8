//! The shards that remain to be made, and their images.

use super::journal::is_done;
use super::plan::Plan;
use super::work::PartWork;
use crate::source::Entry;

/// A shard of the plan.
#[derive(Clone, Copy)]
pub(super) struct PlannedShard {
    /// Index of its split.
    pub(super) split: usize,
    /// Its number in the split.
    pub(super) shard: usize,
    /// Number of shards of the split.
    pub(super) shards: usize,
    /// Number of its images, at least one.
    pub(super) images: usize,
}

/// The shards that remain to be made.
pub(super) struct Remaining<'a> {
    pub(super) shards: Vec<PlannedShard>,
    /// Their images, one shard's after the other's.
    pub(super) images: Vec<&'a Entry>,
}

impl<'a> Remaining<'a> {
    /// The shards of the journal's part that it does not name yet.
    pub(super) fn new(plan: &'a Plan, work: &PartWork) -> Self {
        let mut remaining = Self {
            shards: Vec::new(),
            images: Vec::new(),
        };
        let mut number = 0;
        for (split, split_plan) in plan.splits.iter().enumerate() {
            let of_split = split_plan.shards();
            let shards = of_split.len();
            for (shard, entries) in of_split.enumerate() {
                let own = work.header().part.takes(number);
                if own && !is_done(work.lines(), split_plan.name, shard) {
                    remaining.shards.push(PlannedShard {
                        split,
                        shard,
                        shards,
                        images: entries.len(),
                    });
                    remaining.images.extend(entries);
                }
                number += 1;
            }
        }
        remaining
    }

    /// Images of the largest shards, as many of these as are given.
    pub(super) fn largest(&self, shards: usize) -> usize {
        let mut images: Vec<usize> = self.shards.iter().map(|shard| shard.images).collect();
        images.sort_unstable_by(|a, b| b.cmp(a));
        images.iter().take(shards).sum()
    }
}
