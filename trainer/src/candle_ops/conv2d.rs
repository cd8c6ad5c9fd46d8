//! Convolution.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use crate::candle_ops::{ConvShape, expect, values, with_values};
use crate::cpu::ops::activation::Epilogue;
use crate::net::config::Activation;
use cpu::Convolution;

/// Convolution of NHWC images, with a bias and, if `function` is given, an activation.
///
/// `images` is `[rows, height, width, inputs]`, `weight` is `[outputs, kernel, kernel, inputs / groups]`,
/// `bias` is `[outputs]`, and the result is `[rows, output height, output width, outputs]`; `shape` holds
/// every size but the number of rows. Images that no variable leads to, as those of a network's first
/// layer, get no gradient, and none is computed.
///
/// # Errors
/// Tensors that are not f32 or do not have the sizes of `shape`; a shape with a size of 0, groups that do
/// not divide the channels, or a kernel that is larger than the padded images.
pub fn conv2d(
    images: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    shape: ConvShape,
    function: Option<Activation>,
) -> Result<Tensor> {
    let s = &shape;
    check(s)?;
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
    // cuDNN pads both sides alike.
    let (images, shape) = if images.device().is_cuda() && shape.before != shape.after {
        padded(images, shape)?
    } else {
        (images.clone(), shape)
    };
    let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
    let op = Conv2d { shape, function };
    images.contiguous()?.apply_op3(&weight, &bias, op)
}

/// The images with their zeros around them, and the same convolution of these.
fn padded(images: &Tensor, shape: ConvShape) -> Result<(Tensor, ConvShape)> {
    let (before, after) = (shape.before, shape.after);
    let rows = images.pad_with_zeros(1, before, after)?;
    let shape = ConvShape {
        height: shape.height + before + after,
        width: shape.width + before + after,
        before: 0,
        after: 0,
        ..shape
    };
    Ok((rows.pad_with_zeros(2, before, after)?, shape))
}

/// Refuses sizes that describe no convolution.
fn check(s: &ConvShape) -> Result<()> {
    let sizes = [s.height, s.width, s.inputs, s.outputs];
    if sizes.contains(&0) || [s.kernel, s.stride, s.groups].contains(&0) {
        bail!("conv2d: a size is 0 in {s:?}")
    }
    if !s.inputs.is_multiple_of(s.groups) || !s.outputs.is_multiple_of(s.groups) {
        let (groups, inputs, outputs) = (s.groups, s.inputs, s.outputs);
        bail!(
            "conv2d: {groups} groups divide {inputs} inputs and {outputs} outputs into no whole parts"
        )
    }
    let padding = s.before + s.after;
    if s.kernel > s.height.min(s.width) + padding {
        let (kernel, height, width) = (s.kernel, s.height + padding, s.width + padding);
        bail!(
            "conv2d: a kernel of {kernel}x{kernel} does not fit into {height}x{width} with padding"
        )
    }
    Ok(())
}

struct Conv2d {
    shape: ConvShape,
    function: Option<Activation>,
}

impl Conv2d {
    fn output_shape(&self, rows: usize) -> Shape {
        let s = &self.shape;
        (rows, s.output_height(), s.output_width(), s.outputs).into()
    }
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
        let epilogue = Epilogue::new(bias, self.function);
        let outputs = Convolution::new(&self.shape, weight).forward(images, epilogue);
        let shape = self.output_shape(images.len() / self.shape.input_len());
        Ok((CpuStorage::F32(outputs), shape))
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
        let tensors = [(s1, l1), (s2, l2), (s3, l3)];
        let outputs = cuda::forward(&self.shape, self.function, tensors)?;
        Ok((outputs, self.output_shape(l1.dims()[0])))
    }

    fn bwd(
        &self,
        images: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (shape, function) = (&self.shape, self.function);
        #[cfg(feature = "cuda")]
        if images.device().is_cuda() {
            return cuda::backward(shape, function, [images, weight, bias], output, gradient);
        }
        let is_tracked = images.track_op();
        let device = images.device();
        let gradients = with_values(images, |images| {
            with_values(weight, |weight| {
                with_values(output, |output| {
                    with_values(gradient, |gradient| {
                        let outputs = function.map(|function| (function, output));
                        let convolution = Convolution::new(shape, weight);
                        convolution.backward(images, outputs, gradient, is_tracked)
                    })
                })
            })
        })????;
        let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.shape(), device);
        let of_images = is_tracked.then(|| tensor(gradients.images, images));
        Ok((
            of_images.transpose()?,
            Some(tensor(gradients.weight, weight)?),
            Some(tensor(gradients.bias, bias)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    fn numbers(len: usize, step: usize) -> Vec<f32> {
        (0..len).map(|i| (i * step % 23) as f32 - 11.0).collect()
    }

    /// Small integers, so that every order of summation gives the same sums.
    #[test]
    fn zeros_may_be_put_around_the_images_first() {
        let shape = ConvShape {
            height: 5,
            width: 4,
            inputs: 2,
            outputs: 3,
            kernel: 3,
            stride: 2,
            before: 1,
            after: 2,
            groups: 1,
        };
        let tensor = |step, dims: &[usize]| {
            let values = numbers(dims.iter().product(), step);
            Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
        };
        let images = Var::from_tensor(&tensor(5, &[2, 5, 4, 2])).unwrap();
        let (weight, bias) = (tensor(7, &[3, 3, 3, 2]), tensor(3, &[3]));
        let run = |input: &Tensor, shape| {
            let output = conv2d(input, &weight, &bias, shape, None).unwrap();
            let gradients = output.sum_all().unwrap().backward().unwrap();
            let gradient = gradients.get(&images).unwrap();
            [&output, gradient].map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap())
        };
        let (around, without) = padded(&images, shape).unwrap();
        assert_eq!(around.dims(), [2, 8, 7, 2]);
        assert_eq!(run(&around, without), run(&images, shape));
    }
}
