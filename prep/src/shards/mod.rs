//! Shards of a dataset: read from disk or an object store, and written one after another.

mod extent;
mod file;
pub(crate) mod object;
mod reader;
mod rewrite;
mod shard;
mod split;

use shardmill_formats::{ChannelSums, SplitStatistics};

pub(crate) use file::ShardFile;
pub(crate) use reader::Reader;
pub use rewrite::Rewritten;
pub(crate) use rewrite::{
    Begun, RewriteFolder, begin, begin_new, bytes_done, complete, difference, fingerprint,
    records_done,
};
pub(crate) use shard::{
    IndexError, Shard, check_made_from, each_shard, manifest_json, read_index, read_manifest,
    sample, write_manifest,
};
pub(crate) use split::{Sizes, SplitWriter, remove};

/// Name of the file that lists rejects.
pub(crate) const REJECTS_FILE: &str = "rejects.jsonl";

/// Longest such file that is read from an object store, in bytes.
pub(crate) const REJECTS_LIMIT: u64 = 1 << 30;

/// The split that statistics are taken over.
pub(crate) const TRAIN: &str = "train";

/// A record ready to be written.
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) label: i64,
    pub(crate) stored: Vec<u8>,
    pub(crate) sums: ChannelSums,
}

/// Statistics for the manifest from the sums over the training split.
pub(crate) fn statistics(train: &ChannelSums) -> Option<SplitStatistics> {
    let statistics = train.statistics()?;
    Some(SplitStatistics {
        split: TRAIN.to_owned(),
        pixels: train.pixels,
        statistics,
    })
}
