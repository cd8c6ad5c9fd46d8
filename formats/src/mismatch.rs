//! Compares what a shard says about itself with what its manifest says.

use crate::index::ShardIndex;
use crate::manifest::{Manifest, ShardEntry};

/// A contradiction between a shard and its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What differs.
    pub what: &'static str,
    /// What the shard has.
    pub found: String,
    /// What the manifest says.
    pub expected: String,
}

impl Manifest {
    /// Every difference between a shard and its `entry` in `split`: in the size of the file, `bytes`, and
    /// in what `index` says. The hash and the index checksum are compared elsewhere.
    #[must_use]
    pub fn mismatches(
        &self,
        split: &str,
        entry: &ShardEntry,
        index: &ShardIndex,
        bytes: u64,
    ) -> Vec<Mismatch> {
        let metadata = index.metadata();
        let pairs = [
            ("size in bytes", bytes.to_string(), entry.bytes.to_string()),
            (
                "number of records",
                index.len().to_string(),
                entry.records.to_string(),
            ),
            ("codec", index.codec().to_string(), self.codec.to_string()),
            (
                "record size",
                index.shape().to_string(),
                self.shape().to_string(),
            ),
            ("split", metadata.split.clone(), split.to_owned()),
            (
                "number of classes",
                metadata.classes.to_string(),
                self.classes.len().to_string(),
            ),
        ];
        let differ = pairs
            .into_iter()
            .filter(|(_, found, expected)| found != expected);
        differ
            .map(|(what, found, expected)| Mismatch {
                what,
                found,
                expected,
            })
            .collect()
    }
}
