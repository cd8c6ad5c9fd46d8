//! Training steps on the CPU.

use std::sync::Arc;

use candle_core::{CpuStorage, Storage, Tensor};
use rayon::prelude::*;
use shardmill_loader::{Batch, Normalize, Output};

use crate::cpu::{Activations, Network};
use crate::engine::among::of_all_ranks;
use crate::engine::{Engine, EngineError};
use crate::net::mean_image::MeanImage;
use crate::net::scores::Tally;
use crate::net::sgd::{Rate, Sgd};
use crate::net::{
    BatchPlace, Masks, Model, ModelError, Parameter, StepMetrics, StepOutput, TrainState,
    TrainStateRef,
};
use crate::ranks::Ranks;

/// Images that go through the network at once while evaluating.
const EVALUATION_ROWS: usize = 80;

/// Values of a task that adds gradients; sums do not depend on it.
const CHUNK: usize = 1 << 16;

/// Values of a partial sum of the norm; a constant, as the result depends on it.
const NORM_CHUNK: usize = 1 << 14;

/// A network and its optimiser in this process's memory.
pub(super) struct CpuEngine {
    network: Network,
    sgd: Sgd,
    accumulator: Accumulator,
    /// The scores of a step's batches so far.
    sums: Tally,
    metrics: Option<StepMetrics>,
    inputs: Inputs,
    /// The largest root mean square of a convolution's kernel.
    kernel_radius: Option<f64>,
    /// Who computes the rest of every step.
    ranks: Ranks,
}

impl CpuEngine {
    pub(super) fn new(state: TrainState, kernel_radius: Option<f64>, ranks: Ranks) -> Self {
        Self {
            network: Network::new(state.model),
            sgd: state.sgd,
            accumulator: Accumulator::default(),
            sums: Tally::default(),
            metrics: None,
            inputs: Inputs::new(state.mean_image),
            kernel_radius,
            ranks,
        }
    }
}

impl Engine for CpuEngine {
    fn output(&self) -> Output {
        Output::F32
    }

    fn evaluation_rows(&self) -> usize {
        EVALUATION_ROWS
    }

    fn set_normalization(&mut self, normalize: Normalize) -> Result<(), EngineError> {
        self.inputs.set_normalization(&normalize);
        Ok(())
    }

    fn freeze_features(&mut self, frozen: bool) -> Result<(), EngineError> {
        self.network.freeze_features(frozen);
        Ok(())
    }

    /// A non-finite loss ends the step here, with metrics that show it.
    fn accumulate(&mut self, batch: &Arc<Batch>, place: BatchPlace) -> Result<(), EngineError> {
        if self.metrics.is_some() {
            return Ok(());
        }
        let BatchPlace { key, first, share } = place;
        if batch.is_empty() {
            self.accumulator.add_nothing(self.network.gradients());
            return Ok(());
        }
        let (network, images) = (&mut self.network, self.inputs.of(batch));
        let masks = Masks::Drawn { key, first };
        let output = network.train_step_with(images, batch.labels(), masks)?;
        let images = batch.len();
        match share {
            Some(share) if output.loss.is_finite() => {
                self.sums.add(images, output.loss, output.top1, output.top5);
                self.accumulator.add(network.gradients(), share);
            }
            _ => {
                self.metrics = Some(StepMetrics {
                    images,
                    output,
                    norm: 0.0,
                });
            }
        }
        Ok(())
    }

    /// The parameters stay as they are where the loss or the gradient is not finite.
    fn step(&mut self, rate: &dyn Fn(&Parameter) -> Option<Rate>) -> Result<(), EngineError> {
        let own = self.metrics.take().unwrap_or_else(|| {
            let sums = std::mem::take(&mut self.sums);
            self.accumulator.finish(self.network.gradients_mut());
            StepMetrics {
                images: sums.samples as usize,
                output: StepOutput {
                    loss: sums.loss / sums.samples as f64,
                    top1: sums.top1 as usize,
                    top5: sums.top5 as usize,
                },
                norm: 0.0,
            }
        });
        let all = match self.ranks.is_alone() {
            true => own,
            false => of_all_ranks(&self.ranks, own)?,
        };
        let metrics = self.metrics.insert(all);
        if !metrics.output.loss.is_finite() {
            return Ok(());
        }
        self.ranks.sum(self.network.gradients_mut())?;
        metrics.norm = norm(self.network.gradients());
        if !metrics.norm.is_finite() {
            return Ok(());
        }
        self.network.update(&mut self.sgd, rate)?;
        if let Some(radius) = self.kernel_radius {
            self.network.limit_kernels(radius, rate)?;
        }
        Ok(())
    }

    fn metrics_due(&self) -> bool {
        true
    }

    fn drain_metrics(&mut self) -> Result<Vec<StepMetrics>, EngineError> {
        Ok(self.metrics.take().into_iter().collect())
    }

    fn activations(
        &mut self,
        batch: &Arc<Batch>,
        layers: &[usize],
    ) -> Result<Activations, EngineError> {
        let images = self.inputs.of(batch);
        Ok(self.network.activations(images, layers)?)
    }

    fn inputs(&mut self, batch: &Batch) -> Result<Vec<f32>, EngineError> {
        Ok(self.inputs.of(batch).to_vec())
    }

    fn activations_of(
        &mut self,
        inputs: &[f32],
        layers: &[usize],
    ) -> Result<Activations, EngineError> {
        Ok(self.network.activations(inputs, layers)?)
    }

    fn parameters(&mut self) -> Result<Vec<Tensor>, EngineError> {
        let parameters = self.network.model().parameters().iter();
        Ok(parameters.map(|p| p.tensor().clone()).collect())
    }

    fn set_parameter(&mut self, number: usize, tensor: &Tensor) -> Result<(), EngineError> {
        // A copy, since the tensor may be the parameter itself.
        let values = tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
        let values = values.map_err(ModelError::from)?;
        let parameter = &self.network.model().parameters()[number];
        let change = parameter.update(|own| own.copy_from_slice(&values));
        Ok(change.map_err(ModelError::from)?)
    }

    fn logits(&mut self, images: &Tensor) -> Result<Tensor, EngineError> {
        let (storage, layout) = images.storage_and_layout();
        match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => {
                Ok(self.network.logits(&values[start..end])?)
            }
            _ => unreachable!("images are contiguous f32 values on the CPU"),
        }
    }

    fn host_state(&mut self) -> Result<TrainStateRef<'_>, EngineError> {
        Ok(TrainStateRef {
            model: self.network.model(),
            sgd: &self.sgd,
            mean_image: self.inputs.mean.as_deref(),
        })
    }

    fn model(&self) -> &Model {
        self.network.model()
    }

    fn describe(&self) -> Option<String> {
        None
    }

    fn take_log_line(&mut self) -> Option<String> {
        None
    }
}

/// Subtracts the mean image, where there is one, from the loader's images.
struct Inputs {
    mean: Option<Arc<MeanImage>>,
    /// What to add to a record's pixels; empty where there is no mean image.
    difference: Vec<f32>,
    values: Vec<f32>,
}

impl Inputs {
    fn new(mean: Option<Arc<MeanImage>>) -> Self {
        Self {
            mean,
            difference: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Sets how the loader normalises the coming batches.
    fn set_normalization(&mut self, normalize: &Normalize) {
        if let Some(mean) = &self.mean {
            self.difference = mean.difference(normalize);
        }
    }

    /// The images of a batch.
    fn of<'a>(&'a mut self, batch: &'a Batch) -> &'a [f32] {
        let images = batch.images_f32();
        let Some(mean) = &self.mean else {
            return images;
        };
        let crop = batch.shape()[1];
        let len = crop * crop * 3;
        self.values.resize(images.len(), 0.0);
        let (difference, areas) = (&self.difference, batch.areas());
        self.values
            .par_chunks_mut(len)
            .zip(images.par_chunks(len))
            .zip(areas)
            .for_each(|((to, from), area)| mean.shift(difference, *area, crop, from, to));
        &self.values
    }
}

/// Sums of gradients, each times its batch's share of the step's images.
#[derive(Default)]
struct Accumulator {
    sums: Vec<Vec<f32>>,
    /// Whether a batch of the current step has been added.
    begun: bool,
}

impl Accumulator {
    /// Begins a step without a batch, or leaves it as it is: there is a part of it, and it is empty.
    fn add_nothing(&mut self, gradients: &[Vec<f32>]) {
        self.allocate(gradients);
        if !std::mem::replace(&mut self.begun, true) {
            self.sums.iter_mut().for_each(|sum| sum.fill(0.0));
        }
    }

    fn allocate(&mut self, gradients: &[Vec<f32>]) {
        if self.sums.is_empty() {
            self.sums = gradients.iter().map(|g| vec![0.0; g.len()]).collect();
        }
    }

    /// Adds a batch's gradients times `share`.
    fn add(&mut self, gradients: &[Vec<f32>], share: f32) {
        self.allocate(gradients);
        let begun = std::mem::replace(&mut self.begun, true);
        for (sum, gradient) in self.sums.iter_mut().zip(gradients) {
            let chunks = sum.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
            chunks.for_each(|(sum, gradient)| {
                for (sum, value) in sum.iter_mut().zip(gradient) {
                    *sum = if begun { *sum } else { 0.0 } + share * value;
                }
            });
        }
    }

    /// Exchanges the sums with `gradients` and starts the next step.
    fn finish(&mut self, gradients: &mut Vec<Vec<f32>>) {
        std::mem::swap(&mut self.sums, gradients);
        self.begun = false;
    }
}

/// The L2 norm of all gradients as one vector; not finite if one of their values is not.
fn norm(gradients: &[Vec<f32>]) -> f64 {
    let of_one = |gradient: &Vec<f32>| -> f64 {
        let parts: Vec<f64> = gradient
            .par_chunks(NORM_CHUNK)
            .map(|chunk| chunk.iter().map(|&value| f64::from(value).powi(2)).sum())
            .collect();
        parts.iter().sum()
    };
    gradients.iter().map(of_one).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::norm;

    #[test]
    fn the_norm_is_that_of_one_vector_and_shows_non_finite_values() {
        assert_eq!(
            norm(&[vec![3.0; 16], vec![], vec![5.0; 25]]),
            (144.0f64 + 625.0).sqrt()
        );
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(!norm(&[vec![1.0], vec![1.0, bad]]).is_finite());
        }
    }
}
