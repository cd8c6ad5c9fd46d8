//! Training on an NVIDIA card, and the question whether there is one.
//!
//! Contract: the only place of the crate, but for `ops/gemm.rs`, with unsafe code: calls into the CUDA
//! driver, cuDNN, cuBLAS and NCCL, and launches of the kernels beside this file. Each file says in its first
//! lines what it promises; every pointer that leaves for the card comes from a view
//! ([`memory`](self::memory)) whose length and type were checked against what is asked for.
#![allow(unsafe_code)]

#[cfg(feature = "cuda")]
mod card;
#[cfg(feature = "nccl")]
mod cards;
#[cfg(feature = "cuda")]
pub mod check;
#[cfg(feature = "cuda")]
mod conv;
#[cfg(feature = "cuda")]
mod engine;
#[cfg(feature = "cuda")]
mod error;
#[cfg(feature = "cuda")]
mod feed;
#[cfg(feature = "cuda")]
mod gpu;
#[cfg(feature = "cuda")]
mod kernels;
#[cfg(feature = "cuda")]
mod memory;
#[cfg(feature = "cuda")]
mod network;
#[cfg(feature = "cuda")]
mod preparation;
pub(crate) mod probe;
#[cfg(feature = "cuda")]
mod product;
#[cfg(feature = "cuda")]
pub(crate) mod tensor;
#[cfg(feature = "cuda")]
mod weights;

#[cfg(feature = "nccl")]
pub(crate) use cards::CardsEngine;
#[cfg(feature = "cuda")]
pub(crate) use engine::CudaEngine;
#[cfg(feature = "cuda")]
pub use error::CudaError;
#[cfg(feature = "cuda")]
pub(crate) use feed::Pixels;
