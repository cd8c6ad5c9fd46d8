//! Dropout.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use crate::candle_ops::cuda;
use crate::candle_ops::{MaskKey, values};
use crate::cpu::ops::dropout as kernel;
#[cfg(feature = "cuda")]
use crate::cuda::kernels;

/// Values of one task; a multiple of four, as a block of the generator holds four words.
const CHUNK: usize = 1 << 14;

/// Dropout: sets a share `rate` of the values to 0 and multiplies the others by `1 / (1 - rate)`.
///
/// The same `key` gives the same mask, on every device. The shape stays.
///
/// # Errors
/// A tensor that is not f32, or a rate that is not from 0 to below 1.
pub fn dropout(values: &Tensor, rate: f32, key: MaskKey) -> Result<Tensor> {
    if !(0.0..1.0).contains(&rate) {
        bail!("dropout: the rate is {rate}; expected 0 or more, below 1")
    }
    values.contiguous()?.apply_op1(Dropout { rate, key })
}

struct Dropout {
    rate: f32,
    key: MaskKey,
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "shardmill-dropout"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut output = values(storage, layout)?.to_vec();
        let chunks = output.par_chunks_mut(CHUNK).enumerate();
        chunks.for_each(|(i, chunk)| kernel::apply(chunk, self.rate, self.key, i * CHUNK));
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let values = cuda::view(storage, layout)?;
        let output = cuda::fill(&storage.device, values.len, |gpu, output| {
            kernels::dropout(gpu, self.rate, self.key, 0, values, output)
        })?;
        Ok((output, layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        dropout(&gradient.detach(), self.rate, self.key).map(Some)
    }
}
