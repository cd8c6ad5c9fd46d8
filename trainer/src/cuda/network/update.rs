//! From gradients to the next step's parameters.

use crate::cuda::device::{CudaError, ViewMut};
use crate::cuda::kernels::{self, SgdEntry};
use crate::cuda::network::Network;
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
                // conv1's copy has other channels and is refreshed below.
                copy: match (&mut weight.copy, weight.channels) {
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
            if weight.channels.is_some() {
                weight.refresh(&self.device)?;
            }
        }
        Ok(())
    }
}
