//! The network's operations as functions on candle tensors, with gradients, on the CPU and on CUDA devices.
//!
//! They are for networks that are put together from candle's own parts; [`train`](crate::train) calls the
//! same kernels directly. Tensors are f32. Images are NHWC, `[rows, height, width, channels]`, and
//! kernels `[outputs, kernel, kernel, inputs / groups]`. CUDA tensors need a build with the feature `cuda`.
//!
//! The operations keep nothing between the passes, so the backward pass computes again what it needs: a
//! pool its winners, a convolution its transformed weights. `candle_alexnet` in `trainer/examples/` trains
//! the paper's network with them.
//!
//! ```
//! use candle_core::{DType, Device, Tensor, Var};
//! use shardmill_trainer::candle_ops::{
//!     Activation, ConvShape, PoolShape, conv2d, max_pool2d, softmax_cross_entropy,
//! };
//!
//! let device = Device::Cpu;
//! let images = Tensor::randn(0f32, 1.0, (2, 6, 6, 3), &device)?;
//! let weight = Var::randn(0f32, 0.1, (4, 3, 3, 3), &device)?;
//! let bias = Var::zeros(4, DType::F32, &device)?;
//!
//! let shape = ConvShape {
//!     height: 6,
//!     width: 6,
//!     inputs: 3,
//!     outputs: 4,
//!     kernel: 3,
//!     stride: 1,
//!     before: 1,
//!     after: 1,
//!     groups: 1,
//! };
//! let maps = conv2d(&images, &weight, &bias, shape, Some(Activation::Relu))?;
//! let pool = PoolShape { height: 6, width: 6, channels: 4, kernel: 6, stride: 6, cut: false };
//! let logits = max_pool2d(&maps, pool)?.flatten_from(1)?;
//! assert_eq!(logits.dims(), [2, 4]);
//!
//! // The mean loss, and how many labels are among the first and the first five.
//! let loss = softmax_cross_entropy(&logits, &[0, 3])?.get(0)?;
//! let gradients = loss.backward()?;
//! assert_eq!(gradients.get(&weight).unwrap().dims(), weight.dims());
//! # Ok::<(), candle_core::Error>(())
//! ```

mod conv2d;
mod cross_entropy;
#[cfg(feature = "cuda")]
mod cuda;
mod dropout;
mod linear;
mod lrn;
mod max_pool2d;
mod sgd;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

pub use crate::net::config::{Activation, LrnConfig};
pub use crate::net::sgd::Rate;
pub use crate::net::shape::{ConvShape, PoolShape};
pub use crate::net::{DropoutKey, MaskKey};
pub use conv2d::conv2d;
pub use cross_entropy::softmax_cross_entropy;
pub use dropout::dropout;
pub use linear::linear;
pub use lrn::lrn;
pub use max_pool2d::max_pool2d;
pub use sgd::sgd_step;

fn expect(what: &str, found: &[usize], expected: &[usize]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    bail!("{what}: sizes {found:?} where {expected:?} are needed")
}

/// The values of a contiguous f32 tensor.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("the operation needs contiguous f32 values"),
    }
}

/// Runs `work` on a tensor's values.
fn with_values<R>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(work(values(storage, layout)?)),
        _ => bail!("the operation runs on the CPU"),
    }
}
