//! The operations that candle lacks, as plain functions on slices.
//!
//! Each file holds one operation, forward and backward, on NHWC images in f32. The convolution, pool
//! and normalisation take a single image, so that callers decide how images share the threads; minimal
//! filtering (`winograd`) takes several at once, and the fully connected layers the batch.

pub mod activation;
pub mod avg_pool2d;
pub mod conv2d;
pub mod cross_entropy;
pub mod dropout;
pub mod gemm;
pub mod im2col;
pub mod linear;
pub mod max_pool2d;
mod response;
pub mod winograd;

use pulp::{Arch, NullaryFnOnce};

pub use response::{lrn, map_norm};

/// Runs `work`, loops compiled for the widest vectors that the running machine has. It must be an
/// `#[inline(always)]` closure, so that it is compiled for each instruction set. No set contracts a multiplication and an addition, so all give the same bits.
#[inline(always)]
fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(Work(work))
}

/// Gives the closure the kind `FnOnce`: of any other kind it would be called through a shim that
/// the compiler does not inline, and its loops would be compiled for the baseline.
struct Work<F>(F);

impl<R, F: FnOnce() -> R> NullaryFnOnce for Work<F> {
    type Output = R;

    #[inline(always)]
    fn call(self) -> R {
        (self.0)()
    }
}
