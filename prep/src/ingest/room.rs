//! Whether the disk has room for the shards that are left to make.

use shardmill_formats::Codec;

use super::todo::Todo;
use super::worker::{Outcome, Recycled, Worker};
use super::{decode_budget, shape};
use crate::error::PrepError;
use crate::ingest::options::IngestOptions;
use crate::io::pool::Crew;
use crate::io::space;
use crate::source::{Entry, Reader};

/// Refuses to begin where the disk has too little room, unless the options say otherwise.
pub(super) fn check(
    options: &IngestOptions,
    todo: &Todo<'_>,
    reader: &Reader,
) -> Result<(), PrepError> {
    if options.ignore_free_space {
        return Ok(());
    }
    let images = todo.images.len() as u64;
    let most = images.saturating_mul(space::most_bytes(options.codec, shape(options)));
    let likely = || match options.codec {
        Codec::Raw => Ok(most),
        Codec::Zstd | Codec::Jpeg => sample(options, todo, reader),
    };
    let advice = match options.codec {
        Codec::Raw => "store less (--codec zstd, or jpeg)",
        Codec::Zstd => "store less (--codec jpeg)",
        Codec::Jpeg => "store less (a lower --quality), put --out on another disk",
    };
    space::check(&options.out, most, likely, advice)
}

/// What the images will take, after some of them.
fn sample(options: &IngestOptions, todo: &Todo<'_>, reader: &Reader) -> Result<u64, PrepError> {
    let chosen: Vec<&Entry> = space::spread(todo.images.len())
        .map(|at| todo.images[at])
        .collect();
    let mut sizes = Vec::new();
    let crew = Crew::new(options.threads).observed(&options.observer);
    let budget = decode_budget(options, crew.threads());
    crew.in_order(
        &chosen,
        || {
            let (reader, recycled) = (reader.clone(), Recycled::default());
            Worker::new(options, reader, recycled, budget.clone())
        },
        |worker, entry| worker.run(entry),
        |outcome| {
            sizes.push(match outcome {
                Outcome::Record(record) => record.stored.len() as u64,
                Outcome::Reject(_) => 0,
            });
            Ok(())
        },
    )?;
    Ok(space::scaled(&sizes, todo.images.len() as u64))
}
