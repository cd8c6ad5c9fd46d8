//! Checkpoints: everything that a run needs to go on as if it had never stopped.
//!
//! A checkpoint is an ordinary safetensors file. It holds every parameter under its own name, every
//! velocity of the optimizer under `velocity.` and that name, the mean image (if one is subtracted) as
//! `mean_image`, and, as strings of `__metadata__`, the [`RunState`] as JSON and one CRC-32C over all of
//! it. The same state gives the same bytes.

mod error;
pub mod exchange;
mod read;
mod restore;
mod snapshot;
mod state;
mod write;

pub use error::CheckpointError;
pub(crate) use snapshot::{KERNELS, Snapshot, SnapshotError, epoch_of, snapshot_file};
pub use state::{PixelStatistics, Progress, RunState};

use std::collections::BTreeMap;

use candle_core::Tensor;
use shardmill_formats::crc32c;

/// The one version so far.
const VERSION: &str = "1";

/// Keys of `__metadata__`.
const META_CHECKSUM: &str = "crc32c";
const META_VERSION: &str = "version";

/// A checkpoint in memory.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Recipe, network, classes and position.
    pub state: RunState,
    /// Parameters and velocities by name.
    pub tensors: BTreeMap<String, Tensor>,
}

/// CRC-32C over the CRC-32C and the length of each piece, in the order in which they were added.
#[derive(Clone, Debug, Default)]
struct Checksum(Vec<u8>);

impl Checksum {
    fn add(&mut self, piece: &[u8]) {
        self.0.extend(crc32c(piece).to_le_bytes());
        self.0.extend((piece.len() as u64).to_le_bytes());
    }

    /// As eight hexadecimal digits.
    fn hex(&self) -> String {
        format!("{:08x}", crc32c(&self.0))
    }
}

#[cfg(test)]
mod tests;
