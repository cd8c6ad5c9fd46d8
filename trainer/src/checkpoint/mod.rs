//! Checkpoints: everything that a run needs to go on as if it had never stopped.
//!
//! A checkpoint is an ordinary safetensors file. It holds every parameter under its own name, every
//! velocity of the optimiser under `velocity.` and that name, the mean image (if inputs are less one) as
//! `mean_image`, and as `__metadata__` strings the [`RunState`] as JSON
//! and one CRC-32C over all of it. The same state gives the same bytes.

pub(crate) mod checksum;
mod error;
pub mod exchange;
mod read;
mod restore;
mod state;
mod write;

pub use error::CheckpointError;
pub use state::{PixelStatistics, Progress, RunState};

use std::collections::BTreeMap;

use candle_core::Tensor;

/// A checkpoint in memory.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Recipe, network, classes and position.
    pub state: RunState,
    /// Parameters and velocities by name.
    pub tensors: BTreeMap<String, Tensor>,
}

#[cfg(test)]
mod tests;
