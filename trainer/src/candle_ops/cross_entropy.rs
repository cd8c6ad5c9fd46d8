//! The loss.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

#[cfg(feature = "cuda")]
use crate::candle_ops::cuda;
use crate::candle_ops::{expect, values, with_values};
use crate::cpu::ops::cross_entropy as kernel;
#[cfg(feature = "cuda")]
use crate::cuda::device::{Buffer, CudaError, Device, Element, View, ViewMut};
#[cfg(feature = "cuda")]
use crate::cuda::kernels::{self, Loss};

/// The mean softmax cross-entropy of `[rows, classes]` logits with one label a row.
///
/// The result has three values: the mean loss, and the numbers of rows whose label is the first, or one of
/// the first five, classes. Only the loss has a gradient.
///
/// # Errors
/// A tensor that is not f32, or labels that are too few, too many, or no classes.
pub fn softmax_cross_entropy(logits: &Tensor, labels: &[i64]) -> Result<Tensor> {
    let (rows, classes) = logits.dims2()?;
    expect("logits", &[rows], &[labels.len()])?;
    if let Some(label) = labels.iter().find(|&&l| !(0..classes as i64).contains(&l)) {
        bail!("label {label} of {classes} classes");
    }
    logits.contiguous()?.apply_op1(CrossEntropy {
        classes,
        labels: labels.to_vec(),
    })
}

struct CrossEntropy {
    classes: usize,
    labels: Vec<i64>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "shardmill-softmax-cross-entropy"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let logits = values(storage, layout)?;
        let scores = kernel::score(logits, self.classes, &self.labels, &mut []);
        let loss = (scores.loss / self.labels.len() as f64) as f32;
        let output = vec![loss, scores.top1 as f32, scores.top5 as f32];
        Ok((CpuStorage::F32(output), 3.into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let logits = cuda::view(storage, layout)?;
        let gpu = cuda::handles(&storage.device)?;
        let sums = score(&gpu, &self.labels, logits, None);
        let sums = sums.and_then(|sums| sums.read::<f64>(3));
        let sums = sums.map_err(cuda::failed)?;
        let loss = (sums[0] / self.labels.len() as f64) as f32;
        let values = [loss, sums[1] as f32, sums[2] as f32];
        let slice = storage.device.clone_htod(&values)?;
        let output = CudaStorage::wrap_cuda_slice(slice, storage.device.clone());
        Ok((output, 3.into()))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        #[cfg(feature = "cuda")]
        if logits.device().is_cuda() {
            let own = cuda::gradient(logits, logits, |gpu, logits, _, output| {
                score(gpu, &self.labels, logits, Some(output)).map(drop)
            })?;
            // Of the three values only the loss has a gradient.
            return own.broadcast_mul(&gradient.narrow(0, 0, 1)?).map(Some);
        }
        let factor = with_values(gradient, |gradient| gradient[0])?;
        let mut output = vec![0.0; logits.elem_count()];
        with_values(logits, |logits| {
            kernel::score(logits, self.classes, &self.labels, &mut output);
        })?;
        output.iter_mut().for_each(|g| *g *= factor);
        Tensor::from_vec(output, logits.shape(), logits.device()).map(Some)
    }
}

/// On a GPU: the sum of the losses and the numbers of hits; writes the gradient if it is needed.
#[cfg(feature = "cuda")]
fn score(
    gpu: &Device,
    labels: &[i64],
    logits: View<'_>,
    gradient: Option<ViewMut<'_>>,
) -> std::result::Result<Buffer, CudaError> {
    let images = labels.len();
    let labels = Buffer::from_host(&gpu.stream, labels)?;
    let mut sums = gpu.buffer(Element::F64, 3)?;
    let mut scratch = gpu.buffer(Element::F32, kernels::loss_scratch(images))?;
    let loss = Loss {
        images,
        logits,
        labels: labels.view(),
        gradient,
        sums: sums.view_mut(),
        scratch: scratch.view_mut(),
    };
    kernels::cross_entropy(gpu, loss)?;
    Ok(sums)
}
