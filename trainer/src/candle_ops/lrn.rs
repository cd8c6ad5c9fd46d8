//! Response normalisation.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use crate::candle_ops::cuda;
use crate::candle_ops::{values, with_values};
use crate::cpu::ops::lrn as kernel;
#[cfg(feature = "cuda")]
use crate::cuda::kernels::{self, NormChannels, NormGradient};
use crate::net::config::LrnConfig;

/// Pixels of one task.
const PIXELS: usize = 1024;

/// Local response normalisation across the last dimension; the shape stays.
///
/// # Errors
/// A tensor that is not f32, or that has no last dimension; a window of an even size.
pub fn lrn(images: &Tensor, config: LrnConfig) -> Result<Tensor> {
    if images.dims().last().is_none_or(|&channels| channels == 0) {
        bail!("lrn: sizes {:?} have no channels", images.dims())
    }
    if config.size.is_multiple_of(2) {
        bail!("lrn: the window is {}; expected an odd size", config.size)
    }
    images.contiguous()?.apply_op1(Lrn(config))
}

struct Lrn(LrnConfig);

impl CustomOp1 for Lrn {
    fn name(&self) -> &'static str {
        "shardmill-lrn"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let image = values(storage, layout)?;
        let channels = layout.dims().last().copied().unwrap_or(1);
        let mut output = vec![0.0; image.len()];
        image
            .par_chunks(PIXELS * channels)
            .zip(output.par_chunks_mut(PIXELS * channels))
            .for_each_init(
                || vec![0.0; kernel::scratch_len(channels, &self.0)],
                |scratch, (image, output)| {
                    kernel::forward(&self.0, channels, image, scratch, output);
                },
            );
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let channels = layout.dims().last().copied().unwrap_or(1);
        let images = cuda::view(storage, layout)?;
        let output = cuda::fill(&storage.device, images.len, |gpu, output| {
            kernels::lrn(gpu, &self.0, NormChannels::joined(channels), images, output)
        })?;
        Ok((output, layout.shape().clone()))
    }

    fn bwd(&self, images: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let channels = images.dims().last().copied().unwrap_or(1);
        #[cfg(feature = "cuda")]
        if images.device().is_cuda() {
            let gradient = cuda::gradient(images, gradient, |gpu, images, dy, output| {
                let from = NormGradient {
                    input: images,
                    gradient: dy,
                    after_relu: false,
                };
                kernels::lrn_backward(gpu, &self.0, NormChannels::joined(channels), from, output)
            });
            return gradient.map(Some);
        }
        let mut output = vec![0.0; images.elem_count()];
        with_values(images, |image| {
            with_values(gradient, |gradient| {
                image
                    .par_chunks(PIXELS * channels)
                    .zip(gradient.par_chunks(PIXELS * channels))
                    .zip(output.par_chunks_mut(PIXELS * channels))
                    .for_each_init(
                        || vec![0.0; kernel::scratch_len(channels, &self.0)],
                        |scratch, ((image, gradient), output)| {
                            kernel::backward(&self.0, channels, image, gradient, scratch, output);
                        },
                    );
            })
        })??;
        Tensor::from_vec(output, images.shape(), images.device()).map(Some)
    }
}
