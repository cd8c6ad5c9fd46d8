//! Which dataset a result is of.

use std::path::Path;

use serde::{Deserialize, Serialize};
use shardmill_formats::{Manifest, Split, crc32c};
use shardmill_loader::CacheOptions;

use crate::run::data;
use crate::study::error::StudyError;

/// What tells one dataset from another: its classes and the bytes of its shards, and no path or host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatasetIdentity {
    /// Number of classes.
    pub(crate) classes: usize,
    /// CRC-32C of their synsets, each with a line feed.
    pub(crate) synsets_crc32c: String,
    /// Rows and columns of a record.
    pub(crate) record: [u32; 2],
    /// The split that is trained on.
    pub(crate) train: SplitIdentity,
    /// The split that is validated on, where there is one.
    pub(crate) validation: Option<SplitIdentity>,
}

/// What tells one split from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitIdentity {
    /// Its name.
    pub(crate) split: String,
    /// Number of images.
    pub(crate) images: u64,
    /// CRC-32C of the shards' BLAKE3 digits, in order, each with a line feed.
    pub(crate) shards_crc32c: String,
}

impl DatasetIdentity {
    /// The dataset in `shards`, validated on `val_split`, or on `val` where it has that with labels.
    ///
    /// # Errors
    /// No dataset there, no labelled training split, or no such split to validate on.
    pub(crate) fn of(shards: &Path, val_split: Option<&str>) -> Result<Self, StudyError> {
        let manifest = data::manifest(shards)?;
        let train = data::open(shards, data::TRAIN)?;
        let validation = data::open_validation(shards, val_split, &CacheOptions::default())?;
        let synsets = manifest.classes.iter().map(|class| &*class.synset);
        Ok(Self {
            classes: manifest.classes.len(),
            synsets_crc32c: digits(synsets),
            record: [manifest.height, manifest.width],
            train: identity(&manifest, train.split()),
            validation: validation.map(|split| identity(&manifest, split.split())),
        })
    }
}

fn identity(manifest: &Manifest, name: &str) -> SplitIdentity {
    let split: &Split = &manifest.splits[name];
    SplitIdentity {
        split: name.to_owned(),
        images: split.records,
        shards_crc32c: digits(split.shards.iter().map(|shard| &*shard.blake3)),
    }
}

/// Eight hexadecimal digits over some lines.
fn digits<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    format!("{:08x}", crc32c(text.as_bytes()))
}
