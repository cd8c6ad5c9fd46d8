//! The network's operations as functions on candle tensors, with gradients, on the CPU and on CUDA devices.

mod autograd;
#[cfg(feature = "cuda")]
pub(crate) mod tensor;

pub use crate::net::MaskKey;
pub use crate::net::shape::{ConvShape, PoolShape};
pub use autograd::{conv2d, dropout, lrn, max_pool2d, softmax_cross_entropy};
