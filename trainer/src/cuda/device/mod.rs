//! A GPU: its context and libraries, its memory, its kernels, its errors, and what joins several.

#[cfg(feature = "cuda")]
mod context;
#[cfg(feature = "cuda")]
mod error;
#[cfg(feature = "cuda")]
mod kernels;
#[cfg(feature = "nccl")]
mod link;
#[cfg(feature = "cuda")]
mod memory;
#[cfg(any(feature = "nccl", test))]
mod threads;

#[cfg(feature = "cuda")]
pub(crate) use context::Device;
#[cfg(feature = "cuda")]
pub use error::CudaError;
#[cfg(feature = "cuda")]
pub(crate) use error::ErrorContext;
#[cfg(feature = "cuda")]
pub(crate) use kernels::{Argument, Entry, Grid};
#[cfg(feature = "cuda")]
pub(crate) use memory::{Buffer, Element, Value, View, ViewMut, copy};
#[cfg(feature = "nccl")]
pub(crate) use threads::{DeviceThreads, FailureFlag};
