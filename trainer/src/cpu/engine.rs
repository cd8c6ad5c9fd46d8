//! Training steps on the CPU.

use shardmill_loader::{Batch, Normalize};

use crate::cpu::accumulate::Accumulator;
use crate::cpu::inputs::Inputs;
use crate::cpu::norm;
use crate::engine::Seen;
use crate::net::scores::Tally;
use crate::net::sgd::{Rate, Sgd};
use crate::net::{DropoutKey, Model, ModelError, Parameter, StepOutput};

/// A network and its optimiser in this process's memory.
pub(crate) struct CpuEngine {
    pub(crate) model: Model,
    pub(crate) sgd: Sgd,
    accumulator: Accumulator,
    /// The scores of a step's batches so far.
    sums: Tally,
    seen: Option<Seen>,
    inputs: Inputs,
}

impl CpuEngine {
    pub(crate) fn new(model: Model, sgd: Sgd) -> Self {
        Self {
            model,
            sgd,
            accumulator: Accumulator::default(),
            sums: Tally::default(),
            seen: None,
            inputs: Inputs::default(),
        }
    }

    /// See [`Engine::see`](super::Engine::see).
    pub(crate) fn see(&mut self, normalize: &Normalize) {
        self.inputs
            .see(self.model.mean_image().as_deref(), normalize);
    }

    /// See [`Engine::add`](super::Engine::add). A batch whose loss is no number ends the step here,
    /// with the scores that say so.
    pub(crate) fn add(
        &mut self,
        batch: &Batch,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), ModelError> {
        if self.seen.is_some() {
            return Ok(());
        }
        let mean = self.model.mean_image();
        let images = self.inputs.of(mean.as_deref(), batch);
        let output = self.model.train_step(images, batch.labels(), key)?;
        let images = batch.len();
        match share {
            Some(share) if output.loss.is_finite() => {
                self.sums.add(images, output.loss, output.top1, output.top5);
                self.accumulator.add(&self.model, share);
            }
            _ => {
                self.seen = Some(Seen {
                    images,
                    output,
                    norm: 0.0,
                });
            }
        }
        Ok(())
    }

    /// See [`Engine::update`](super::Engine::update). Parameters stay as they are where loss or
    /// gradient are no numbers.
    pub(crate) fn update(
        &mut self,
        rate: impl Fn(&Parameter) -> Option<Rate>,
    ) -> Result<(), ModelError> {
        let seen = self.seen.get_or_insert_with(|| {
            let sums = std::mem::take(&mut self.sums);
            self.accumulator.finish(&mut self.model);
            Seen {
                images: sums.samples as usize,
                output: StepOutput {
                    loss: sums.loss / sums.samples as f64,
                    top1: sums.top1 as usize,
                    top5: sums.top5 as usize,
                },
                norm: 0.0,
            }
        });
        if !seen.output.loss.is_finite() {
            return Ok(());
        }
        seen.norm = norm::norm(self.model.gradients());
        if !seen.norm.is_finite() {
            return Ok(());
        }
        self.sgd.step_with(&mut self.model, rate)
    }

    pub(crate) fn take(&mut self) -> Option<Seen> {
        self.seen.take()
    }

    pub(crate) fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>, ModelError> {
        let mean = self.model.mean_image();
        let images = self.inputs.of(mean.as_deref(), batch);
        Ok(self.model.logits(images)?.to_vec2()?)
    }
}
