//! Convolution.

#[cfg(feature = "cuda")]
use std::cell::RefCell;

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use crate::candle_ops::cuda;
use crate::candle_ops::{ConvShape, expect, values, with_values};
use crate::cpu::ops::activation::{self, Epilogue};
use crate::cpu::ops::conv2d as kernel;
#[cfg(feature = "cuda")]
use crate::cuda::conv::{Backward, Forward, Plan};
#[cfg(feature = "cuda")]
use crate::cuda::device::{Buffer, Device, Element, View, copy};
#[cfg(feature = "cuda")]
use crate::cuda::kernels;
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
        let (input, weight, bias) = (
            cuda::view(s1, l1)?,
            cuda::view(s2, l2)?,
            cuda::view(s3, l3)?,
        );
        let s = &self.shape;
        let rows = input.len / s.input_len();
        check_padding(s)?;
        let output = cuda::fill(&s1.device, rows * s.output_len(), |gpu, output| {
            let tensors = RefCell::new(Forward {
                input,
                weight,
                bias: None,
                output,
            });
            let plan = |space: &mut Buffer| {
                let mut tensors = tensors.borrow_mut();
                Plan::new(gpu, rows, *s, tensors.reborrow(), None, space)
            };
            gpu.with_plan((*s, rows, false), plan, |plan, space| {
                plan.forward(gpu, tensors.borrow_mut().reborrow(), space)
            })?;
            let output = tensors.into_inner().output;
            kernels::bias_activation(gpu, output, Some(bias), self.function)
        })?;
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
            return self.cuda_bwd([images, weight, bias], output, gradient);
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
        for (weight, bias) in &sums {
            for (sums, part) in [(&mut weights, weight), (&mut biases, bias)] {
                let pairs = sums.iter_mut().zip(part);
                pairs.for_each(|(sum, part)| *sum += part);
            }
        }
        let device = images.device();
        Ok((
            Some(Tensor::from_vec(image_gradients, images.shape(), device)?),
            Some(Tensor::from_vec(weights, weight.shape(), device)?),
            Some(Tensor::from_vec(biases, bias.shape(), device)?),
        ))
    }
}

#[cfg(feature = "cuda")]
impl Conv2d {
    /// The gradients of the images, the weight and the bias, on a GPU.
    fn cuda_bwd(
        &self,
        [images, weight, bias]: [&Tensor; 3],
        output: &Tensor,
        output_gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (shape, function) = (&self.shape, self.function);
        let rows = images.elem_count() / shape.input_len();
        check_padding(shape)?;
        // The gradient before the activation.
        let dy = cuda::gradient(output, output_gradient, |gpu, output, dy, mut into| {
            copy(&gpu.stream, dy, into.reborrow())?;
            match function {
                Some(function) => kernels::activation_backward(gpu, function, output, into),
                None => Ok(()),
            }
        })?;
        // Each pass is planned with the others' results as the place to try algorithms on.
        let plan = |gpu: &Device, x: View<'_>, w: View<'_>, dy: View<'_>, space: &mut Buffer| {
            let mut scratch = [rows * shape.output_len(), x.len, w.len]
                .map(|len| gpu.buffer(Element::F32, len))
                .into_iter()
                .collect::<std::result::Result<Vec<_>, _>>()?;
            let [y, dx, dw] = &mut scratch[..] else {
                unreachable!("three were made")
            };
            let forward = Forward {
                input: x,
                weight: w,
                bias: None,
                output: y.view_mut(),
            };
            let backward = Backward {
                output_gradient: dy,
                input_gradient: Some(dx.view_mut()),
                weight_gradient: dw.view_mut(),
            };
            Plan::new(gpu, rows, *shape, forward, Some(backward), space)
        };
        let key = (*shape, rows, true);
        let (weight, images) = (weight.contiguous()?, images.contiguous()?);
        let dx = cuda::with_view(&weight, |w| {
            cuda::gradient(&images, &dy, |gpu, x, dy, into| {
                let plan = |space: &mut Buffer| plan(gpu, x, w, dy, space);
                gpu.with_plan(key, plan, |plan, space| {
                    plan.backward_data(gpu, w, dy, into, space)
                })
            })
        })?;
        let dw = cuda::with_view(&images, |x| {
            cuda::gradient(&weight, &dy, |gpu, w, dy, into| {
                let plan = |space: &mut Buffer| plan(gpu, x, w, dy, space);
                gpu.with_plan(key, plan, |plan, space| {
                    plan.backward_filter(gpu, x, dy, into, space)
                })
            })
        })?;
        let db = cuda::gradient(bias, &dy, |gpu, bias, dy, into| {
            let need = kernels::bias_scratch(dy.len / bias.len, bias.len);
            let mut scratch = gpu.buffer(Element::F32, need)?;
            kernels::bias_gradient(gpu, dy, into, scratch.view_mut())
        })?;
        Ok((Some(dx), Some(dw), Some(db)))
    }
}

/// Refuses what cuDNN cannot compute.
#[cfg(feature = "cuda")]
fn check_padding(shape: &ConvShape) -> Result<()> {
    if shape.before != shape.after {
        candle_core::bail!(
            "on a GPU a convolution pads both sides alike: pad the images first, and give a shape \
             without padding"
        );
    }
    Ok(())
}
