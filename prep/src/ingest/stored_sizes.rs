//! How many bytes some images take as records.

use super::options::IngestOptions;
use super::worker::Worker;
use crate::decode::Budget;
use crate::error::PrepError;
use crate::io::pool::OrderedPool;
use crate::record::{Outcome, RecycledBuffers};
use crate::source::{Entry, Reader};

/// Makes records of these images and drops them. `None` stands for a reject.
pub(super) fn stored_sizes(
    options: &IngestOptions,
    images: &[&Entry],
    reader: &Reader,
) -> Result<Vec<Option<u64>>, PrepError> {
    let mut sizes = Vec::new();
    let pool = OrderedPool::new(options.threads).observed(&options.observer);
    let budget = Budget::for_threads(options.decode_memory, pool.threads());
    pool.in_order(
        images,
        || {
            let (reader, recycled) = (reader.clone(), RecycledBuffers::default());
            Worker::new(options, reader, recycled, budget.clone())
        },
        |worker, entry| worker.run(entry),
        |outcome| {
            sizes.push(match outcome {
                Outcome::Record { record, .. } => Some(record.stored.len() as u64),
                Outcome::Reject(_) => None,
            });
            Ok(())
        },
    )?;
    Ok(sizes)
}
