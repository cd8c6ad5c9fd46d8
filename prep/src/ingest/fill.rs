//! From a plan to shards.

use super::disk_space;
use super::options::IngestOptions;
use super::plan::Plan;
use super::remaining::Remaining;
use super::work::PartWork;
use super::worker::Worker;
use super::writer::IngestWriter;
use crate::decode::Budget;
use crate::error::PrepError;
use crate::io::pool::OrderedPool;
use crate::io::progress::Progress;
use crate::part::Part;
use crate::record::RecycledBuffers;
use crate::source::Reader;

/// Makes the shards that are left.
pub(super) fn fill(
    options: &IngestOptions,
    plan: &Plan,
    remaining: &Remaining<'_>,
    mut work: PartWork,
    reader: &Reader,
) -> Result<PartWork, PrepError> {
    disk_space::check(options, work.path(), remaining, reader)?;
    let left = remaining.images.len() as u64;
    let progress = Progress::new("ingest", left, options.progress, &options.observer);
    let pool = OrderedPool::new(options.threads).observed(&options.observer);
    let budget = Budget::for_threads(options.decode_memory, pool.threads());
    let recycled = RecycledBuffers::default();
    let shards = &remaining.shards;
    let mut writer = IngestWriter::new(options, plan, shards, &mut work, recycled.clone());
    pool.in_order(
        &remaining.images,
        || {
            let (reader, recycled) = (reader.clone(), recycled.clone());
            Worker::new(options, reader, recycled, budget.clone())
        },
        |worker, entry| {
            let outcome = worker.run(entry)?;
            progress.add(1);
            Ok(outcome)
        },
        |outcome| writer.take(outcome),
    )?;
    drop(writer);
    progress.finish();
    if options.part != Part::WHOLE {
        work.keep()?;
    }
    Ok(work)
}
