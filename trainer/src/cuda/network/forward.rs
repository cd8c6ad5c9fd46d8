//! The forward pass.

use candle_core::Tensor;

use crate::cuda::BatchDropout;
use crate::cuda::conv::Forward;
use crate::cuda::device::{CudaError, TensorBuffer, View, ViewMut, copy, tensor_view};
use crate::cuda::kernels::{self, NormChannels, PoolColumns};
use crate::cuda::network::Network;
use crate::cuda::network::plan::forward_plan;
use crate::cuda::network::timing::Mark;
use crate::cuda::upload::{Staged, Uploads};
use crate::net::layer::{Layer, LrnLayer};

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
        self.prepare(rows, dropout.is_some())?;
        self.mark(Mark::Begin)?;
        let input = self.input.view_mut().head(rows * self.canvas.len());
        uploads.write_input(&self.canvas, batch, input)?;
        self.mark(Mark::Input)?;
        for index in 0..self.layers.len() {
            self.forward_layer(index, rows, dropout, None)?;
            self.mark(Mark::Forward(index))?;
        }
        Ok(())
    }

    /// The logits `[rows, classes]` of images `[rows, height, width, 3]` as the network sees them, without dropout.
    /// The images are read where they lie, f32 and contiguous on the network's GPU, in groups of at most the network's
    /// capacity; the logits are written where they are returned.
    pub(crate) fn logits_of(&mut self, images: &Tensor) -> Result<Tensor, CudaError> {
        let images = tensor_view(images);
        let image_len = self.canvas.image_len();
        let rows = images.len / image_len;
        let mut logits = TensorBuffer::new(&self.device, &[rows, self.classes])?;
        for first in (0..rows).step_by(self.capacity) {
            let count = self.capacity.min(rows - first);
            let group = images.tail(first * image_len).head(count * image_len);
            let output = logits.view_mut().tail(first * self.classes);
            self.group_logits(count, group, output.head(count * self.classes))?;
        }
        Ok(logits.into_tensor())
    }

    fn group_logits(
        &mut self,
        rows: usize,
        images: View<'_>,
        logits: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        self.prepare(rows, false)?;
        let input = self.input.view_mut().head(rows * self.canvas.len());
        kernels::place(&self.device, &self.canvas, images, input)?;
        let last = self.layers.len() - 1;
        for index in 0..last {
            self.forward_layer(index, rows, None, None)?;
        }
        if self.device.element() == logits.element {
            return self.forward_layer(last, rows, None, Some(logits));
        }
        self.forward_layer(last, rows, None, None)?;
        kernels::cast(&self.device, self.logits(rows), logits)
    }

    /// Checks that there is room for `rows` images, and finds their algorithms.
    fn prepare(&mut self, rows: usize, training: bool) -> Result<(), CudaError> {
        assert!(rows > 0 && rows <= self.capacity, "{rows} images");
        self.plan(rows, training)
    }

    /// A layer's outputs of `rows` images, in its own buffer or, of the activations' type, in `target`.
    fn forward_layer(
        &mut self,
        index: usize,
        rows: usize,
        dropout: Option<BatchDropout>,
        target: Option<ViewMut<'_>>,
    ) -> Result<(), CudaError> {
        let number = self.parameter(index);
        let [from, to] = self.columns(index);
        let layer = &self.layers[index];
        let len = rows * layer.output_len();
        let (before, rest) = self.outputs.split_at_mut(index);
        let input = match before.last() {
            Some(input) => input
                .view()
                .head(rows * self.layers[index - 1].output_len()),
            None => self.input.view().head(rows * self.canvas.len()),
        };
        let mut output = target.unwrap_or_else(|| rest[0].view_mut()).head(len);
        let device = &*self.device;
        match layer {
            Layer::Conv(conv) => {
                let plan = forward_plan(&self.plans, index, rows);
                let (weight, bias) = (&self.weights[number], &self.weights[number + 1]);
                for column in 0..to {
                    let mut output = output.reborrow().part(column, to);
                    let tensors = Forward {
                        // An ungrouped convolution makes each column of all channels.
                        input: input.part(column % from, from),
                        weight: weight.compute().part(column, to),
                        bias: plan.is_fused().then(|| bias.compute().part(column, to)),
                        output: output.reborrow(),
                    };
                    plan.forward(device, tensors, self.workspace.view_mut())?;
                    if !plan.is_fused() {
                        let bias = Some(bias.master.view().part(column, to));
                        kernels::bias_activation(device, output, bias, conv.activation)?;
                    }
                }
                Ok(())
            }
            Layer::Lrn(norm) => {
                kernels::lrn(device, &norm.config, norm_channels(norm, to), input, output)
            }
            Layer::MapNorm(norm) => kernels::map_norm(device, norm, [rows, to], input, output),
            Layer::Pool(pool) => {
                let winners = self.winners[index].as_mut().expect("made for pools");
                let winners = winners.view_mut().head(len);
                let columns = PoolColumns {
                    input: from,
                    output: to,
                };
                let to = output.reborrow();
                kernels::max_pool(device, &pool.shape, columns, rows, input, to, winners)?;
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

/// What is normalised together where the values lie in `columns` tensors. A layer that stays within the network's
/// columns takes each as a pixel of its own, whether they are tensors of their own or not.
pub(super) fn norm_channels(norm: &LrnLayer, columns: usize) -> NormChannels {
    NormChannels {
        count: norm.column_channels(),
        columns: if norm.columns == 1 { columns } else { 1 },
    }
}
