//! The mean gradient of several batches.

use rayon::prelude::*;

use crate::net::Model;

/// Values of a task; sums do not depend on it.
const CHUNK: usize = 1 << 16;

/// Sums of gradients, each with its batch's share of the step's images.
#[derive(Debug, Default)]
pub(crate) struct Accumulator {
    sums: Vec<Vec<f32>>,
    /// Whether there is something in the sums.
    begun: bool,
}

impl Accumulator {
    /// Adds the model's gradients times `share`.
    pub(crate) fn add(&mut self, model: &Model, share: f32) {
        if self.sums.is_empty() {
            self.sums = model
                .gradients()
                .iter()
                .map(|g| vec![0.0; g.len()])
                .collect();
        }
        let begun = std::mem::replace(&mut self.begun, true);
        for (sum, gradient) in self.sums.iter_mut().zip(model.gradients()) {
            let chunks = sum.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
            chunks.for_each(|(sum, gradient)| {
                for (sum, value) in sum.iter_mut().zip(gradient) {
                    *sum = if begun { *sum } else { 0.0 } + share * value;
                }
            });
        }
    }

    /// Gives the sums to the model as its gradients.
    pub(crate) fn finish(&mut self, model: &mut Model) {
        model.swap_gradients(&mut self.sums);
        self.begun = false;
    }
}
