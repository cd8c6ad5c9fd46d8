//! What one GPU does of a step: its rows of each batch, and the update of its copy of the parameters.
//!
//! Only [`drain_metrics`](Replica::drain_metrics) and [`logits`](Replica::logits) wait for the GPU, as
//! reading a parameter does: the metrics of each step stay in its memory until they are drained.

use std::rc::Rc;

use crate::cuda::device::{Buffer, CudaError, Device, Element};
use crate::cuda::kernels;
use crate::cuda::network::Network;
use crate::cuda::upload::{Pixels, Staged, Uploads};
use crate::cuda::{BatchDropout, NUMBERS, Slice};
use crate::net::sgd::Rate;
use crate::net::{DropoutKey, TrainState};

/// Steps whose metrics fit into GPU memory until they must be drained.
pub(crate) const STEPS: usize = 256;

/// A network on a GPU with the uploads that feed it; the state that it comes from is the caller's.
pub(crate) struct Replica {
    pub(crate) device: Rc<Device>,
    pub(crate) network: Network,
    pub(crate) uploads: Uploads,
    /// [`NUMBERS`] for each step.
    scores: Buffer,
    /// The logits of an evaluation, in f32.
    logits: Buffer,
    /// Steps whose metrics are in GPU memory, the current one included.
    steps: usize,
    /// Batches of the current step so far.
    batches: usize,
    /// Whether their gradients are summed.
    accumulated: bool,
}

impl Replica {
    /// The network of `state` for batches of at most `capacity` images.
    pub(crate) fn new(
        device: Rc<Device>,
        state: &TrainState,
        capacity: usize,
    ) -> Result<Self, CudaError> {
        let (config, mean) = (state.model.config(), state.mean_image.clone());
        Ok(Self {
            network: Network::new(&device, &state.model, capacity)?,
            uploads: Uploads::new(&device, capacity, config.input_size, mean)?,
            scores: device.buffer(Element::F64, STEPS * NUMBERS)?,
            logits: device.buffer(Element::F32, capacity * config.classes)?,
            device,
            steps: 0,
            batches: 0,
            accumulated: false,
        })
    }

    /// Bytes of GPU memory.
    pub(crate) fn bytes(&self) -> usize {
        let own = self.scores.bytes() + self.logits.bytes();
        self.network.bytes() + self.uploads.bytes() + own
    }

    /// Computes the gradient of this GPU's slice of a whole batch.
    pub(crate) fn accumulate(
        &mut self,
        batch: Pixels<'_>,
        slice: Slice,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), CudaError> {
        if slice.rows == 0 {
            // The other GPUs expect this one to take part, with a gradient of 0.
            self.begin_batch();
            self.network.skip_batch(share.is_some())?;
            return self.end_batch(share);
        }
        let staged = self.uploads.stage(batch.part(slice))?;
        self.accumulate_staged(&staged, slice, key, share)?;
        self.uploads.release(staged)
    }

    /// [`accumulate`](Self::accumulate) of a slice in GPU memory, which is not released.
    pub(crate) fn accumulate_staged(
        &mut self,
        staged: &Staged,
        slice: Slice,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), CudaError> {
        let step = self.begin_batch();
        let dropout = BatchDropout {
            key,
            first: slice.first,
        };
        self.network.forward(&self.uploads, staged, Some(dropout))?;
        let scores = self.scores.view_mut().tail(step * NUMBERS).head(3);
        let labels = self.uploads.labels(staged);
        self.network
            .backward(labels, slice, key, share.is_some(), scores)?;
        self.end_batch(share)
    }

    /// The index of the current step among those whose metrics are in GPU memory.
    fn begin_batch(&mut self) -> usize {
        if self.batches == 0 {
            assert!(self.steps < STEPS, "the metrics are drained in time");
            self.steps += 1;
        }
        self.steps - 1
    }

    fn end_batch(&mut self, share: Option<f32>) -> Result<(), CudaError> {
        if let Some(share) = share {
            self.network.accumulate(share, self.batches == 0)?;
        }
        self.batches += 1;
        self.accumulated = share.is_some();
        Ok(())
    }

    /// Updates the parameters and ends the step. With several GPUs all must do so: their gradients are
    /// summed first.
    pub(crate) fn step(&mut self, momentum: f32, rates: &[Option<Rate>]) -> Result<(), CudaError> {
        let norm = self.scores.view_mut().tail((self.steps - 1) * NUMBERS + 3);
        self.network
            .update(momentum, rates, self.accumulated, norm.head(1))?;
        self.batches = 0;
        Ok(())
    }

    /// The [`NUMBERS`] of every step since the last call.
    pub(crate) fn drain_metrics(&mut self) -> Result<Vec<f64>, CudaError> {
        self.device.synchronize()?;
        let numbers = self.scores.read(self.steps * NUMBERS)?;
        self.scores.clear()?;
        self.steps = 0;
        Ok(numbers)
    }

    /// The logits of this GPU's slice of a whole batch; its labels are ignored.
    pub(crate) fn logits(
        &mut self,
        batch: Pixels<'_>,
        slice: Slice,
    ) -> Result<Vec<f32>, CudaError> {
        if slice.rows == 0 {
            return Ok(Vec::new());
        }
        let staged = self.uploads.stage(batch.part(slice))?;
        self.infer(&staged)?;
        self.uploads.release(staged)?;
        let logits = self.network.logits(slice.rows);
        let len = logits.len;
        kernels::cast(&self.device, logits, self.logits.view_mut().head(len))?;
        self.device.synchronize()?;
        self.logits.read(len)
    }

    /// A forward pass without dropout over a batch in GPU memory.
    pub(crate) fn infer(&mut self, staged: &Staged) -> Result<(), CudaError> {
        self.network.forward(&self.uploads, staged, None)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.device.disconnect();
    }
}
