//! Which algorithms the convolutions use for a number of rows.

use std::collections::HashMap;

use crate::cuda::conv::{Backward, Forward, Plan};
use crate::cuda::device::BF16_CHANNELS;
use crate::cuda::device::{CudaError, Element};
use crate::cuda::kernels::Canvas;
use crate::cuda::layout::layouts;
use crate::cuda::network::weights::computed;
use crate::cuda::network::{BOUND, Network};
use crate::net::config::Activation;
use crate::net::layer::Layer;
use crate::net::shape::ConvShape;

/// The least bytes of workspace that are kept, so that a batch of fewer rows, which may be planned when only this
/// is left, finds an algorithm too.
const LEAST_WORKSPACE: usize = 64 << 20;

/// The passes of a plan. A convolution that makes columns of joined channels has two plans: forward it is done once
/// for each column, and backward once for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Passes {
    Forward,
    Backward,
    All,
}

/// The plans of the convolutions by layer, number of rows, and passes.
pub(super) type Plans = HashMap<(usize, usize, Passes), Plan>;

/// The plan of a convolution for a forward pass: preferably the one that has backward passes too.
pub(super) fn forward_plan(plans: &Plans, index: usize, rows: usize) -> &Plan {
    let all = plans.get(&(index, rows, Passes::All));
    all.unwrap_or_else(|| &plans[&(index, rows, Passes::Forward)])
}

/// The plan of a convolution for its backward passes.
pub(super) fn backward_plan(plans: &Plans, index: usize, rows: usize) -> &Plan {
    let all = plans.get(&(index, rows, Passes::All));
    all.unwrap_or_else(|| &plans[&(index, rows, Passes::Backward)])
}

/// A convolution of one of `from` equal parts of the inputs to one of `to` equal parts of the outputs.
fn of_column(shape: ConvShape, from: usize, to: usize) -> ConvShape {
    ConvShape {
        inputs: shape.inputs / from,
        outputs: shape.outputs / to,
        groups: shape.groups / from,
        ..shape
    }
}

/// A convolution as cuDNN is asked for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AskedConvolution {
    /// The layer.
    pub(crate) layer: String,
    /// Its passes: `f` forward, `d` to the input's gradient, `w` to the weight's.
    pub(crate) passes: &'static str,
    /// Of one column, where the layer is in columns.
    pub(crate) shape: ConvShape,
}

/// Every convolution that a network asks cuDNN for in bf16.
pub(crate) fn asked_convolutions(layers: &[Layer]) -> Vec<AskedConvolution> {
    let layouts = layouts(layers, BOUND / Element::Bf16.bytes());
    let mut asked = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let Layer::Conv(conv) = layer else {
            continue;
        };
        let (from, shape) = match index.checked_sub(1) {
            Some(before) => (layouts[before].columns(), conv.shape),
            None => (1, Canvas::new(conv.shape, BF16_CHANNELS).conv_shape()),
        };
        let to = layouts[index].columns();
        let mut ask = |passes, from, to| {
            asked.push(AskedConvolution {
                layer: layer.name().to_owned(),
                passes,
                shape: of_column(shape, from, to),
            });
        };
        match (from == to, index > 0) {
            (true, true) => ask("fdw", from, to),
            (true, false) => ask("fw", from, to),
            (false, first) => {
                ask("f", from, to);
                ask(if first { "dw" } else { "w" }, from, from);
            }
        }
    }
    asked
}

impl Network {
    /// Makes sure that every convolution has a plan for `rows` rows, with its backward pass if it is
    /// `training`. A search overwrites gradients: frozen layers are planned without backward passes, so
    /// that their gradients stay 0.
    ///
    /// What a full batch needs decides the size of the workspace, which decides what fits into it. So in training
    /// full batches are planned first, whatever comes first: a run that goes on before a smaller one chooses as the
    /// run that was not interrupted.
    pub(super) fn plan(&mut self, rows: usize, training: bool) -> Result<(), CudaError> {
        if !training || self.is_workspace_final {
            return self.plan_rows(rows, training);
        }
        self.plan_rows(self.capacity, true)?;
        // The search needed room for its trials; the chosen algorithms need less.
        let len = self.plans.values().map(Plan::workspace).max().unwrap_or(0);
        let len = len.max(LEAST_WORKSPACE.min(self.workspace.len()));
        self.workspace = self.device.buffer(Element::U8, 0)?;
        self.workspace = self.device.buffer(Element::U8, len)?;
        self.is_workspace_final = true;
        self.plan_rows(rows, true)
    }

    fn plan_rows(&mut self, rows: usize, training: bool) -> Result<(), CudaError> {
        let backward = training && !self.frozen;
        for index in 0..self.layers.len() {
            for passes in self.missing(index, rows, backward) {
                // cuDNN waits for the device while it tries algorithms.
                self.device.synchronize()?;
                let plan = self.make_plan(index, rows, passes)?;
                self.plans.insert((index, rows, passes), plan);
            }
        }
        Ok(())
    }

    /// The plans that layer `index` needs and does not have.
    fn missing(&self, index: usize, rows: usize, backward: bool) -> Vec<Passes> {
        if !matches!(self.layers[index], Layer::Conv(_)) {
            return Vec::new();
        }
        let there = |passes| self.plans.contains_key(&(index, rows, passes));
        let [from, to] = self.columns(index);
        let needed: &[Passes] = match (from == to, backward) {
            (true, true) => &[Passes::All],
            (true, false) if there(Passes::All) => &[],
            (_, false) => &[Passes::Forward],
            (false, true) => &[Passes::Forward, Passes::Backward],
        };
        let needed = needed.iter().copied();
        needed.filter(|&passes| !there(passes)).collect()
    }

    /// Plans a convolution on the tensors of its first column.
    fn make_plan(&mut self, index: usize, rows: usize, passes: Passes) -> Result<Plan, CudaError> {
        let Layer::Conv(conv) = &self.layers[index] else {
            unreachable!("only convolutions are planned")
        };
        // conv1's padding is part of its input.
        let shape = if index == 0 {
            self.canvas.conv_shape()
        } else {
            conv.shape
        };
        let (input_len, output_len) = (rows * shape.input_len(), rows * shape.output_len());
        let [from, to] = match (self.columns(index), passes) {
            ([from, _], Passes::Backward) => [from, from],
            (columns, _) => columns,
        };
        let shape = of_column(shape, from, to);
        let number = self.parameter(index);
        let (before, rest) = self.outputs.split_at_mut(index);
        let input = before.last().unwrap_or(&self.input);
        let input = input.view().head(input_len).part(0, from);
        let (own, bias) = self.weights[number..].split_at_mut(1);
        let (own, bias) = (&mut own[0], &bias[0]);
        // Copy and gradient are borrowed from one parameter.
        let weight = computed(&own.master, own.copy.as_ref()).part(0, to);
        let backward = match (&mut self.training, &mut own.training) {
            (Some(training), Some(state)) if passes != Passes::Forward => {
                let (output, input) = (&training.current, &mut training.next);
                let gradient = state.padded.as_mut().unwrap_or(&mut state.gradient);
                Some(Backward {
                    output_gradient: output.view().head(output_len).part(0, from),
                    input_gradient: (index > 0)
                        .then(|| input.view_mut().head(input_len).part(0, from)),
                    weight_gradient: gradient.view_mut().part(0, from),
                })
            }
            _ => None,
        };
        let (device, workspace) = (&self.device, &mut self.workspace);
        let backward = match (passes, backward) {
            (Passes::Backward, Some(backward)) => {
                return Plan::backward(device, rows, shape, [input, weight], backward, workspace);
            }
            (_, backward) => backward,
        };
        let is_relu = conv.activation == Some(Activation::Relu);
        let forward = Forward {
            input,
            weight,
            bias: is_relu.then(|| bias.compute().part(0, to)),
            output: rest[0].view_mut().head(output_len).part(0, to),
        };
        Plan::new(device, rows, shape, forward, backward, workspace)
    }
}

#[cfg(test)]
mod tests {
    use super::asked_convolutions;
    use crate::net::config::ModelConfig;
    use crate::net::layer;

    #[test]
    fn the_papers_network_asks_for_no_group_and_nothing_twice() {
        let layers = layer::layers(&ModelConfig::alexnet()).unwrap();
        let words = asked_convolutions(&layers).into_iter().map(|asked| {
            let s = asked.shape;
            assert_eq!(s.groups, 1, "{asked:?}");
            format!(
                "{} {} {}x{}",
                asked.layer, asked.passes, s.inputs, s.outputs
            )
        });
        assert_eq!(
            words.collect::<Vec<_>>(),
            [
                "conv1 fw 48x96",
                "conv2 fdw 48x128",
                "conv3 f 256x192",
                "conv3 dw 256x384",
                "conv4 fdw 192x192",
                "conv5 fdw 192x128",
            ]
        );
    }
}
