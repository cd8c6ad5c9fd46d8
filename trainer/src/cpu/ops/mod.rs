//! The operations that candle lacks, as plain functions on slices.
//!
//! Each file holds one operation, forward and backward, on NHWC images in f32. The convolution, pool
//! and normalisation take a single image, so that callers decide how images share the threads; minimal
//! filtering (`winograd`) takes several at once, and the fully connected layers the batch.

pub mod activation;
pub mod conv2d;
pub mod cross_entropy;
pub mod dropout;
pub mod gemm;
pub mod im2col;
pub mod linear;
pub mod lrn;
pub mod map_norm;
pub mod max_pool2d;
mod response;
mod vectorise;
pub mod winograd;
