//! What one card does of a step: its rows of each batch, and the update of its own parameters.
//!
//! No call waits for the card but [`drain_metrics`](Card::drain_metrics), [`logits`](Card::logits) and
//! [`read`](Card::read): a step's scores stay on the card, each in a place of its own, until they are
//! drained.

use std::rc::Rc;

use shardmill_loader::Normalize;

use crate::cuda::device::error::CudaError;
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Buffer, Element};
use crate::cuda::feed::{Feed, Pixels, Staged};
use crate::cuda::network::Network;
use crate::cuda::preparation::Preparation;
use crate::cuda::scores::NUMBERS;
use crate::cuda::slice::Slice;
use crate::net::sgd::{Rate, Sgd};
use crate::net::{DropoutKey, TrainState};

/// Steps whose scores the card keeps until they must be drained.
pub(crate) const STEPS: usize = 256;

/// The least number of images that a network has room for: ten views of one image.
const LEAST_ROWS: usize = 32;

/// A network on a card with what feeds it; the model that it comes from is the caller's.
pub(crate) struct Card {
    gpu: Rc<Gpu>,
    network: Network,
    feed: Feed,
    preparation: Preparation,
    scores: Buffer,
    /// The logits of an evaluation, in f32.
    logits: Buffer,
    classes: usize,
    /// Steps whose scores are on the card, the one at hand included.
    steps: usize,
    /// Batches of the step at hand.
    batches: usize,
    /// Whether their gradients are summed up.
    accumulated: bool,
}

impl Card {
    /// The network of `state` for batches of at most `rows` images.
    ///
    /// # Errors
    /// Too little memory.
    pub(crate) fn new(gpu: Rc<Gpu>, state: &TrainState, rows: usize) -> Result<Self, CudaError> {
        let (model, mean) = (&state.model, &state.mean_image);
        let capacity = rows.max(LEAST_ROWS);
        let classes = model.config().classes;
        Ok(Self {
            preparation: Preparation::new(&gpu, mean.clone())?,
            network: Network::new(&gpu, model, capacity)?,
            feed: Feed::new(&gpu, capacity, model.config().input_size, mean.clone())?,
            scores: gpu.buffer(Element::F64, STEPS * NUMBERS)?,
            logits: gpu.buffer(Element::F32, capacity * classes)?,
            classes,
            gpu,
            steps: 0,
            batches: 0,
            accumulated: false,
        })
    }

    /// Images of a batch, at most.
    pub(crate) fn capacity(&self) -> usize {
        self.network.capacity()
    }

    pub(crate) fn gpu(&self) -> &Rc<Gpu> {
        &self.gpu
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Bytes of the card that this holds.
    pub(crate) fn bytes(&self) -> usize {
        let own = self.scores.bytes() + self.logits.bytes() + self.preparation.bytes();
        self.network.bytes() + self.feed.bytes() + own
    }

    pub(crate) fn set_normalization(&mut self, normalize: Normalize) -> Result<(), CudaError> {
        self.preparation.set_normalization(&self.gpu, normalize)
    }

    pub(crate) fn freeze_features(&mut self, frozen: bool) -> Result<(), CudaError> {
        self.network.freeze_features(frozen)
    }

    /// Makes room for training, with the velocities of `sgd`; once.
    pub(crate) fn begin(&mut self, sgd: &Sgd) -> Result<(), CudaError> {
        self.network.begin_training(&sgd.velocities())
    }

    /// Brings a batch onto the card. The labels are classes: the caller has seen to that.
    pub(crate) fn stage(&mut self, batch: Pixels<'_>) -> Result<Staged, CudaError> {
        self.feed.stage(batch)
    }

    /// Says that a batch is done with.
    pub(crate) fn release(&mut self, staged: Staged) -> Result<(), CudaError> {
        self.feed.release(staged)
    }

    /// Computes the gradient of this card's slice of a batch, of which it is given the whole.
    pub(crate) fn accumulate(
        &mut self,
        batch: Pixels<'_>,
        slice: Slice,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), CudaError> {
        if slice.rows == 0 {
            return self.accumulate_nothing(share);
        }
        let staged = self.stage(batch.part(slice))?;
        self.accumulate_staged(&staged, slice, key, share)?;
        self.release(staged)
    }

    /// [`accumulate`](Self::accumulate) of a slice that is on the card; it stays there.
    pub(crate) fn accumulate_staged(
        &mut self,
        staged: &Staged,
        slice: Slice,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), CudaError> {
        let step = self.enter();
        let dropout = Some((key, slice.first));
        self.network
            .forward(&self.feed, staged, &self.preparation, dropout)?;
        let scores = self.scores.view_mut().tail(step * NUMBERS).head(3);
        let labels = self.feed.labels(staged);
        let mode = (key, share.is_some());
        self.network.backward(labels, slice, mode, scores)?;
        self.leave(share)
    }

    /// Takes part in a batch that has no row for this card: its gradient is 0.
    fn accumulate_nothing(&mut self, share: Option<f32>) -> Result<(), CudaError> {
        self.enter();
        self.network.pass_nothing(share.is_some())?;
        self.leave(share)
    }

    /// The number of the step at hand, among those whose scores are on the card.
    fn enter(&mut self) -> usize {
        if self.batches == 0 {
            assert!(self.steps < STEPS, "the scores are drained in time");
            self.steps += 1;
        }
        self.steps - 1
    }

    fn leave(&mut self, share: Option<f32>) -> Result<(), CudaError> {
        if let Some(share) = share {
            self.network.accumulate(share, self.batches == 0)?;
        }
        self.batches += 1;
        self.accumulated = share.is_some();
        Ok(())
    }

    /// Updates the parameters and ends the step. Where there are other cards, all must do so: the
    /// gradients are summed up over them first.
    pub(crate) fn step(&mut self, momentum: f32, rates: &[Option<Rate>]) -> Result<(), CudaError> {
        let norm = self.scores.view_mut().tail((self.steps - 1) * NUMBERS + 3);
        self.network
            .update(momentum, rates, self.accumulated, norm.head(1))?;
        self.batches = 0;
        Ok(())
    }

    /// The [`NUMBERS`] of every step since the last call.
    pub(crate) fn drain_metrics(&mut self) -> Result<Vec<f64>, CudaError> {
        self.gpu.settle()?;
        let numbers = self.scores.read(self.steps * NUMBERS)?;
        self.scores.clear()?;
        self.steps = 0;
        Ok(numbers)
    }

    /// The logits of this card's slice of a batch, of which it is given the whole; labels are not
    /// looked at.
    pub(crate) fn logits(
        &mut self,
        batch: Pixels<'_>,
        slice: Slice,
    ) -> Result<Vec<f32>, CudaError> {
        if slice.rows == 0 {
            return Ok(Vec::new());
        }
        let staged = self.feed.stage(batch.part(slice))?;
        self.infer(&staged)?;
        self.feed.release(staged)?;
        let logits = self.network.logits(slice.rows);
        let len = logits.len;
        self.gpu.cast(logits, self.logits.view_mut().head(len))?;
        self.gpu.settle()?;
        self.logits.read(len)
    }

    /// A forward pass without dropout over a batch that is on the card.
    pub(crate) fn infer(&mut self, staged: &Staged) -> Result<(), CudaError> {
        self.network
            .forward(&self.feed, staged, &self.preparation, None)
    }

    /// The number of classes.
    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    /// Writes the values of parameter `number` and, if training has begun, its velocity.
    pub(crate) fn read(
        &self,
        number: usize,
        values: &mut [f32],
        velocity: &mut [f32],
    ) -> Result<(), CudaError> {
        self.gpu.settle()?;
        self.network.read_parameter(number, values)?;
        self.network.read_velocity(number, velocity)?;
        Ok(())
    }
}

#[cfg(feature = "nccl")]
impl Drop for Card {
    /// Leaves the other cards first: what a failed one of them has left undone ends with that.
    fn drop(&mut self) {
        if let Some(link) = self.gpu.link() {
            link.leave();
        }
    }
}
