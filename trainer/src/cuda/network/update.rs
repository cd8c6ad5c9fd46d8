//! From gradients to the next step's parameters.

use crate::cuda::device::error::CudaError;
use crate::cuda::device::memory::ViewMut;
use crate::cuda::kernels::SgdEntry;
use crate::cuda::network::Network;
use crate::net::sgd::Rate;

impl Network {
    /// Adds the gradients times `share` to the step's sums; the first of a step replaces them.
    ///
    /// # Errors
    /// What the card reports.
    ///
    /// # Panics
    /// Before training has begun.
    pub(crate) fn accumulate(&mut self, share: f32, first: bool) -> Result<(), CudaError> {
        let gpu = &self.gpu;
        for weight in &mut self.weights {
            let moving = weight.training.as_mut().expect("training has begun");
            moving.add(gpu, share, first)?;
        }
        Ok(())
    }

    /// Adds the square of the gradient's length to `norm` and moves the parameters, each at its rate;
    /// those without one stay. The gradient is the step's sum where batches were `accumulated`, and
    /// the sum over all cards where there are others.
    ///
    /// # Errors
    /// What the card reports.
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
        #[cfg(feature = "nccl")]
        self.reduce(accumulated)?;
        let others = self.gpu.has_others();
        let training = self.training.as_mut().expect("training has begun");
        let entries = self.weights.iter_mut().zip(rates).map(|(weight, rate)| {
            let moving = weight.training.as_mut().expect("training has begun");
            let gradient = if moving.is_summed(accumulated, others) {
                moving.sum.as_ref().expect("gradients were summed up")
            } else {
                &moving.gradient
            };
            SgdEntry {
                // conv1's copy has other channels and is made anew below.
                copy: match (&mut weight.copy, weight.channels) {
                    (Some(copy), None) => Some(copy.view_mut()),
                    _ => None,
                },
                weight: weight.master.view_mut(),
                velocity: moving.velocity.view_mut(),
                gradient: gradient.view(),
                rate: *rate,
            }
        });
        let entries: Vec<SgdEntry<'_>> = entries.collect();
        self.gpu
            .sgd(&mut training.table, momentum, &entries, norm)?;
        for weight in &mut self.weights {
            if weight.channels.is_some() {
                weight.refresh(&self.gpu)?;
            }
        }
        Ok(())
    }
}
