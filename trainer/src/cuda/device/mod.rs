//! A GPU: its context and libraries, its memory and candle's tensors in it, its kernels, its errors, and what joins
//! several.

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
#[cfg(feature = "cuda")]
mod tensor;
#[cfg(any(feature = "nccl", test))]
mod threads;

#[cfg(feature = "nccl")]
pub(crate) use self::threads::{DeviceThreads, FailureFlag};
#[cfg(feature = "cuda")]
pub(crate) use self::{
    context::{BF16_CHANNELS, Device},
    error::{CudaError, ErrorContext},
    kernels::{Argument, Entry, Grid},
    memory::{Buffer, Element, Value, View, ViewMut, copy, make_current},
    tensor::{TensorBuffer, tensor_view},
};
