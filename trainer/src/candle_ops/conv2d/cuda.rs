//! The convolution of a batch on a GPU, by cuDNN.

use std::cell::RefCell;

use candle_core::{CudaStorage, Layout, Result, Tensor};

use crate::candle_ops::cuda;
use crate::cuda::conv::{Backward, Forward, Plan};
use crate::cuda::device::{Buffer, Device, Element, View, copy};
use crate::cuda::kernels;
use crate::net::config::Activation;
use crate::net::shape::ConvShape;

/// The outputs of `[rows, height, width, inputs]`, after bias and activation. `shape` pads both sides alike.
pub(super) fn forward(
    shape: &ConvShape,
    function: Option<Activation>,
    [images, weight, bias]: [(&CudaStorage, &Layout); 3],
) -> Result<CudaStorage> {
    let view = |(storage, layout)| cuda::view(storage, layout);
    let (input, weight, bias) = (view(images)?, view(weight)?, view(bias)?);
    let rows = input.len / shape.input_len();
    cuda::fill(
        &images.0.device,
        rows * shape.output_len(),
        |gpu, output| {
            let tensors = RefCell::new(Forward {
                input,
                weight,
                bias: None,
                output,
            });
            let plan = |space: &mut Buffer| {
                let mut tensors = tensors.borrow_mut();
                Plan::new(gpu, rows, *shape, tensors.reborrow(), None, space)
            };
            gpu.with_plan((*shape, rows, false), plan, |plan, space| {
                plan.forward(gpu, tensors.borrow_mut().reborrow(), space)
            })?;
            let output = tensors.into_inner().output;
            kernels::bias_activation(gpu, output, Some(bias), function)
        },
    )
}

/// The gradients of the images, if they are tracked, of the weight and of the bias.
pub(super) fn backward(
    shape: &ConvShape,
    function: Option<Activation>,
    [images, weight, bias]: [&Tensor; 3],
    output: &Tensor,
    output_gradient: &Tensor,
) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
    let rows = images.elem_count() / shape.input_len();
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
    let dx = if images.track_op() {
        Some(cuda::with_view(&weight, |w| {
            cuda::gradient(&images, &dy, |gpu, x, dy, into| {
                let plan = |space: &mut Buffer| plan(gpu, x, w, dy, space);
                gpu.with_plan(key, plan, |plan, space| {
                    plan.backward_data(gpu, w, dy, into, space)
                })
            })
        })?)
    } else {
        None
    };
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
    Ok((dx, Some(dw), Some(db)))
}
