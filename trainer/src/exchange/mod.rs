//! Weights in the names and layouts of other programs, as safetensors.
//!
//! Kernels become `[outputs, inputs / groups, height, width]` and fc6's columns run over channels,
//! then rows, then columns of pool5, as PyTorch flattens NCHW. Nothing else changes.

mod error;
mod file;
mod layout;
mod names;

pub use error::ExchangeError;
pub use file::{Described, export, import};
pub use names::Naming;
