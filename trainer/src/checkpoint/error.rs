//! Why a checkpoint cannot be written or read.

use std::io;
use std::path::PathBuf;

/// Why a checkpoint cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// No such file.
    #[error("there is no checkpoint {}; a run keeps its own in RUN/last.safetensors and \
             RUN/best.safetensors", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} the checkpoint {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// The bytes are no checkpoint of this program, or not all of one.
    #[error(
        "{} is not a whole Shardmill checkpoint: {reason}; take another one, a run keeps \
         last.safetensors and best.safetensors",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The bytes are not those that were written.
    #[error(
        "{} is damaged: its checksum is {found}; expected {expected}; take another one, a run keeps \
         last.safetensors and best.safetensors",
        path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The checksum of what it holds.
        found: String,
        /// The checksum that it carries.
        expected: String,
    },
    /// Written by another version.
    #[error(
        "{} has checkpoint version {found}; this program reads version {expected}: use the program that \
         wrote it, or a newer one",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
        /// The version that can be read.
        expected: &'static str,
    },
    /// A tensor could not be copied.
    #[error("cannot copy the tensor {name}")]
    Tensor {
        /// Its name.
        name: String,
        /// The reason.
        source: candle_core::Error,
    },
}
