//! A GPU: its context, memory, and errors, and the link between several.

#[cfg(any(feature = "nccl", test))]
pub(crate) mod crew;
#[cfg(feature = "cuda")]
pub(crate) mod error;
#[cfg(feature = "cuda")]
pub(crate) mod gpu;
#[cfg(feature = "nccl")]
pub(crate) mod link;
#[cfg(feature = "cuda")]
pub(crate) mod memory;
