//! Whether the disk has room for the shards that are left to make.

use shardmill_formats::Codec;

use super::options::IngestOptions;
use super::remaining::Remaining;
use super::stored_sizes::stored_sizes;
use crate::error::PrepError;
use crate::io::space;
use crate::source::{Entry, Reader};

/// Refuses to begin if the disk has too little free space, unless the options say otherwise.
pub(super) fn check(
    options: &IngestOptions,
    remaining: &Remaining<'_>,
    reader: &Reader,
) -> Result<(), PrepError> {
    if options.ignore_free_space {
        return Ok(());
    }
    let images = remaining.images.len() as u64;
    let most = images.saturating_mul(space::most_bytes(options.codec, options.record().shape()));
    let likely = || match options.codec {
        Codec::Raw => Ok(most),
        Codec::Zstd | Codec::Jpeg => sample(options, remaining, reader),
    };
    let advice = match options.codec {
        Codec::Raw => "store less (--codec zstd, or jpeg)",
        Codec::Zstd => "store less (--codec jpeg)",
        Codec::Jpeg => "store less (a lower --quality), put --out on another disk",
    };
    space::check(&options.out, most, likely, advice)
}

/// What the images will take, estimated from some of them.
fn sample(
    options: &IngestOptions,
    remaining: &Remaining<'_>,
    reader: &Reader,
) -> Result<u64, PrepError> {
    let chosen: Vec<&Entry> = space::spread(remaining.images.len())
        .map(|at| remaining.images[at])
        .collect();
    let sizes = stored_sizes(options, &chosen, reader)?;
    let sizes: Vec<u64> = sizes.into_iter().map(Option::unwrap_or_default).collect();
    Ok(space::scaled(&sizes, remaining.images.len() as u64))
}
