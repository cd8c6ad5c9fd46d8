//! The operations as functions on candle tensors that candle's backward pass can go through.
//!
//! The kernels are those of the sibling files, and on CUDA tensors, in a build with the feature `cuda`,
//! those of a card. [`Model`](crate::net::Model) calls these kernels
//! itself and needs none of this: it is for networks that are put together from candle's own parts.
//! A custom op keeps nothing between the passes, so the backward pass works out again what it needs.

mod loss;

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use crate::candle_ops::tensor as card;
use crate::cpu::ops::activation::{self, Epilogue};
use crate::cpu::ops::{
    conv2d as conv2d_kernel, lrn as lrn_kernel, max_pool2d as max_pool2d_kernel,
};
use crate::net::MaskKey;
use crate::net::config::{Activation, LrnConfig};
use crate::net::shape::{ConvShape, PoolShape};
use loss::{CrossEntropy, Dropout};

/// Images whose weight gradients are added up in one task; a constant, as sums depend on it.
const CHUNK: usize = 8;

/// Convolution with bias and activation of NHWC images: see [`conv2d`](super::conv2d) for the
/// layouts. `shape` holds all sizes but the number of images.
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
        &images.dims()[1..],
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

/// Max pool of NHWC images.
///
/// # Errors
/// A tensor that is not f32 or does not have the sizes of `shape`.
pub fn max_pool2d(images: &Tensor, shape: PoolShape) -> Result<Tensor> {
    expect(
        "images",
        &images.dims()[1..],
        &[shape.height, shape.width, shape.channels],
    )?;
    images.contiguous()?.apply_op1(MaxPool2d(shape))
}

/// Response normalisation across the last dimension.
///
/// # Errors
/// A tensor that is not f32.
pub fn lrn(images: &Tensor, config: LrnConfig) -> Result<Tensor> {
    images.contiguous()?.apply_op1(Lrn(config))
}

/// Dropout of `rate` of the values, with the mask of `key`.
///
/// # Errors
/// A tensor that is not f32.
pub fn dropout(values: &Tensor, rate: f32, key: MaskKey) -> Result<Tensor> {
    values.contiguous()?.apply_op1(Dropout { rate, key })
}

/// Mean cross-entropy of `[rows, classes]` logits, and the numbers of top-1 and top-5 hits, as one
/// tensor of three values; only the first has a gradient.
///
/// # Errors
/// A tensor that is not f32, or labels that do not fit it.
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
                || vec![0.0; conv2d_kernel::scratch_len(s)],
                |scratch, (image, output)| {
                    let epilogue = Epilogue::new(bias, self.function);
                    conv2d_kernel::forward(s, image, weight, epilogue, scratch, output);
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
        let output = card::conv2d([(s1, l1), (s2, l2), (s3, l3)], s, self.function)?;
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
            let outputs = (output, gradient);
            let [images, weight, bias] =
                card::conv2d_backward(inputs, outputs, &self.shape, self.function)?;
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
                    let mut scratch = vec![0.0; conv2d_kernel::scratch_len(s)];
                    let mut weights = vec![0.0; s.weight_len()];
                    let mut biases = vec![0.0; s.outputs];
                    let rows = images
                        .chunks_exact(s.input_len())
                        .zip(gradients.chunks_exact(s.output_len()))
                        .zip(image_gradients.chunks_exact_mut(s.input_len()));
                    for ((image, gradient), image_gradient) in rows {
                        let (w, b) = (&mut weights, &mut biases);
                        conv2d_kernel::backward_weight(s, image, gradient, &mut scratch, w, b);
                        let scratch = &mut scratch;
                        conv2d_kernel::backward_input(s, weight, gradient, scratch, image_gradient);
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
            .for_each(|(image, output)| max_pool2d_kernel::forward(s, image, output, &mut []));
        let dims = (rows, s.output_height(), s.output_width(), s.channels);
        Ok((CpuStorage::F32(output), dims.into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let s = &self.0;
        let output = card::max_pool2d(storage, layout, s)?;
        let rows = layout.shape().elem_count() / s.input_len();
        let dims = (rows, s.output_height(), s.output_width(), s.channels);
        Ok((output, dims.into()))
    }

    fn bwd(&self, images: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        #[cfg(feature = "cuda")]
        if images.device().is_cuda() {
            return card::max_pool2d_backward(images, gradient, &self.0).map(Some);
        }
        let s = &self.0;
        let mut image_gradients = vec![0.0; images.elem_count()];
        with_values(images, |images| {
            with_values(gradient, |gradients| {
                images
                    .par_chunks_exact(s.input_len())
                    .zip(gradients.par_chunks_exact(s.output_len()))
                    .zip(image_gradients.par_chunks_exact_mut(s.input_len()))
                    .for_each(|((image, gradient), image_gradient)| {
                        let mut output = vec![0.0; s.output_len()];
                        let mut winners = vec![0; s.output_len()];
                        max_pool2d_kernel::forward(s, image, &mut output, &mut winners);
                        max_pool2d_kernel::backward(s, &winners, gradient, image_gradient);
                    });
            })
        })??;
        Tensor::from_vec(image_gradients, images.shape(), images.device()).map(Some)
    }
}

struct Lrn(LrnConfig);

impl CustomOp1 for Lrn {
    fn name(&self) -> &'static str {
        "shardmill-lrn"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let image = values(storage, layout)?;
        let channels = layout.dims().last().copied().unwrap_or(1);
        let mut scratch = vec![0.0; lrn_kernel::scratch_len(channels, &self.0)];
        let mut output = vec![0.0; image.len()];
        lrn_kernel::forward(&self.0, channels, image, &mut scratch, &mut output);
        Ok((CpuStorage::F32(output), layout.shape().clone()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, storage: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let channels = layout.dims().last().copied().unwrap_or(1);
        let output = card::lrn(storage, layout, &self.0, channels)?;
        Ok((output, layout.shape().clone()))
    }

    fn bwd(&self, images: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        #[cfg(feature = "cuda")]
        if images.device().is_cuda() {
            let channels = images.dims().last().copied().unwrap_or(1);
            return card::lrn_backward(images, gradient, &self.0, channels).map(Some);
        }
        let channels = images.dims().last().copied().unwrap_or(1);
        let mut scratch = vec![0.0; lrn_kernel::scratch_len(channels, &self.0)];
        let mut output = vec![0.0; images.elem_count()];
        with_values(images, |image| {
            with_values(gradient, |gradient| {
                let (scratch, output) = (&mut scratch, &mut output);
                lrn_kernel::backward(&self.0, channels, image, gradient, scratch, output);
            })
        })??;
        Tensor::from_vec(output, images.shape(), images.device()).map(Some)
    }
}
