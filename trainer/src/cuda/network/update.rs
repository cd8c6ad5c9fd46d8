//! From gradients to the next step's parameters, by way of their sum over several GPUs.
//!
//! The fully connected layers' gradients, nearly all of the values, are ready first: they are summed
//! while the backward pass still computes the convolutions'. Nothing touches gradients whose sum has
//! begun until [`finish_reduction`](Network::finish_reduction).

use std::ops::Range;

use crate::cuda::device::{CudaError, ViewMut};
use crate::cuda::kernels::{self, SgdEntry};
use crate::cuda::network::Network;
use crate::cuda::network::timing::Mark;
use crate::net::layer::Layer;
use crate::net::sgd::Rate;

impl Network {
    /// Adds the gradients times `share` to the step's sums; the first of a step replaces them.
    ///
    /// # Panics
    /// Before training has begun.
    pub(crate) fn accumulate(&mut self, share: f32, first: bool) -> Result<(), CudaError> {
        let device = &*self.device;
        for weight in &mut self.weights {
            let state = weight.training.as_mut().expect("training has begun");
            state.add(device, share, first)?;
        }
        Ok(())
    }

    /// Adds the square of the gradient's length to `norm` and updates the parameters, each at its rate;
    /// those without a rate keep their values. The gradient is the step's sum if batches were
    /// `accumulated`, and the sum over all GPUs if there are several.
    ///
    /// # Panics
    /// Before training has begun.
    pub(crate) fn update(
        &mut self,
        momentum: f32,
        rates: &[Option<Rate>],
        accumulated: bool,
        norm: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        self.finish_reduction(accumulated)?;
        let has_peers = self.device.has_peers();
        let training = self.training.as_mut().expect("training has begun");
        let entries = self.weights.iter_mut().zip(rates).map(|(weight, rate)| {
            let state = weight.training.as_mut().expect("training has begun");
            let gradient = if state.is_summed(accumulated, has_peers) {
                state.sum.as_ref().expect("gradients were summed")
            } else {
                &state.gradient
            };
            SgdEntry {
                // conv1's copy has other weights and is refreshed below.
                copy: match (&mut weight.copy, weight.wide) {
                    (Some(copy), None) => Some(copy.view_mut()),
                    _ => None,
                },
                weight: weight.master.view_mut(),
                velocity: state.velocity.view_mut(),
                gradient: gradient.view(),
                rate: *rate,
            }
        });
        let entries: Vec<SgdEntry<'_>> = entries.collect();
        let table = &mut training.table;
        kernels::sgd(&self.device, table, momentum, &entries, norm)?;
        for weight in &mut self.weights {
            if weight.wide.is_some() {
                weight.refresh(&self.device)?;
            }
        }
        self.mark(Mark::Update)
    }

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
    fn finish_reduction(&mut self, accumulated: bool) -> Result<(), CudaError> {
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
