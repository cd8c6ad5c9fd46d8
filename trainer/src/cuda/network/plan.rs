//! Which algorithms the convolutions use for a number of rows.

use crate::cuda::conv::{Backward, Forward, Plan};
use crate::cuda::device::{CudaError, Element};
use crate::cuda::network::Network;
use crate::net::config::Activation;
use crate::net::layer::Layer;

/// The least bytes of workspace that are kept, so that a batch of fewer rows, which may be planned when only this
/// is left, finds an algorithm too.
const LEAST_WORKSPACE: usize = 64 << 20;

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
            let planned = |backward| self.plans.contains_key(&(index, rows, backward));
            let is_conv = matches!(self.layers[index], Layer::Conv(_));
            if is_conv && !planned(true) && (backward || !planned(false)) {
                // cuDNN waits for the device while it tries algorithms.
                self.device.synchronize()?;
                let plan = self.make_plan(index, rows, backward)?;
                self.plans.insert((index, rows, backward), plan);
            }
        }
        Ok(())
    }

    fn make_plan(&mut self, index: usize, rows: usize, backward: bool) -> Result<Plan, CudaError> {
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
        let number = self.parameter(index);
        let (before, rest) = self.outputs.split_at_mut(index);
        let input = before.last().unwrap_or(&self.input);
        let (own, bias) = self.weights[number..].split_at_mut(1);
        let (own, bias) = (&mut own[0], &bias[0]);
        // Copy and gradient are borrowed from one parameter.
        let weight = own.copy.as_ref().unwrap_or(&own.master).view();
        let backward = match (&mut self.training, &mut own.training) {
            (Some(training), Some(state)) if backward => Some(Backward {
                output_gradient: training.current.view().head(output_len),
                input_gradient: (index > 0).then(|| training.next.view_mut().head(input_len)),
                weight_gradient: state
                    .padded
                    .as_mut()
                    .unwrap_or(&mut state.gradient)
                    .view_mut(),
            }),
            _ => None,
        };
        let forward = Forward {
            input: input.view().head(input_len),
            weight,
            bias: (conv.activation == Some(Activation::Relu)).then(|| bias.compute()),
            output: rest[0].view_mut().head(output_len),
        };
        Plan::new(
            &self.device,
            rows,
            shape,
            forward,
            backward,
            &mut self.workspace,
        )
    }
}
