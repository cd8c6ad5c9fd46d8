//! Loss and backward pass.

use crate::cuda::device::{CudaError, Device, View, ViewMut};
use crate::cuda::kernels::{self, Loss, NormGradient, PoolColumns, PoolGradient};
use crate::cuda::network::Network;
use crate::cuda::network::forward::norm_channels;
use crate::cuda::network::plan::backward_plan;
use crate::cuda::network::timing::Mark;
use crate::cuda::{BatchDropout, Slice};
use crate::net::DropoutKey;
use crate::net::config::Activation;
use crate::net::layer::Layer;

impl Network {
    /// After a forward pass with the same dropout: adds the sum of the losses and the numbers of hits
    /// to `scores`, and computes the gradients of the mean loss of the whole batch, of which the rows
    /// here are a slice. With several GPUs this begins the sum of the gradients over them, unless the
    /// step has several batches, whose gradients are `accumulated`.
    ///
    /// # Panics
    /// Before training has begun.
    pub(crate) fn backward(
        &mut self,
        labels: View<'_>,
        slice: Slice,
        key: DropoutKey,
        accumulated: bool,
        scores: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let (rows, classes) = (labels.len, self.classes);
        let training = self.training.as_mut().expect("training has begun");
        let logits = self
            .outputs
            .last()
            .expect("the last layer is never left out");
        let loss = Loss {
            images: slice.whole,
            logits: logits.view().head(rows * classes),
            labels,
            gradient: Some(training.current.view_mut().head(rows * classes)),
            sums: scores,
            scratch: self.scratch.view_mut(),
        };
        kernels::cross_entropy(&self.device, loss)?;
        self.mark(Mark::Loss)?;
        let dropout = BatchDropout {
            key,
            first: slice.first,
        };
        for index in (0..self.layers.len()).rev() {
            let is_classifier = matches!(self.layers[index], Layer::Dropout(_) | Layer::Linear(_));
            if self.frozen && !is_classifier {
                break;
            }
            self.backward_layer(index, rows, dropout)?;
            self.begin_reduction(index, accumulated)?;
            self.mark(Mark::Backward(index))?;
        }
        for weight in &mut self.weights {
            weight.narrow(&self.device)?;
        }
        Ok(())
    }

    /// Turns the gradient of a layer's output into that of its input, and writes the gradients of its
    /// parameters.
    fn backward_layer(
        &mut self,
        index: usize,
        rows: usize,
        dropout: BatchDropout,
    ) -> Result<(), CudaError> {
        let weight = self.parameter(index);
        let bias = weight + 1;
        let [from, to] = self.columns(index);
        let training = self.training.as_mut().expect("training has begun");
        let layer = &self.layers[index];
        let input = match index.checked_sub(1) {
            Some(before) => self.outputs[before]
                .view()
                .head(rows * self.layers[before].output_len()),
            None => self.input.view().head(rows * self.canvas.len()),
        };
        let output = self.outputs[index].view().head(rows * layer.output_len());
        let device = &*self.device;
        let mut joined = false;
        if let Layer::Conv(conv) = layer
            && from < to
        {
            // A convolution that gave columns of all channels: joined, its gradients are one call each.
            let (gradient, into) = (&training.current, &mut training.next);
            let (gradient, into) = (gradient.view(), into.view_mut().head(output.len));
            let (function, channels) = (conv.activation, conv.shape.outputs);
            let function = function.filter(|_| !passes_relu(&self.layers, index + 1));
            let gradient = gradient.head(output.len);
            kernels::activation_backward_joined(
                device, function, channels, output, gradient, into,
            )?;
            std::mem::swap(&mut training.current, &mut training.next);
            joined = true;
        }
        let mut gradient = training.current.view_mut().head(output.len);
        // conv1's input, the images, gets no gradient.
        let needed = if index > 0 { input.len } else { 0 };
        let input_gradient = training.next.view_mut().head(needed);
        match layer {
            Layer::Conv(conv) => {
                let is_done = joined || passes_relu(&self.layers, index + 1);
                let function = conv.activation.filter(|_| !is_done);
                let plan = backward_plan(&self.plans, index, rows);
                let mut input_gradient = input_gradient;
                for column in 0..from {
                    let input = input.part(column, from);
                    let mut gradient = gradient.reborrow().part(column, from);
                    let (to, scratch) = (self.weights[bias].gradient(), self.scratch.view_mut());
                    let to = to.part(column, from);
                    let through = function.map(|function| (function, output.part(column, from)));
                    sum_bias(device, through, gradient.reborrow(), to, scratch)?;
                    let gradient = gradient.view();
                    let to = self.weights[weight].gradient().part(column, from);
                    let workspace = self.workspace.view_mut();
                    plan.backward_filter(device, input, gradient, to, workspace)?;
                    if index > 0 {
                        let weight = self.weights[weight].compute().part(column, from);
                        let to = input_gradient.reborrow().part(column, from);
                        let workspace = self.workspace.view_mut();
                        plan.backward_data(device, weight, gradient, to, workspace)?;
                    }
                }
            }
            Layer::Lrn(norm) => {
                let (config, channels) = (&norm.config, norm_channels(norm, to));
                let from = NormGradient {
                    input,
                    gradient: gradient.view(),
                    after_relu: passes_relu(&self.layers, index),
                };
                kernels::lrn_backward(device, config, channels, from, input_gradient)?;
            }
            Layer::MapNorm(norm) => {
                let (gradient, to) = (gradient.view(), input_gradient);
                kernels::map_norm_backward(device, norm, [rows, from], input, gradient, to)?;
            }
            Layer::Pool(pool) => {
                if let Some(function) = pool.activation {
                    kernels::activation_backward(device, function, output, gradient.reborrow())?;
                }
                let winners = self.winners[index].as_ref().expect("made for pools");
                let of = PoolGradient {
                    winners: winners.view().head(output.len),
                    gradient: gradient.view(),
                    after_relu: passes_relu(&self.layers, index).then_some(output),
                };
                let columns = PoolColumns {
                    input: from,
                    output: to,
                };
                let (shape, to) = (&pool.shape, input_gradient);
                kernels::max_pool_backward(device, shape, columns, rows, of, to)?;
            }
            Layer::Dropout(drop) => {
                let (key, first) = dropout.mask(&self.layers, index);
                let gradient = gradient.view();
                kernels::dropout(device, drop.rate, key, first, gradient, input_gradient)?;
            }
            Layer::Linear(linear) => {
                let through = linear.activation.map(|function| (function, output));
                let (to, scratch) = (self.weights[bias].gradient(), self.scratch.view_mut());
                sum_bias(device, through, gradient.reborrow(), to, scratch)?;
                let gradient = gradient.view();
                let to = self.weights[weight].gradient();
                kernels::product_weight(device, linear, rows, input, gradient, to)?;
                let (weight, to) = (self.weights[weight].compute(), input_gradient);
                kernels::product_input(device, linear, rows, gradient, weight, to)?;
            }
        }
        std::mem::swap(&mut training.current, &mut training.next);
        Ok(())
    }
}

/// Whether layer `index` turns the gradient of its output at once into that of what the convolution before it gave to
/// its ReLU: that spares a pass over the convolution's output and its gradient.
fn passes_relu(layers: &[Layer], index: usize) -> bool {
    let before = index.checked_sub(1).map(|before| &layers[before]);
    let Some(Layer::Conv(conv)) = before else {
        return false;
    };
    let passes = match layers.get(index) {
        Some(Layer::Lrn(_)) => true,
        Some(Layer::Pool(pool)) => pool.activation.is_none(),
        _ => false,
    };
    passes && conv.activation == Some(Activation::Relu)
}

/// Turns the gradient of an activation's output into that of its input, if there is one, and writes the gradient of
/// the bias that was added before it.
fn sum_bias(
    device: &Device,
    through: Option<(Activation, View<'_>)>,
    gradient: ViewMut<'_>,
    to: ViewMut<'_>,
    scratch: ViewMut<'_>,
) -> Result<(), CudaError> {
    match through {
        Some((function, output)) => {
            kernels::activation_bias_gradient(device, function, output, gradient, to, scratch)
        }
        None => kernels::bias_gradient(device, gradient.view(), to, scratch),
    }
}
