//! The decoding side of an ingest: which shards are left to make, and their images in plan order.

use std::sync::Mutex;
use std::sync::mpsc::SyncSender;

use rayon::prelude::*;

use super::journal::Journal;
use super::worker::Worker;
use super::writer::{Message, ShardPlace};
use crate::error::PrepError;
use crate::options::IngestOptions;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::source::{Entry, Reader};

/// Images decoded for each thread between two hand-overs to the writer: with two hand-overs under
/// way this bounds memory at some tens of megabytes, whatever the size of the data.
const CHUNK_PER_THREAD: usize = 16;

/// The shards that are left to make.
pub(super) struct Todo<'a> {
    shards: Vec<(ShardPlace, &'a [Entry])>,
    /// Images in them.
    pub(super) images: u64,
}

impl<'a> Todo<'a> {
    /// The shards of the journal's part that it does not name yet.
    pub(super) fn new(plan: &'a Plan, journal: &Journal) -> Self {
        let mut shards = Vec::new();
        let mut number = 0;
        for (split, split_plan) in plan.splits.iter().enumerate() {
            let of_split = split_plan.shards();
            let count = of_split.len();
            for (shard, entries) in of_split.enumerate() {
                let own = journal.head.part.takes(number);
                if own && !journal.is_done(split_plan.name, shard) {
                    let place = ShardPlace {
                        split,
                        shard,
                        shards: count,
                    };
                    shards.push((place, entries));
                }
                number += 1;
            }
        }
        let images = shards.iter().map(|(_, entries)| entries.len() as u64).sum();
        Self { shards, images }
    }
}

/// Decodes and encodes every image that is left, and sends the records on in plan order. Ends early
/// when nobody listens any more.
pub(super) fn decode(
    options: &IngestOptions,
    todo: &Todo<'_>,
    reader: &Reader,
    sender: &SyncSender<Message>,
    progress: &Progress,
) -> Result<(), PrepError> {
    let workers = Mutex::new(Vec::<Worker>::new());
    let lock = || {
        workers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    };
    let one = |entry: &Entry| {
        let idle = lock().pop();
        let mut worker = idle.map_or_else(|| Worker::new(options, reader.clone()), Ok)?;
        let outcome = worker.run(entry)?;
        lock().push(worker);
        progress.add(1);
        Ok(outcome)
    };
    for (place, entries) in &todo.shards {
        if sender.send(Message::Shard(*place)).is_err() {
            return Ok(());
        }
        for chunk in entries.chunks(CHUNK_PER_THREAD * rayon::current_num_threads()) {
            let outcomes = chunk
                .par_iter()
                .map(one)
                .collect::<Result<Vec<_>, PrepError>>()?;
            if sender.send(Message::Records(outcomes)).is_err() {
                return Ok(());
            }
        }
        if sender.send(Message::End).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
