//! Why weights cannot be exchanged.

use std::io;
use std::path::PathBuf;

use crate::checkpoint::exchange::MEAN_IMAGE;
use crate::net::ModelError;

/// Why weights cannot be exchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// torchvision has no such network.
    #[error(
        "torchvision ships the network that is called alexnet-owt here, and no other; use the \
         naming `pytorch` for any other"
    )]
    NotTorchvisions,
    /// The mean image does not fit the network.
    #[error(
        "{MEAN_IMAGE} in {} has the shape {found:?}; expected [3, side, side] with a side of at least \
         {crop}, the window that the network sees", path.display()
    )]
    MeanImage {
        /// The file.
        path: PathBuf,
        /// The tensor's shape.
        found: Vec<usize>,
        /// Side of the network's window.
        crop: usize,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// The file is no safetensors file.
    #[error("{} is no safetensors file; write a PyTorch state dict with \
             safetensors.torch.save_file", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: safetensors::SafeTensorError,
    },
    /// The file lacks a tensor.
    #[error("{} has no tensor {name}; it has {known}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The tensor's name there.
        name: String,
        /// The names that it has.
        known: String,
    },
    /// The file has a tensor that the network does not know.
    #[error("{} has a tensor {name} that the network has no place for", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The tensor's name there.
        name: String,
    },
    /// The file was exported here but its description cannot be read.
    #[error("the description in {} is wrong: {reason}", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A tensor does not fit the network, or candle refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// candle refused.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
