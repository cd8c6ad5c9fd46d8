//! Why a dataset cannot be opened or a batch cannot be made.

use std::io;
use std::path::PathBuf;

use shardmill_formats::{CodecError, ManifestError, ShardError};
use shardmill_store::StoreError;

/// An error of the loader.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoaderError {
    /// No manifest in the folder.
    #[error("{} holds no manifest.json: make shards with `prep ingest SRC --out DIR` and give that DIR", .0.display())]
    NotADataset(PathBuf),
    /// A file cannot be read.
    #[error("{}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The manifest cannot be read or is not valid.
    #[error("{}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ManifestError,
    },
    /// The dataset has no such split.
    #[error("there is no split {split:?}; the dataset has {known}")]
    UnknownSplit {
        /// The split asked for.
        split: String,
        /// The splits there are.
        known: String,
    },
    /// A shard is damaged or does not belong to this dataset.
    #[error("shard {shard}")]
    Shard {
        /// File name.
        shard: String,
        /// What is wrong; it names the record if there is one.
        source: ShardError,
    },
    /// A shard contradicts the manifest.
    #[error("shard {shard}: {what} is {found}; the manifest says {expected}")]
    Mismatch {
        /// File name.
        shard: String,
        /// Which property.
        what: &'static str,
        /// The shard's value.
        found: String,
        /// The manifest's value.
        expected: String,
    },
    /// An object store, or the cache of its shards, cannot do what is asked of it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A shard cannot be fetched from its object store.
    #[error("shard {shard} cannot be fetched: {message}")]
    Fetch {
        /// File name.
        shard: String,
        /// What is wrong, from the process that fetches.
        message: String,
    },
    /// A record cannot be decoded.
    #[error("shard {shard}, record {record} (key {key:?})")]
    Record {
        /// File name of the shard.
        shard: String,
        /// Record in the shard.
        record: usize,
        /// Its key.
        key: String,
        /// What is wrong.
        source: CodecError,
    },
    /// A shard was cut short under a running loader.
    #[error("{} has {found} bytes; it had {expected} when it was opened: something truncates shards while they are read; restore the file, and replace shards by renaming", path.display())]
    Truncated {
        /// The shard.
        path: PathBuf,
        /// Bytes it has.
        found: u64,
        /// Bytes it had.
        expected: u64,
    },
    /// The user's transform failed on a sample.
    #[error("the transform failed on sample {index} (key {key:?})")]
    Transform {
        /// Index of the sample.
        index: u64,
        /// Its key.
        key: String,
        /// The transform's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A setting that makes no sense.
    #[error("{what} is {found}; {advice}")]
    Setting {
        /// Which setting.
        what: &'static str,
        /// Its value.
        found: String,
        /// What would work.
        advice: String,
    },
    /// The system has no memory for a batch.
    #[error(
        "no memory for a batch of {bytes} bytes; choose a smaller batch, fewer threads or less prefetch"
    )]
    Memory {
        /// Its size.
        bytes: usize,
        /// The system's error.
        source: io::Error,
    },
    /// The batches that exist at once do not fit into memory.
    #[error(
        "{threads} threads make up to {batches} batches of {} MB at once, which takes {} MB with the threads' own memory; this machine has {} MB available: choose fewer threads, less prefetch or smaller batches",
        batch_bytes.div_ceil(1_000_000), needed.div_ceil(1_000_000), available / 1_000_000
    )]
    Room {
        /// Batches, including those that are ready and the consumer's.
        batches: usize,
        /// Bytes of one.
        batch_bytes: u64,
        /// Loader threads.
        threads: usize,
        /// Bytes of all, and of the threads' memory.
        needed: u64,
        /// Bytes that programs can take before the system swaps.
        available: u64,
    },
    /// The caller of [`Epoch::next_unless`](crate::Epoch::next_unless) stopped the wait. This is the only
    /// error that does not end the epoch.
    #[error("the wait for a batch was stopped; ask the epoch for its next batch to continue")]
    Stopped,
    /// A worker thread could not be started.
    #[error("cannot start a loader thread; choose fewer")]
    Thread(#[source] io::Error),
    /// This process was forked from the one in which the epoch's threads run.
    #[error(
        "step {step}: this process was forked in the middle of the epoch, and its loader threads stayed in the parent; begin the epoch (and `seek` in it), or build the loader, in the child"
    )]
    Forked {
        /// The batch that was asked for.
        step: u64,
    },
    /// A worker thread panicked; the epoch is over.
    #[error("a loader thread panicked at step {step}: {message}")]
    Panic {
        /// The batch that the thread worked on.
        step: u64,
        /// The panic's message.
        message: String,
    },
}

impl LoaderError {
    /// A setting that makes no sense.
    pub(crate) fn setting(
        what: &'static str,
        found: impl ToString,
        advice: impl Into<String>,
    ) -> Self {
        Self::Setting {
            what,
            found: found.to_string(),
            advice: advice.into(),
        }
    }

    /// Whether a single record is damaged, so that the rest of the dataset may be intact.
    #[must_use]
    pub const fn is_bad_record(&self) -> bool {
        matches!(
            self,
            Self::Record { .. }
                | Self::Shard {
                    source: ShardError::Checksum { .. },
                    ..
                }
        )
    }
}
