//! From a source to a dataset.

mod begin;
mod dataset;
mod disk_space;
mod estimate;
mod fill;
mod folder;
mod journal;
mod limit;
mod manifest_size;
mod merge;
mod objects;
mod options;
mod output;
mod plan;
mod remaining;
mod shard_task;
mod shard_work;
mod shared;
mod stored_sizes;
mod summary;
mod work;
mod worker;
mod writer;

use std::time::Instant;

pub use crate::part::Part;
pub use crate::reject::{RejectLine, WarningLine};
pub use dataset::Merged;
pub use estimate::{CodecEstimate, Estimate, estimate};
pub use merge::merge;
pub use options::{IngestOptions, MaxRejects};
pub use shard_task::make_shard;
pub use shared::{SharedIngest, SharedStart};
pub use summary::{IngestSummary, Ingested};

use crate::error::PrepError;
use crate::source::Reader;
use begin::{Beginning, begin, reader_root};
use dataset::Written;
use fill::fill;
use remaining::Remaining;
use work::PartWork;

/// Turns the images of a source into a dataset.
///
/// The plan is made from the listing before anything is decoded; a reject shortens its shard and nothing
/// else moves. The bytes of the dataset do not depend on the number of threads. If an earlier run of the same
/// plan was interrupted, its finished shards are kept; a complete dataset is left as it is.
///
/// # Errors
/// The source has no images, the output folder holds something else, the disk has too little space, a file
/// cannot be read or written, or the observer stops the work. Finished shards are kept, and nothing else.
/// If `options.part` is not the whole, nothing is made: use [`ingest_part`].
pub fn ingest(options: &IngestOptions) -> Result<IngestSummary, PrepError> {
    let one_part = PrepError::OnePart(options.part);
    if options.part != Part::WHOLE {
        return Err(one_part);
    }
    match ingest_part(options)? {
        Ingested::Dataset(summary) => Ok(*summary),
        Ingested::Part { .. } => Err(one_part),
    }
}

/// Makes the share of the shards that `options.part` names. If that is the whole, the dataset is complete.
///
/// # Errors
/// As [`ingest`].
pub fn ingest_part(options: &IngestOptions) -> Result<Ingested, PrepError> {
    let start = Instant::now();
    let begun = match begin(options, &options.source_request(), start)? {
        Beginning::Complete(summary) => return Ok(Ingested::Dataset(summary)),
        Beginning::Unfinished(begun) => *begun,
    };
    let (plan, work, notes) = (begun.plan, begun.work, begun.notes);
    let kept = work.kept();
    let reader = Reader::new(reader_root(&options.source), begun.containers);
    let remaining = Remaining::new(&plan, &work);
    let made = fill(options, &plan, &remaining, work, &reader).and_then(|work| {
        match options.part == Part::WHOLE {
            true => work.complete().map(Box::new).map(Made::Dataset),
            false => Ok(Made::Part(work)),
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    Ok(match made.map_err(|error| kept.explain(error))? {
        Made::Part(work) => {
            let lines = work.lines();
            Ingested::Part {
                shards: lines.len(),
                rejects: lines.iter().flat_map(|line| line.rejects.clone()).collect(),
                warned: dataset::warned(lines),
                warnings: dataset::warnings(lines),
                passed_over: begun.passed_over,
                notes,
                seconds,
            }
        }
        Made::Dataset(written) => {
            Ingested::Dataset(Box::new(written.summary(begun.passed_over, notes, seconds)))
        }
    })
}

/// What an ingest makes.
enum Made {
    Part(PartWork),
    Dataset(Box<Written>),
}
