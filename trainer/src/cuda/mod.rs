//! Training on an NVIDIA card, and the question whether there is one.
//!
//! Contract: the only place of the crate, but for `ops/gemm.rs`, with unsafe code: calls into the CUDA
//! driver, cuDNN, cuBLAS and NCCL, and launches of the kernels beside this file. Each file says in its first
//! lines what it promises; every pointer that leaves for the card comes from a view
//! ([`memory`](self::memory)) whose length and type were checked against what is asked for.
#![allow(unsafe_code)]

#[cfg(feature = "cuda")]
pub(crate) mod card;
#[cfg(feature = "nccl")]
pub(crate) mod cards;
#[cfg(feature = "cuda")]
pub(crate) mod conv;
pub(crate) mod device;
#[cfg(feature = "cuda")]
pub(crate) mod engine;
#[cfg(feature = "cuda")]
pub(crate) mod feed;
#[cfg(feature = "cuda")]
pub(crate) mod kernels;
#[cfg(feature = "cuda")]
pub(crate) mod network;
#[cfg(feature = "cuda")]
pub(crate) mod preparation;
pub(crate) mod probe;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod scores;
#[cfg(any(feature = "cuda", test))]
pub(crate) mod slice;

#[cfg(feature = "nccl")]
pub(crate) use cards::CardsEngine;
#[cfg(feature = "cuda")]
pub use device::error::CudaError;
#[cfg(feature = "cuda")]
pub(crate) use engine::CudaEngine;
#[cfg(feature = "cuda")]
pub(crate) use feed::Pixels;
