//! The forward pass.

use crate::cuda::BatchDropout;
use crate::cuda::conv::{Forward, Plan};
use crate::cuda::device::{CudaError, copy};
use crate::cuda::kernels;
use crate::cuda::network::{Network, Plans};
use crate::cuda::upload::{Staged, Uploads};
use crate::net::layer::Layer;

impl Network {
    /// Runs a batch through the layers up to the logits, with dropout if `dropout` is given.
    ///
    /// # Panics
    /// If the batch is larger than the network's capacity.
    pub(crate) fn forward(
        &mut self,
        uploads: &Uploads,
        batch: &Staged,
        dropout: Option<BatchDropout>,
    ) -> Result<(), CudaError> {
        let rows = batch.rows;
        assert!(rows > 0 && rows <= self.capacity, "{rows} images");
        self.plan(rows, dropout.is_some())?;
        let input = self.input.view_mut().head(rows * self.canvas.len());
        uploads.write_input(&self.canvas, batch, input)?;
        (0..self.layers.len()).try_for_each(|index| self.forward_layer(index, rows, dropout))
    }

    fn forward_layer(
        &mut self,
        index: usize,
        rows: usize,
        dropout: Option<BatchDropout>,
    ) -> Result<(), CudaError> {
        let number = self.parameter(index);
        let layer = &self.layers[index];
        let len = rows * layer.output_len();
        let (before, rest) = self.outputs.split_at_mut(index);
        let input = match before.last() {
            Some(input) => input
                .view()
                .head(rows * self.layers[index - 1].output_len()),
            None => self.input.view().head(rows * self.canvas.len()),
        };
        let mut output = rest[0].view_mut().head(len);
        let device = &*self.device;
        match layer {
            Layer::Conv(conv) => {
                let plan = planned(&self.plans, index, rows);
                let (weight, bias) = (&self.weights[number], &self.weights[number + 1]);
                let tensors = Forward {
                    input,
                    weight: weight.compute(),
                    bias: plan.is_fused().then(|| bias.compute()),
                    output: output.reborrow(),
                };
                plan.forward(device, tensors, self.workspace.view_mut())?;
                if plan.is_fused() {
                    return Ok(());
                }
                let bias = Some(bias.master.view());
                kernels::bias_activation(device, output, bias, conv.activation)
            }
            Layer::Lrn(norm) => {
                let channels = norm.column_channels();
                kernels::lrn(device, &norm.config, channels, input, output)
            }
            Layer::MapNorm(norm) => kernels::map_norm(device, norm, rows, input, output),
            Layer::Pool(pool) => {
                let winners = self.winners[index].as_mut().expect("made for pools");
                let (winners, to) = (winners.view_mut().head(len), output.reborrow());
                kernels::max_pool(device, &pool.shape, rows, input, to, winners)?;
                match pool.activation {
                    None => Ok(()),
                    function => kernels::bias_activation(device, output, None, function),
                }
            }
            Layer::Dropout(drop) => {
                let Some(dropout) = dropout else {
                    return copy(&device.stream, input, output);
                };
                let (key, first) = dropout.mask(&self.layers, index);
                kernels::dropout(device, drop.rate, key, first, input, output)
            }
            Layer::Linear(linear) => {
                let (weight, bias) = (&self.weights[number], &self.weights[number + 1]);
                let to = output.reborrow();
                kernels::product(device, linear, rows, input, weight.compute(), to)?;
                let bias = Some(bias.master.view());
                kernels::bias_activation(device, output, bias, linear.activation)
            }
        }
    }
}

/// The plan of a convolution for a forward pass: preferably the one that has backward passes too.
fn planned(plans: &Plans, index: usize, rows: usize) -> &Plan {
    let both = plans.get(&(index, rows, true));
    both.unwrap_or_else(|| &plans[&(index, rows, false)])
}
