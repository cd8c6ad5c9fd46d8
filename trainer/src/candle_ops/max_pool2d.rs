//! Max pooling.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use crate::candle_ops::cuda;
use crate::candle_ops::{PoolShape, expect, values, with_values};
use crate::cpu::ops::max_pool2d as kernel;
#[cfg(feature = "cuda")]
use crate::cuda::device::Element;
#[cfg(feature = "cuda")]
use crate::cuda::kernels::{self, PoolColumns, PoolGradient};

/// Max pooling of NHWC images: `[rows, height, width, channels]` becomes
/// `[rows, output height, output width, channels]`. `shape` holds every size but the number of rows.
///
/// # Errors
/// A tensor that is not f32 or does not have the sizes of `shape`; a shape with a size of 0, or a window
/// that is larger than the images or has more than 256 places; windows that are cut, on a GPU.
pub fn max_pool2d(images: &Tensor, shape: PoolShape) -> Result<Tensor> {
    check(&shape)?;
    expect(
        "images",
        images.dims().get(1..).unwrap_or_default(),
        &[shape.height, shape.width, shape.channels],
    )?;
    if shape.cut && images.device().is_cuda() {
        bail!("max_pool2d cuts windows at the border on the CPU only");
    }
    images.contiguous()?.apply_op1(MaxPool2d(shape))
}

/// Refuses sizes that describe no pool.
fn check(s: &PoolShape) -> Result<()> {
    if [s.height, s.width, s.channels, s.kernel, s.stride].contains(&0) {
        bail!("max_pool2d: a size is 0 in {s:?}")
    }
    // Places in a window are bytes.
    if s.kernel > s.height.min(s.width) || s.kernel > 16 {
        let (kernel, height, width) = (s.kernel, s.height, s.width);
        bail!(
            "max_pool2d: a window of {kernel}x{kernel} on {height}x{width}; expected one that fits, of at \
             most 16x16"
        )
    }
    Ok(())
}

struct MaxPool2d(PoolShape);

impl CustomOp1 for MaxPool2d {
    fn name(&self) -> &'static str {
        "shardmill-max-pool2d"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (images, s) = (values(storage, layout)?, &self.0);
        let rows = images.len() / s.input_len();
        let mut output = vec![0.0; rows * s.output_len()];
        images
            .par_chunks_exact(s.input_len())
            .zip(output.par_chunks_exact_mut(s.output_len()))
            .for_each(|(image, output)| kernel::forward(s, image, output, &mut []));
        let dims = (rows, s.output_height(), s.output_width(), s.channels);
        Ok((CpuStorage::F32(output), dims.into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (images, s) = (cuda::view(storage, layout)?, &self.0);
        let rows = images.len / s.input_len();
        let output = cuda::fill(&storage.device, rows * s.output_len(), |gpu, output| {
            let mut winners = gpu.buffer(Element::U8, output.len)?;
            kernels::max_pool(
                gpu,
                s,
                PoolColumns::JOINED,
                rows,
                images,
                output,
                winners.view_mut(),
            )
        })?;
        let dims = (rows, s.output_height(), s.output_width(), s.channels);
        Ok((output, dims.into()))
    }

    fn bwd(&self, images: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let s = &self.0;
        #[cfg(feature = "cuda")]
        if images.device().is_cuda() {
            let gradient = cuda::gradient(images, gradient, |gpu, images, dy, output| {
                let rows = images.len / s.input_len();
                let mut winners = gpu.buffer(Element::U8, dy.len)?;
                let mut largest = gpu.buffer(Element::F32, dy.len)?;
                let (into, places) = (largest.view_mut(), winners.view_mut());
                kernels::max_pool(gpu, s, PoolColumns::JOINED, rows, images, into, places)?;
                let from = PoolGradient {
                    winners: winners.view(),
                    gradient: dy,
                    after_relu: None,
                };
                kernels::max_pool_backward(gpu, s, PoolColumns::JOINED, rows, from, output)
            });
            return gradient.map(Some);
        }
        let mut image_gradients = vec![0.0; images.elem_count()];
        with_values(images, |images| {
            with_values(gradient, |gradients| {
                images
                    .par_chunks_exact(s.input_len())
                    .zip(gradients.par_chunks_exact(s.output_len()))
                    .zip(image_gradients.par_chunks_exact_mut(s.input_len()))
                    .for_each_init(
                        || (vec![0.0; s.output_len()], vec![0; s.output_len()]),
                        |(output, winners), ((image, gradient), image_gradient)| {
                            kernel::forward(s, image, output, winners);
                            kernel::backward(s, winners, gradient, image_gradient);
                        },
                    );
            })
        })??;
        Tensor::from_vec(image_gradients, images.shape(), images.device()).map(Some)
    }
}
