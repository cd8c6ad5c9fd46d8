//! The forward pass.

use crate::cuda::device::error::CudaError;
use crate::cuda::feed::{Feed, Staged};
use crate::cuda::network::{Network, planned};
use crate::cuda::preparation::Preparation;
use crate::net::DropoutKey;
use crate::net::MaskKey;
use crate::net::layer::Layer;

impl Network {
    /// Runs a batch through the layers up to the logits, with dropout where there is a key and the
    /// place of the batch's first image in the whole batch that the masks are for.
    ///
    /// # Errors
    /// What the card reports.
    ///
    /// # Panics
    /// If the batch is larger than the network was made for.
    pub(crate) fn forward(
        &mut self,
        feed: &Feed,
        batch: &Staged,
        preparation: &Preparation,
        dropout: Option<(DropoutKey, usize)>,
    ) -> Result<(), CudaError> {
        let rows = batch.rows;
        assert!(rows > 0 && rows <= self.capacity, "{rows} images");
        self.plan(rows, dropout.is_some())?;
        let len = rows * self.canvas.len();
        let input = self.input.view_mut().head(len);
        preparation.finish(&self.gpu, &self.canvas, feed, batch, input)?;
        let mut dropouts = 0;
        for index in 0..self.layers.len() {
            let drop = dropout.map(|(DropoutKey { seed, step }, first)| {
                let layer = dropouts;
                let key = MaskKey { seed, step, layer };
                (key, first * self.layers[index].output_len())
            });
            self.forward_layer(index, rows, drop)?;
            dropouts += u32::from(matches!(self.layers[index], Layer::Dropout(_)));
        }
        Ok(())
    }

    fn forward_layer(
        &mut self,
        index: usize,
        rows: usize,
        mask: Option<(MaskKey, usize)>,
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
        let gpu = &self.gpu;
        match layer {
            Layer::Conv(conv) => {
                let plan = planned(&self.plans, index, rows);
                let [weight, bias] = &self.weights[number..number + 2] else {
                    unreachable!("two for each layer")
                };
                let fused = plan.is_fused().then(|| bias.compute());
                let workspace = self.workspace.view_mut();
                plan.forward(
                    gpu,
                    input,
                    weight.compute(),
                    fused,
                    output.again(),
                    workspace,
                )?;
                if !plan.is_fused() {
                    gpu.bias_activation(output, Some(bias.master.view()), conv.activation)?;
                }
                Ok(())
            }
            Layer::Lrn(norm) => gpu.lrn(&norm.config, norm.column_channels(), input, output),
            Layer::MapNorm(norm) => gpu.map_norm(&norm.config, &norm.shape, rows, input, output),
            Layer::Pool(pool) => {
                let winners = self.winners[index].as_mut().expect("made for pools");
                let winners = winners.view_mut().head(len);
                gpu.max_pool(&pool.shape, rows, input, output.again(), winners)?;
                match pool.activation {
                    Some(function) => gpu.bias_activation(output, None, Some(function)),
                    None => Ok(()),
                }
            }
            Layer::Dropout(drop) => {
                // Without a mask the values go through as they are.
                let (rate, mask) = match mask {
                    Some(mask) => (drop.rate, mask),
                    None => {
                        let (seed, step, layer) = (0, 0, 0);
                        (0.0, (MaskKey { seed, step, layer }, 0))
                    }
                };
                gpu.dropout(rate, mask, input, output)
            }
            Layer::Linear(linear) => {
                let [weight, bias] = &self.weights[number..number + 2] else {
                    unreachable!("two for each layer")
                };
                let sizes = (rows, linear.inputs, linear.outputs);
                gpu.product(sizes, input, weight.compute(), output.again())?;
                gpu.bias_activation(output, Some(bias.master.view()), linear.activation)
            }
        }
    }
}
