//! Training steps on a card, behind the interface that those on the CPU have.

use std::rc::Rc;

use shardmill_loader::{Batch, Normalize};

use crate::compute::CudaOptions;
use crate::cuda::card::{Card, STEPS};
use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::feed::{Pixels, Staged};
use crate::cuda::network::Network;
use crate::cuda::scores::join;
use crate::cuda::slice::Slice;
use crate::net::sgd::Rate;
use crate::net::{DropoutKey, Model, ModelError, Parameter, StepMetrics, TrainState};

/// A network and its optimiser on a card.
pub(crate) struct CudaEngine {
    state: TrainState,
    card: Card,
    /// The images of each step whose metrics are on the card, the one at hand included.
    images: Vec<usize>,
    /// Whether a step is at hand.
    open: bool,
    /// Whether the host's copy of the parameters is older than the card's.
    stale: bool,
    /// Whether the memory has been logged.
    memory_logged: bool,
    log_line: Option<String>,
}

impl CudaEngine {
    /// An engine for batches of at most `rows` images.
    ///
    /// # Errors
    /// No such card, or one that will not do.
    pub(crate) fn new(
        options: CudaOptions,
        state: TrainState,
        rows: usize,
    ) -> Result<Self, CudaError> {
        let card = Card::new(Gpu::open(options)?, &state, rows)?;
        Ok(Self {
            state,
            card,
            images: Vec::new(),
            open: false,
            stale: false,
            memory_logged: false,
            log_line: None,
        })
    }

    pub(crate) fn evaluation_rows(&self) -> usize {
        self.card.capacity()
    }

    pub(crate) fn set_normalization(&mut self, normalize: Normalize) -> Result<(), CudaError> {
        self.card.set_normalization(normalize)
    }

    pub(crate) fn freeze_features(&mut self, frozen: bool) -> Result<(), CudaError> {
        Ok(self.card.freeze_features(frozen)?)
    }

    /// The card, its arithmetic, in words.
    pub(crate) fn describe(&self) -> String {
        let card = self.gpu().describe();
        let card = card.unwrap_or_else(|error| format!("a card that does not say: {error}"));
        format!("{card}; {}", self.gpu().arithmetic())
    }

    /// A line for the log, once: the memory, after the first step has taken it.
    pub(crate) fn take_log_line(&mut self) -> Option<String> {
        self.log_line.take()
    }

    /// Bytes of the card that this engine holds.
    pub(crate) fn bytes(&self) -> usize {
        self.card.bytes()
    }

    pub(crate) fn gpu(&self) -> &Rc<Gpu> {
        self.card.gpu()
    }

    pub(crate) fn accumulate(
        &mut self,
        batch: &Batch,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), CudaError> {
        self.accumulate_pixels(Pixels::of(batch), key, share)
    }

    /// [`accumulate`](Self::accumulate) of a batch from anywhere.
    pub(crate) fn accumulate_pixels(
        &mut self,
        batch: Pixels<'_>,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), CudaError> {
        self.state.model.check_labels(batch.labels)?;
        self.card.begin(&self.state.sgd)?;
        let rows = batch.labels.len();
        self.card.accumulate(batch, Slice::all(rows), key, share)?;
        self.note(rows);
        Ok(())
    }

    /// Brings a batch with labels onto the card.
    pub(crate) fn stage(&mut self, batch: Pixels<'_>) -> Result<Staged, CudaError> {
        self.state.model.check_labels(batch.labels)?;
        self.card.begin(&self.state.sgd)?;
        Ok(self.card.stage(batch)?)
    }

    /// [`accumulate`](Self::accumulate) of a batch that is on the card; it stays there.
    pub(crate) fn accumulate_staged(
        &mut self,
        staged: &Staged,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), CudaError> {
        let slice = Slice::all(staged.rows);
        self.card.accumulate_staged(staged, slice, key, share)?;
        self.note(staged.rows);
        Ok(())
    }

    /// Takes note of the images of a batch.
    fn note(&mut self, rows: usize) {
        if !std::mem::replace(&mut self.open, true) {
            self.images.push(0);
        }
        *self.images.last_mut().expect("pushed above") += rows;
    }

    pub(crate) fn step(
        &mut self,
        rate: impl Fn(&Parameter) -> Option<Rate>,
    ) -> Result<(), CudaError> {
        let rates: Vec<Option<Rate>> = self.state.model.parameters().iter().map(rate).collect();
        self.card.step(self.state.sgd.config().momentum, &rates)?;
        self.open = false;
        self.stale = true;
        if !self.memory_logged {
            self.memory_logged = true;
            self.log_line = Some(format!(
                "device memory {:.2} GiB, taken in the first step and constant from here",
                self.bytes() as f64 / f64::from(1 << 30)
            ));
        }
        Ok(())
    }

    /// Whether there is no room for another step's metrics.
    pub(crate) fn metrics_full(&self) -> bool {
        self.images.len() == STEPS
    }

    pub(crate) fn drain_metrics(&mut self) -> Result<Vec<StepMetrics>, CudaError> {
        if self.images.is_empty() {
            return Ok(Vec::new());
        }
        let images = std::mem::take(&mut self.images);
        let metrics = join(&images, &[self.card.drain_metrics()?]);
        Ok(metrics.expect("one card is of one mind"))
    }

    pub(crate) fn logits(&mut self, batch: &Batch) -> Result<Vec<Vec<f32>>, CudaError> {
        self.logits_of(Pixels::of(batch).unlabelled())
    }

    /// [`logits`](Self::logits) of a batch from anywhere.
    pub(crate) fn logits_of(&mut self, batch: Pixels<'_>) -> Result<Vec<Vec<f32>>, CudaError> {
        let rows = batch.rows(self.state.model.config().input_size);
        let logits = self.card.logits(batch, Slice::all(rows))?;
        Ok(rows_of(&logits, self.card.classes()))
    }

    /// A forward pass without dropout over a batch that is on the card.
    pub(crate) fn infer(&mut self, staged: &Staged) -> Result<(), CudaError> {
        self.card.infer(staged)
    }

    /// The state as it is now, in host memory.
    pub(crate) fn host_state(&mut self) -> Result<&TrainState, CudaError> {
        if self.stale {
            for (number, parameter) in self.state.model.parameters().iter().enumerate() {
                let mut values = vec![0.0; parameter.len()];
                let velocity = self.state.sgd.velocity_mut(number);
                self.card.read(number, &mut values, velocity)?;
                parameter
                    .update(|own| own.copy_from_slice(&values))
                    .map_err(ModelError::from)?;
            }
            self.stale = false;
        }
        Ok(&self.state)
    }

    pub(crate) fn model(&self) -> &Model {
        &self.state.model
    }

    pub(crate) fn network(&self) -> &Network {
        self.card.network()
    }
}

/// Logits row by row.
pub(crate) fn rows_of(logits: &[f32], classes: usize) -> Vec<Vec<f32>> {
    logits.chunks_exact(classes).map(<[f32]>::to_vec).collect()
}
