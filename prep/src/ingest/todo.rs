//! The shards that are left to make, and their images.

use super::journal::{PartWork, is_done};
use super::writer::ShardPlace;
use crate::ingest::plan::Plan;
use crate::source::Entry;

/// The shards that are left to make.
pub(super) struct Todo<'a> {
    /// Their places, and the number of images in each, at least one.
    pub(super) shards: Vec<(ShardPlace, usize)>,
    /// Their images, one shard's after the other's.
    pub(super) images: Vec<&'a Entry>,
}

impl<'a> Todo<'a> {
    /// The shards of the journal's part that it does not name yet.
    pub(super) fn new(plan: &'a Plan, work: &PartWork) -> Self {
        let mut todo = Self {
            shards: Vec::new(),
            images: Vec::new(),
        };
        let mut number = 0;
        for (split, split_plan) in plan.splits.iter().enumerate() {
            let of_split = split_plan.shards();
            let count = of_split.len();
            for (shard, entries) in of_split.enumerate() {
                let own = work.head().part.takes(number);
                if own && !is_done(work.lines(), split_plan.name, shard) {
                    let place = ShardPlace {
                        split,
                        shard,
                        shards: count,
                    };
                    todo.shards.push((place, entries.len()));
                    todo.images.extend(entries);
                }
                number += 1;
            }
        }
        todo
    }
}
