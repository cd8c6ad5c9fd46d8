//! Fully connected layers.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::candle_ops::{expect, values, with_values};
use crate::cpu::ops::activation::{self, Epilogue};
use crate::cpu::ops::linear as kernel;
use crate::net::config::Activation;

/// Values of a task that goes value by value.
const CHUNK: usize = 1 << 14;

/// A fully connected layer: `function(input weight^T + bias)`, or without a function.
///
/// `input` is `[rows, inputs]`, `weight` is `[outputs, inputs]`, `bias` is `[outputs]`, and the result is
/// `[rows, outputs]`. An input that no variable leads to gets no gradient. On a GPU these are candle's own
/// operations.
///
/// # Errors
/// Tensors that are not f32 or whose sizes do not go together; a size of 0.
pub fn linear(
    input: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    function: Option<Activation>,
) -> Result<Tensor> {
    let ((rows, inputs), (outputs, _)) = (input.dims2()?, weight.dims2()?);
    expect("weight", weight.dims(), &[outputs, inputs])?;
    expect("bias", bias.dims(), &[outputs])?;
    if [rows, inputs, outputs].contains(&0) {
        bail!("linear: a size is 0 in {rows} rows of {inputs} inputs and {outputs} outputs")
    }
    if input.device().is_cpu() {
        let op = Linear { inputs, function };
        let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
        return input.contiguous()?.apply_op3(&weight, &bias, op);
    }
    let sums = input.matmul(&weight.t()?)?.broadcast_add(bias)?;
    match function {
        None => Ok(sums),
        Some(Activation::Relu) => sums.relu(),
        Some(Activation::Tanh) => sums.tanh(),
        Some(Activation::Sigmoid) => (sums.neg()?.exp()? + 1.0)?.recip(),
    }
}

struct Linear {
    inputs: usize,
    function: Option<Activation>,
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "shardmill-linear"
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
        let (input, weight, bias) = (values(s1, l1)?, values(s2, l2)?, values(s3, l3)?);
        let (rows, outputs) = (input.len() / self.inputs, bias.len());
        let mut product = vec![0.0; kernel::scratch_len(rows, outputs)];
        let mut output = vec![0.0; rows * outputs];
        let epilogue = Epilogue::new(bias, self.function);
        kernel::forward(
            self.inputs,
            input,
            weight,
            epilogue,
            &mut product,
            &mut output,
        );
        Ok((CpuStorage::F32(output), (rows, outputs).into()))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (inputs, device) = (self.inputs, input.device());
        // The gradient before the activation.
        let mut gradient = with_values(gradient, <[f32]>::to_vec)?;
        if let Some(function) = self.function {
            with_values(output, |output| {
                gradient
                    .par_chunks_mut(CHUNK)
                    .zip(output.par_chunks(CHUNK))
                    .for_each(|(gradient, output)| {
                        activation::backward(function, output, gradient);
                    });
            })?;
        }
        let mut of_weight = vec![0.0; weight.elem_count()];
        let mut of_bias = vec![0.0; bias.elem_count()];
        with_values(input, |input| {
            let (weight, bias) = (&mut of_weight, &mut of_bias);
            kernel::backward_weight(inputs, input, &gradient, weight, bias);
        })?;
        let tensor = |values, like: &Tensor| Tensor::from_vec(values, like.shape(), device);
        let of_input = if input.track_op() {
            let mut of_input = vec![0.0; input.elem_count()];
            with_values(weight, |weight| {
                kernel::backward_input(inputs, weight, &gradient, &mut of_input);
            })?;
            Some(tensor(of_input, input)?)
        } else {
            None
        };
        Ok((
            of_input,
            Some(tensor(of_weight, weight)?),
            Some(tensor(of_bias, bias)?),
        ))
    }
}
