//! Why a network could not be examined; each message says what to do.

use std::io;
use std::path::{Path, PathBuf};

use shardmill_formats::size;

use crate::run::error::TrainError;

/// Why a network could not be examined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// A checkpoint, dataset or engine refused.
    #[error(transparent)]
    Train(Box<TrainError>),
    /// The network has no such layer.
    #[error("the network has no layer {layer:?}; it has {known}")]
    UnknownLayer {
        /// The name asked for.
        layer: String,
        /// The names that it has.
        known: String,
    },
    /// The layer has no channel of this number.
    #[error("{layer} has {channels} channels, counted from 0, and none is number {channel}")]
    UnknownChannel {
        /// The layer.
        layer: String,
        /// The number asked for.
        channel: usize,
        /// Channels of the layer.
        channels: usize,
    },
    /// The units of the layer have no place in the image.
    #[error("{layer} has no maps, so its units have no patches; choose a convolution")]
    NoMaps {
        /// The layer.
        layer: String,
    },
    /// A square that cannot move over the image.
    #[error(
        "a square of {side} pixels a side, moved by {stride}, does not fit: the network sees {input} pixels a side; \
         choose a side from 1 to {input}, and a stride of at least 1"
    )]
    Square {
        /// Its side.
        side: usize,
        /// Pixels from one place to the next.
        stride: usize,
        /// Side of the network's input.
        input: usize,
    },
    /// The file to write is there already.
    #[error("{} exists; choose another `--out`, or replace it with `--force`", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// An unfinished file of other features is in the way.
    #[error(
        "{} is the unfinished file of another network, split or layer, so it cannot be gone on with; \
         choose another `--out`, or begin again with `--force`",
        path.display()
    )]
    Unfinished {
        /// The file.
        path: PathBuf,
    },
    /// A link or a folder has the name of the unfinished file.
    #[error("{} is a link or a folder; delete it, or choose another `--out`", path.display())]
    InTheWay {
        /// What is in the way.
        path: PathBuf,
    },
    /// Another process writes the same file.
    #[error("another process is writing {}; wait for it, or choose another `--out`", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The disk is too full.
    #[error(
        "{} needs {} more, and its disk has {} free; make room, or choose an `--out` elsewhere",
        path.display(), size(*needed), size(*available)
    )]
    Space {
        /// The file.
        path: PathBuf,
        /// Bytes that are still to be written.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// The features do not fit into memory.
    #[error(
        "the features take {}, and {} of memory are available; write those of both splits with \
         `train features`, and give the files as `--query-features` and `--base-features`, which are read \
         in parts", size(*needed), size(*available)
    )]
    Memory {
        /// Bytes needed.
        needed: u64,
        /// Bytes that the system could give.
        available: u64,
    },
    /// The bytes are no features.
    #[error("{} is not a whole file of features: {reason}; write it with `train features`", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Features of two kinds.
    #[error(
        "the features to find neighbours of and those among which they are found differ: {difference}; write both with \
         `train features` from one checkpoint, with the same `--layer`"
    )]
    Incomparable {
        /// What differs.
        difference: String,
    },
    /// A distance cannot be computed.
    #[error(
        "feature {column} of row {row} is not finite, so it has no distance to others; take another checkpoint"
    )]
    NotFinite {
        /// The row, counted from 0.
        row: usize,
        /// The column, counted from 0.
        column: usize,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
}

impl From<TrainError> for AnalysisError {
    fn from(error: TrainError) -> Self {
        Self::Train(Box::new(error))
    }
}

impl AnalysisError {
    /// For a file or folder that the file system refuses to `action`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path: path.clone(),
            source,
        }
    }
}
