//! Loss and backward pass.

use crate::cuda::device::error::CudaError;
use crate::cuda::device::memory::{View, ViewMut};
use crate::cuda::network::Network;
use crate::cuda::slice::Slice;
use crate::net::DropoutKey;
use crate::net::MaskKey;
use crate::net::layer::Layer;

impl Network {
    /// After a forward pass with the same dropout: adds the sum of the losses and the numbers of hits
    /// to `scores`, and works out the gradients of the mean loss of the whole batch, of which the rows
    /// here are a slice. Where there are other cards, the sum of the gradients over them is begun, unless
    /// this is one of several batches whose gradients are `accumulated`.
    ///
    /// # Errors
    /// What the card reports.
    ///
    /// # Panics
    /// Before training has begun.
    pub(crate) fn backward(
        &mut self,
        labels: View<'_>,
        slice: Slice,
        (dropout, accumulated): (DropoutKey, bool),
        scores: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let (rows, classes) = (labels.len, self.classes);
        let training = self.training.as_mut().expect("training has begun");
        let logits = self.outputs.last().expect("fc8 is never left out");
        let logits = logits.view().head(rows * classes);
        let gradient = training.current.view_mut().head(rows * classes);
        let scratch = self.scratch.view_mut();
        self.gpu.score(
            (classes, slice.whole),
            logits,
            labels,
            Some(gradient),
            scores,
            scratch,
        )?;
        let dropped = |layer: &&Layer| matches!(layer, Layer::Dropout(_));
        let mut dropouts = self.layers.iter().filter(dropped).count() as u32;
        let features = |layer: &Layer| !matches!(layer, Layer::Dropout(_) | Layer::Linear(_));
        for index in (0..self.layers.len()).rev() {
            if self.frozen && features(&self.layers[index]) {
                break;
            }
            dropouts -= u32::from(dropped(&&self.layers[index]));
            let mask = MaskKey {
                seed: dropout.seed,
                step: dropout.step,
                layer: dropouts,
            };
            let first = slice.first * self.layers[index].output_len();
            self.backward_layer(index, rows, (mask, first))?;
            #[cfg(feature = "nccl")]
            self.reduce_early(index, accumulated)?;
            #[cfg(not(feature = "nccl"))]
            let _ = accumulated;
        }
        for weight in &mut self.weights {
            weight.narrow(&self.gpu)?;
        }
        Ok(())
    }

    /// Turns the gradient of a layer's output into that of its input, and writes those of its
    /// parameters.
    fn backward_layer(
        &mut self,
        index: usize,
        rows: usize,
        mask: (MaskKey, usize),
    ) -> Result<(), CudaError> {
        let number = self.parameter(index);
        let training = self.training.as_mut().expect("training has begun");
        let layer = &self.layers[index];
        let input = match index.checked_sub(1) {
            Some(before) => self.outputs[before]
                .view()
                .head(rows * self.layers[before].output_len()),
            None => self.input.view().head(rows * self.canvas.len()),
        };
        let output = self.outputs[index].view().head(rows * layer.output_len());
        let mut gradient = training.current.view_mut().head(output.len);
        // conv1's input, the images, gets no gradient.
        let needed = if index > 0 { input.len } else { 0 };
        let input_gradient = training.next.view_mut().head(needed);
        let gpu = &self.gpu;
        match layer {
            Layer::Conv(conv) => {
                if let Some(function) = conv.activation {
                    gpu.activation_backward(function, output, gradient.again())?;
                }
                let plan = &self.plans[&(index, rows, true)];
                let [weight, bias] = &mut self.weights[number..number + 2] else {
                    unreachable!("two for each layer")
                };
                let scratch = self.scratch.view_mut();
                gpu.bias_gradient(gradient.view(), bias.gradient(), scratch)?;
                let workspace = self.workspace.view_mut();
                let target = weight.gradient();
                plan.backward_filter(gpu, input, gradient.view(), target, workspace)?;
                if index > 0 {
                    let (weight, workspace) = (weight.compute(), self.workspace.view_mut());
                    let gradient = gradient.view();
                    plan.backward_data(gpu, weight, gradient, input_gradient, workspace)?;
                }
            }
            Layer::Lrn(norm) => {
                let (config, channels) = (&norm.config, norm.column_channels());
                gpu.lrn_backward(config, channels, input, gradient.view(), input_gradient)?;
            }
            Layer::MapNorm(norm) => {
                let (config, shape) = (&norm.config, &norm.shape);
                let images = (input, gradient.view());
                gpu.map_norm_backward(config, shape, rows, images, input_gradient)?;
            }
            Layer::Pool(pool) => {
                if let Some(function) = pool.activation {
                    gpu.activation_backward(function, output, gradient.again())?;
                }
                let winners = self.winners[index].as_ref().expect("made for pools");
                let winners = winners.view().head(output.len);
                let gradient = gradient.view();
                gpu.max_pool_backward(&pool.shape, rows, winners, gradient, input_gradient)?;
            }
            Layer::Dropout(drop) => {
                gpu.dropout(drop.rate, mask, gradient.view(), input_gradient)?;
            }
            Layer::Linear(linear) => {
                if let Some(function) = linear.activation {
                    gpu.activation_backward(function, output, gradient.again())?;
                }
                let [weight, bias] = &mut self.weights[number..number + 2] else {
                    unreachable!("two for each layer")
                };
                let sizes = (rows, linear.inputs, linear.outputs);
                let (gradient, scratch) = (gradient.view(), self.scratch.view_mut());
                gpu.bias_gradient(gradient, bias.gradient(), scratch)?;
                gpu.product_weight(sizes, input, gradient, weight.gradient())?;
                gpu.product_input(sizes, gradient, weight.compute(), input_gradient)?;
            }
        }
        std::mem::swap(&mut training.current, &mut training.next);
        Ok(())
    }
}
