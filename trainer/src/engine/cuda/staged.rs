//! Batches that stay in GPU memory, for instruments that measure a step without its upload.

use std::sync::Arc;

use crate::cuda::{AsPixels, CudaError, LayerAlgorithm, Replica, Slice, StageSeconds, Staged};
use crate::engine::cuda::CudaEngine;
use crate::engine::{Engine, EngineError};
use crate::net::sgd::Rate;
use crate::net::{DropoutKey, Parameter};

/// A batch in GPU memory, a slice on each device.
#[derive(Clone, Debug)]
pub(crate) struct StagedBatch {
    rows: usize,
    slices: Arc<Vec<Staged>>,
}

impl CudaEngine {
    /// Uploads a batch with labels and at least one row for each GPU.
    pub(crate) fn stage(&mut self, batch: &Arc<impl AsPixels>) -> Result<StagedBatch, CudaError> {
        let labels = batch.pixels().labels;
        self.state.model.check_labels(labels)?;
        let (rows, gpus) = (labels.len(), self.numbers.len());
        self.begin_training()?;
        let batch = Arc::clone(batch);
        let slices = self.devices.on_all(move |index, replica| {
            let slice = Slice::of(index, gpus, rows);
            replica.uploads.stage(batch.pixels().part(slice))
        })?;
        let slices = Arc::new(slices);
        Ok(StagedBatch { rows, slices })
    }

    /// [`accumulate`](Engine::accumulate) of a batch in GPU memory, which stays there.
    pub(crate) fn accumulate_staged(
        &mut self,
        batch: &StagedBatch,
        key: DropoutKey,
    ) -> Result<(), EngineError> {
        let StagedBatch { rows, slices } = batch.clone();
        let gpus = self.numbers.len();
        self.devices.on_all(move |index, replica| {
            let slice = Slice::of(index, gpus, rows);
            replica.accumulate_staged(&slices[index], slice, key, None)
        })?;
        self.count_images(rows);
        Ok(())
    }

    /// A forward pass without dropout over a batch in GPU memory.
    pub(crate) fn infer(&mut self, batch: &StagedBatch) -> Result<(), EngineError> {
        let (slices, devices) = (Arc::clone(&batch.slices), &mut self.devices);
        devices.on_all(move |index, replica| replica.infer(&slices[index]))?;
        Ok(())
    }

    /// Runs a step with a batch in GPU memory, and returns what its parts took on the first GPU.
    pub(crate) fn time_step(
        &mut self,
        batch: &StagedBatch,
        key: DropoutKey,
        rate: &dyn Fn(&Parameter) -> Option<Rate>,
    ) -> Result<Vec<StageSeconds>, EngineError> {
        let begin = |replica: &mut Replica| {
            replica.network.begin_timing();
            Ok(())
        };
        self.devices.on_first(begin)?;
        self.accumulate_staged(batch, key)?;
        self.step(rate)?;
        let end = |replica: &mut Replica| replica.network.end_timing();
        Ok(self.devices.on_first(end)?)
    }

    /// The algorithms of the convolutions on the first GPU so far.
    pub(crate) fn algorithms(&mut self) -> Result<Vec<LayerAlgorithm>, EngineError> {
        Ok(self
            .devices
            .on_first(|replica| Ok(replica.network.algorithms()))?)
    }
}
