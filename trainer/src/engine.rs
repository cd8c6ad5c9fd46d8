//! Chooses the machine that trains a run: the CPU's engine or CUDA's.
//!
//! A step is one or more calls of [`Engine::accumulate`], each with a batch, and one of
//! [`Engine::step`]. Its metrics come out of [`Engine::drain_metrics`]: at once on the CPU; a GPU
//! works on while the host runs ahead, and is read when somebody asks.

use std::sync::Arc;

use shardmill_loader::{Batch, Normalize, Output};

use crate::compute::Compute;
use crate::cpu::engine::CpuEngine;
#[cfg(feature = "cuda")]
use crate::cuda::{CudaEngine, CudaError};
use crate::net::sgd::Rate;
use crate::net::{
    DropoutKey, Model, ModelError, Parameter, StepMetrics, TrainState, TrainStateRef,
};

/// Images that go through the network at once while evaluating on the CPU.
const CPU_EVALUATION_ROWS: usize = 80;

/// Why an engine could not be made or could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The build cannot use a GPU.
    #[error(
        "this build of train computes on the CPU only; use `--device cpu`, or build it for NVIDIA \
         GPUs with `cargo build --release --features cuda -p shardmill-trainer` (README, \"Building \
         with CUDA\"); `train doctor` says what this machine has"
    )]
    NoCuda,
    /// The network refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A GPU, its driver or one of its libraries refused.
    #[cfg(feature = "cuda")]
    #[error(transparent)]
    Cuda(#[from] CudaError),
}

/// A network with its optimiser.
pub(crate) enum Engine {
    /// In this process.
    Cpu(Box<CpuEngine>),
    /// On one or several GPUs.
    #[cfg(feature = "cuda")]
    Cuda(Box<CudaEngine>),
}

impl Engine {
    /// An engine for batches of at most `rows` images.
    ///
    /// # Errors
    /// A device that this build or this machine does not have.
    pub(crate) fn new(
        compute: Compute,
        state: TrainState,
        rows: usize,
    ) -> Result<Self, EngineError> {
        match compute {
            Compute::Cpu => Ok(Self::Cpu(Box::new(CpuEngine::new(state)))),
            #[cfg(feature = "cuda")]
            Compute::Cuda(options) => {
                let engine = CudaEngine::new(options, state, rows)?;
                Ok(Self::Cuda(Box::new(engine)))
            }
            #[cfg(not(feature = "cuda"))]
            Compute::Cuda(_) => {
                let _ = (state, rows);
                Err(EngineError::NoCuda)
            }
        }
    }

    /// The form in which it takes images from the loader.
    pub(crate) fn output(&self) -> Output {
        match self {
            Self::Cpu(_) => Output::F32,
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => Output::U8,
        }
    }

    /// Images that a batch for evaluation should have.
    pub(crate) fn evaluation_rows(&self) -> usize {
        match self {
            Self::Cpu(_) => CPU_EVALUATION_ROWS,
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.evaluation_rows(),
        }
    }

    /// Sets how the images of the coming batches are normalised; the loader does it for the CPU.
    ///
    /// # Errors
    /// A device that fails.
    pub(crate) fn set_normalization(&mut self, normalize: Normalize) -> Result<(), EngineError> {
        match self {
            Self::Cpu(engine) => {
                engine.set_normalization(&normalize);
                Ok(())
            }
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => Ok(engine.set_normalization(normalize)?),
        }
    }

    /// Turns the backward pass of the convolutions off or on.
    ///
    /// # Errors
    /// A device that fails.
    pub(crate) fn freeze_features(&mut self, frozen: bool) -> Result<(), EngineError> {
        match self {
            Self::Cpu(engine) => {
                engine.freeze_features(frozen);
                Ok(())
            }
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => Ok(engine.freeze_features(frozen)?),
        }
    }

    /// Computes a batch's gradient. `share` is the batch's part of the step's images: the step's gradient
    /// is the sum of its batches' gradients times their shares. `None`: the step has one batch.
    ///
    /// # Errors
    /// A batch that does not fit the network, or a device that fails.
    pub(crate) fn accumulate(
        &mut self,
        batch: &Arc<Batch>,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), EngineError> {
        match self {
            Self::Cpu(engine) => Ok(engine.accumulate(batch, key, share)?),
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => Ok(engine.accumulate(batch, key, share)?),
        }
    }

    /// Updates the parameters, each at its rate, and ends the step; those without a rate stay.
    ///
    /// # Errors
    /// A device that fails.
    pub(crate) fn step(
        &mut self,
        rate: impl Fn(&Parameter) -> Option<Rate>,
    ) -> Result<(), EngineError> {
        match self {
            Self::Cpu(engine) => Ok(engine.step(rate)?),
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => Ok(engine.step(rate)?),
        }
    }

    /// Whether the metrics must be drained before the next step: always where that costs nothing.
    pub(crate) fn metrics_due(&self) -> bool {
        match self {
            Self::Cpu(_) => true,
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.metrics_full(),
        }
    }

    /// The metrics of the steps since the last call, in their order.
    ///
    /// # Errors
    /// A device that fails.
    pub(crate) fn drain_metrics(&mut self) -> Result<Vec<StepMetrics>, EngineError> {
        match self {
            Self::Cpu(engine) => Ok(engine.drain_metrics().into_iter().collect()),
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => Ok(engine.drain_metrics()?),
        }
    }

    /// The logits of a batch, a row for each image, without dropout.
    ///
    /// # Errors
    /// A batch that does not fit the network, or a device that fails.
    pub(crate) fn logits(&mut self, batch: &Arc<Batch>) -> Result<Vec<Vec<f32>>, EngineError> {
        match self {
            Self::Cpu(engine) => Ok(engine.logits(batch)?),
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => Ok(engine.logits(batch)?),
        }
    }

    /// The state as it is now, copied from the device to host memory where that is needed.
    ///
    /// # Errors
    /// A device that fails.
    pub(crate) fn host_state(&mut self) -> Result<TrainStateRef<'_>, EngineError> {
        match self {
            Self::Cpu(engine) => Ok(engine.state()),
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => Ok(engine.host_state()?.into()),
        }
    }

    /// The network with the weights that it had when the engine was made, or at the last
    /// [`host_state`](Self::host_state); names and sizes never change.
    pub(crate) fn model(&self) -> &Model {
        match self {
            Self::Cpu(engine) => engine.state().model,
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.model(),
        }
    }

    /// The device in words; `None` for the CPU.
    pub(crate) fn describe(&self) -> Option<String> {
        match self {
            Self::Cpu(_) => None,
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => Some(engine.describe()),
        }
    }

    /// A line for the log about the device, once, after the first step.
    pub(crate) fn take_log_line(&mut self) -> Option<String> {
        match self {
            Self::Cpu(_) => None,
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.take_log_line(),
        }
    }
}
