//! Computes a network on one or several NVIDIA GPUs, and asks whether there is one.
//!
//! Contract: apart from `cpu/ops/gemm.rs` the only place of the crate with unsafe code: calls into the
//! CUDA driver, cuDNN, cuBLAS and NCCL, and launches of the kernels in `kernels`. Each file states its
//! promise in its first lines; every pointer that is handed to a GPU comes from a view
//! (`device/memory.rs`) whose length and type were checked against what is asked for.
#![allow(unsafe_code)]

#[cfg(feature = "cuda")]
pub(crate) mod conv;
pub(crate) mod device;
#[cfg(feature = "cuda")]
mod devices;
#[cfg(feature = "cuda")]
pub(crate) mod kernels;
#[cfg(feature = "cuda")]
mod network;
pub(crate) mod probe;
#[cfg(feature = "cuda")]
mod replica;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod scores;
#[cfg(any(feature = "cuda", test))]
mod slice;
#[cfg(feature = "cuda")]
mod upload;

#[cfg(feature = "cuda")]
pub(crate) use self::{
    device::CudaError,
    devices::Devices,
    replica::{Replica, STEPS},
    slice::Slice,
    upload::{AsPixels, Pixels, Staged},
};
