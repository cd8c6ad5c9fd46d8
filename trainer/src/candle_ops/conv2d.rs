//! Convolution.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use crate::candle_ops::cuda;
use crate::candle_ops::{ConvShape, expect, values, with_values};
use crate::cpu::ops::activation::{self, Epilogue};
use crate::cpu::ops::conv2d as kernel;
use crate::net::config::Activation;

/// Images whose weight gradients are added up in one task; a constant, as sums depend on it.
const CHUNK: usize = 8;

/// Convolution of NHWC images, with a bias and, if `function` is given, an activation.
///
/// `images` is `[rows, height, width, inputs]`, `weight` is `[outputs, kernel, kernel, inputs / groups]`,
/// `bias` is `[outputs]`, and the result is `[rows, output height, output width, outputs]`; `shape` holds
/// every size but the number of rows.
///
/// # Errors
/// Tensors that are not f32 or do not have the sizes of `shape`.
pub fn conv2d(
    images: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    shape: ConvShape,
    function: Option<Activation>,
) -> Result<Tensor> {
    let s = &shape;
    expect(
        "images",
        images.dims().get(1..).unwrap_or_default(),
        &[s.height, s.width, s.inputs],
    )?;
    expect(
        "weight",
        weight.dims(),
        &[s.outputs, s.kernel, s.kernel, s.group_inputs()],
    )?;
    expect("bias", bias.dims(), &[s.outputs])?;
    let op = Conv2d { shape, function };
    images
        .contiguous()?
        .apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)
}

struct Conv2d {
    shape: ConvShape,
    function: Option<Activation>,
}

impl CustomOp3 for Conv2d {
    fn name(&self) -> &'static str {
        "shardmill-conv2d"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (images, weight, bias) = (values(s1, l1)?, values(s2, l2)?, values(s3, l3)?);
        let s = &self.shape;
        let rows = images.len() / s.input_len();
        let mut output = vec![0.0; rows * s.output_len()];
        images
            .par_chunks_exact(s.input_len())
            .zip(output.par_chunks_exact_mut(s.output_len()))
            .for_each_init(
                || vec![0.0; kernel::scratch_len(s)],
                |scratch, (image, output)| {
                    let epilogue = Epilogue::new(bias, self.function);
                    kernel::forward(s, image, weight, epilogue, scratch, output);
                },
            );
        let dims = (rows, s.output_height(), s.output_width(), s.outputs);
        Ok((CpuStorage::F32(output), dims.into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
        s3: &CudaStorage,
        l3: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        let s = &self.shape;
        let output = cuda::conv2d([(s1, l1), (s2, l2), (s3, l3)], s, self.function)?;
        let rows = l1.shape().elem_count() / s.input_len();
        let dims = (rows, s.output_height(), s.output_width(), s.outputs);
        Ok((output, dims.into()))
    }

    fn bwd(
        &self,
        images: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        #[cfg(feature = "cuda")]
        if images.device().is_cuda() {
            let inputs = [images, weight, bias];
            let [images, weight, bias] =
                cuda::conv2d_backward(inputs, output, gradient, &self.shape, self.function)?;
            return Ok((Some(images), Some(weight), Some(bias)));
        }
        let mut gradients = with_values(gradient, <[f32]>::to_vec)?;
        if let Some(function) = self.function {
            with_values(output, |output| {
                activation::backward(function, output, &mut gradients)
            })?;
        }
        let s = &self.shape;
        let mut image_gradients = vec![0.0; images.elem_count()];
        let sums = with_values(images, |images| {
            with_values(weight, |weight| {
                let chunks = images
                    .par_chunks(CHUNK * s.input_len())
                    .zip(gradients.par_chunks(CHUNK * s.output_len()))
                    .zip(image_gradients.par_chunks_mut(CHUNK * s.input_len()));
                let sums = chunks.map(|((images, gradients), image_gradients)| {
                    let mut scratch = vec![0.0; kernel::scratch_len(s)];
                    let mut weights = vec![0.0; s.weight_len()];
                    let mut biases = vec![0.0; s.outputs];
                    let rows = images
                        .chunks_exact(s.input_len())
                        .zip(gradients.chunks_exact(s.output_len()))
                        .zip(image_gradients.chunks_exact_mut(s.input_len()));
                    for ((image, gradient), image_gradient) in rows {
                        let (w, b) = (&mut weights, &mut biases);
                        kernel::backward_weight(s, image, gradient, &mut scratch, w, b);
                        let scratch = &mut scratch;
                        kernel::backward_input(s, weight, gradient, scratch, image_gradient);
                    }
                    (weights, biases)
                });
                sums.collect::<Vec<_>>()
            })
        })??;
        let mut weights = vec![0.0; s.weight_len()];
        let mut biases = vec![0.0; s.outputs];
        for (part, bias_part) in &sums {
            weights
                .iter_mut()
                .zip(part)
                .for_each(|(sum, part)| *sum += part);
            biases
                .iter_mut()
                .zip(bias_part)
                .for_each(|(sum, part)| *sum += part);
        }
        let device = images.device();
        Ok((
            Some(Tensor::from_vec(image_gradients, images.shape(), device)?),
            Some(Tensor::from_vec(weights, weight.shape(), device)?),
            Some(Tensor::from_vec(biases, bias.shape(), device)?),
        ))
    }
}
