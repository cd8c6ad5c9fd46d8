//! The sum of the gradients over several GPUs.
//!
//! The fully connected layers' gradients, nearly all of the values, are ready first: they are summed
//! while the backward pass still computes the convolutions'. Nothing touches gradients whose sum has
//! begun until [`finish_reduction`](Network::finish_reduction).

use std::ops::Range;

use crate::cuda::device::CudaError;
use crate::cuda::network::Network;
use crate::net::layer::Layer;

impl Network {
    /// Begins to sum the fully connected layers' gradients if there are several GPUs, the step has one
    /// batch, and the backward pass has reached the lowest of these layers, number `index`.
    pub(super) fn begin_reduction(
        &mut self,
        index: usize,
        accumulated: bool,
    ) -> Result<(), CudaError> {
        if accumulated || !self.device.has_peers() || index != self.first_linear() {
            return Ok(());
        }
        let first = self.parameter(index);
        self.begin_sum(first..self.weights.len(), false)
    }

    /// Sums the step's other gradients if there are several GPUs, so that each has the gradient of the
    /// whole step.
    ///
    /// # Panics
    /// Before training has begun.
    pub(super) fn finish_reduction(&mut self, accumulated: bool) -> Result<(), CudaError> {
        if !self.device.has_peers() {
            return Ok(());
        }
        let rest = if accumulated {
            self.weights.len()
        } else {
            self.parameter(self.first_linear())
        };
        self.begin_sum(0..rest, accumulated)?;
        self.device.end_sum()
    }

    /// The lowest fully connected layer.
    fn first_linear(&self) -> usize {
        let linear = |layer: &Layer| matches!(layer, Layer::Linear(_));
        let first = self.layers.iter().position(linear);
        first.expect("every network ends with fc8")
    }

    fn begin_sum(&mut self, numbers: Range<usize>, accumulated: bool) -> Result<(), CudaError> {
        let mut gradients = Vec::new();
        for weight in &mut self.weights[numbers] {
            let state = weight.training.as_mut().expect("training has begun");
            let gradient = if state.is_summed(accumulated, true) {
                if !accumulated {
                    state.add(&self.device, 1.0, true)?;
                }
                state.sum.as_mut().expect("made above")
            } else {
                &mut state.gradient
            };
            gradients.push(gradient.view_mut());
        }
        self.device.begin_sum(gradients)
    }
}
