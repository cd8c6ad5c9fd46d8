//! What the journal of an ingest says: what is being made, and which shards are finished.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use shardmill_formats::{Manifest, ShardEntry};

use crate::options::Part;
use crate::output::{self, Work};
use crate::reject::{RejectLine, WarningLine};

/// A journal's first line: what is being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Identifies everything that the bytes of the shards depend on.
    pub(super) fingerprint: String,
    pub(super) part: Part,
    /// Number of planned shards of each split.
    pub(super) shards: BTreeMap<String, usize>,
    /// Splits without labels.
    pub(super) unlabelled: BTreeSet<String>,
    /// The manifest without splits, statistics and rejects.
    pub(super) manifest: Manifest,
}

/// Another line: a finished shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ShardLine {
    pub(super) split: String,
    pub(super) shard: usize,
    /// `None` if all of its images were rejected, so that there is no file.
    pub(super) entry: Option<ShardEntry>,
    /// Sums over its pixels, as the shard's own metadata has them.
    pub(super) sums: String,
    pub(super) rejects: Vec<RejectLine>,
    /// Number of its images that are not quite right, by the warning.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) warned: BTreeMap<String, u64>,
    /// Their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<WarningLine>,
}

/// The journal of a part.
pub(super) type Journal = output::Journal<Head, ShardLine>;
/// The output folder with the journal of a part.
pub(super) type PartWork = Work<Head, ShardLine>;

impl output::Head for Head {
    fn differs(&self, theirs: &Self) -> Option<&'static str> {
        if self.fingerprint != theirs.fingerprint {
            Some("its images, options or decoder were others")
        } else if self.part.parts != theirs.part.parts {
            Some("it is divided into another number of parts")
        } else {
            None
        }
    }
}

/// Whether `lines` name a shard.
pub(super) fn is_done(lines: &[ShardLine], split: &str, shard: usize) -> bool {
    lines
        .iter()
        .any(|line| line.shard == shard && line.split == split)
}
