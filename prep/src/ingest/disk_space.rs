//! Whether the disk has room for the shards that are left to make.

use std::path::Path;

use shardmill_formats::Codec;

use super::objects::SHARDS_AT_ONCE;
use super::options::IngestOptions;
use super::remaining::Remaining;
use super::stored_sizes::stored_sizes;
use crate::error::PrepError;
use crate::io::space;
use crate::source::{Entry, Reader};

/// Refuses to begin if the disk of `folder`, where the shards are made, has too little free space, unless the options
/// say otherwise.
pub(super) fn check(
    options: &IngestOptions,
    folder: &Path,
    remaining: &Remaining<'_>,
    reader: &Reader,
) -> Result<(), PrepError> {
    if options.ignore_free_space {
        return Ok(());
    }
    let images = match options.is_remote() {
        true => remaining.largest(SHARDS_AT_ONCE),
        false => remaining.images.len(),
    } as u64;
    let most = images.saturating_mul(space::most_bytes(options.codec, options.record().shape()));
    let likely = || match options.codec {
        Codec::Raw => Ok(most),
        Codec::Zstd | Codec::Jpeg => sample(options, remaining, reader, images),
    };
    let advice = match options.codec {
        _ if options.is_remote() => {
            "make smaller shards (--shard-records), give --work on another disk"
        }
        Codec::Raw => "store less (--codec zstd, or jpeg)",
        Codec::Zstd => "store less (--codec jpeg)",
        Codec::Jpeg => "store less (a lower --quality), put --out on another disk",
    };
    space::check(folder, most, likely, advice)
}

/// What so many images will take, estimated from some of those that are left.
fn sample(
    options: &IngestOptions,
    remaining: &Remaining<'_>,
    reader: &Reader,
    images: u64,
) -> Result<u64, PrepError> {
    let chosen: Vec<&Entry> = space::spread(remaining.images.len())
        .map(|at| remaining.images[at])
        .collect();
    let sizes = stored_sizes(options, &chosen, reader)?;
    let sizes: Vec<u64> = sizes.into_iter().map(Option::unwrap_or_default).collect();
    Ok(space::scaled(&sizes, images))
}
