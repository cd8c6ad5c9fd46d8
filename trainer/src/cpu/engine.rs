//! Training steps on the CPU.

use shardmill_loader::{Batch, Normalize};

use crate::cpu::gradients::{Accumulator, norm};
use crate::cpu::inputs::Inputs;
use crate::cpu::network::Network;
use crate::net::scores::Tally;
use crate::net::sgd::{Rate, Sgd};
use crate::net::{
    DropoutKey, ModelError, Parameter, StepMetrics, StepOutput, TrainState, TrainStateRef,
};

/// A network and its optimiser in this process's memory.
pub(crate) struct CpuEngine {
    network: Network,
    sgd: Sgd,
    accumulator: Accumulator,
    /// The scores of a step's batches so far.
    sums: Tally,
    metrics: Option<StepMetrics>,
    inputs: Inputs,
}

impl CpuEngine {
    pub(crate) fn new(state: TrainState) -> Self {
        Self {
            network: Network::new(state.model),
            sgd: state.sgd,
            accumulator: Accumulator::default(),
            sums: Tally::default(),
            metrics: None,
            inputs: Inputs::new(state.mean_image),
        }
    }

    /// The state after the last step.
    pub(crate) fn state(&self) -> TrainStateRef<'_> {
        TrainStateRef {
            model: self.network.model(),
            sgd: &self.sgd,
            mean_image: self.inputs.mean_image(),
        }
    }

    /// Sets how the loader normalises the coming batches.
    pub(crate) fn set_normalization(&mut self, normalize: &Normalize) {
        self.inputs.set_normalization(normalize);
    }

    /// Turns the backward pass of the convolutions off or on.
    pub(crate) fn freeze_features(&mut self, frozen: bool) {
        self.network.freeze_features(frozen);
    }

    /// Computes a batch's gradient; `share` is its part of the step's images, `None` where the step has
    /// no other batch. A non-finite loss ends the step here, with metrics that show it.
    pub(crate) fn accumulate(
        &mut self,
        batch: &Batch,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), ModelError> {
        if self.metrics.is_some() {
            return Ok(());
        }
        let (network, images) = (&mut self.network, self.inputs.of(batch));
        let output = network.train_step(images, batch.labels(), key)?;
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

    /// Updates the parameters and ends the step. They stay as they are where the loss or the gradient is
    /// not finite.
    pub(crate) fn step(
        &mut self,
        rate: impl Fn(&Parameter) -> Option<Rate>,
    ) -> Result<(), ModelError> {
        let metrics = self.metrics.get_or_insert_with(|| {
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
        if !metrics.output.loss.is_finite() {
            return Ok(());
        }
        metrics.norm = norm(self.network.gradients());
        if !metrics.norm.is_finite() {
            return Ok(());
        }
        self.network.update(&mut self.sgd, rate)
    }

    /// The metrics of the last step, once.
    pub(crate) fn drain_metrics(&mut self) -> Option<StepMetrics> {
        self.metrics.take()
    }

    /// The logits of a batch, a row for each image, without dropout.
    pub(crate) fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>, ModelError> {
        let logits = self.network.logits(self.inputs.of(batch))?;
        Ok(logits.to_vec2()?)
    }
}
