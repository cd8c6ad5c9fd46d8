//! Dropout and the loss.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::candle_ops::autograd::{values, with_values};
#[cfg(feature = "cuda")]
use crate::candle_ops::tensor as card;
use crate::cpu::ops::{cross_entropy, dropout};
use crate::net::MaskKey;

pub(crate) struct Dropout {
    pub(crate) rate: f32,
    pub(crate) key: MaskKey,
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "shardmill-dropout"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut output = values(storage, layout)?.to_vec();
        dropout::apply(&mut output, self.rate, self.key, 0);
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let output = card::dropout(storage, layout, self.rate, self.key)?;
        Ok((output, layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        crate::candle_ops::autograd::dropout(&gradient.detach(), self.rate, self.key).map(Some)
    }
}

pub(crate) struct CrossEntropy {
    pub(crate) classes: usize,
    pub(crate) labels: Vec<i64>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "shardmill-softmax-cross-entropy"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let logits = values(storage, layout)?;
        let scores = cross_entropy::score(logits, self.classes, &self.labels, &mut []);
        let loss = (scores.loss / self.labels.len() as f64) as f32;
        let output = vec![loss, scores.top1 as f32, scores.top5 as f32];
        Ok((CpuStorage::F32(output), 3.into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let output = card::cross_entropy(storage, layout, self.classes, &self.labels)?;
        Ok((output, 3.into()))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        #[cfg(feature = "cuda")]
        if logits.device().is_cuda() {
            let own = card::cross_entropy_backward(logits, self.classes, &self.labels)?;
            // Of the three values only the loss has a gradient.
            return own.broadcast_mul(&gradient.narrow(0, 0, 1)?).map(Some);
        }
        let factor = with_values(gradient, |gradient| gradient[0])?;
        let mut output = vec![0.0; logits.elem_count()];
        with_values(logits, |logits| {
            cross_entropy::score(logits, self.classes, &self.labels, &mut output);
        })?;
        output.iter_mut().for_each(|g| *g *= factor);
        Tensor::from_vec(output, logits.shape(), logits.device()).map(Some)
    }
}
