//! Weights in the names and layouts of other programs, as safetensors.
//!
//! Kernels become `[outputs, inputs / groups, height, width]` and fc6's columns run over channels,
//! then rows, then columns of pool5, as PyTorch flattens NCHW. A mean image becomes one more tensor,
//! [`MEAN_IMAGE`], `[3, side, side]`. Nothing else changes.

mod error;
mod file;
mod layout;
mod names;

pub use error::ExchangeError;
pub use file::{Described, Imported, export, import};
pub use names::Naming;

/// The tensor of the mean image in an exchanged file, under every naming: `[3, side, side]` on the 0-255
/// scale, `side` being that of the records.
pub const MEAN_IMAGE: &str = "mean_image";
