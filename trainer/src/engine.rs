//! What trains: a network with its optimiser, wherever it is computed.
//!
//! A step is one or more calls of [`Engine::add`], each with a batch, and one of [`Engine::update`].
//! Its scores come out of [`Engine::take`], at once on the CPU, and when they are asked for on a card,
//! which works on while the host runs ahead.

use std::sync::Arc;

use shardmill_loader::{Batch, Normalize, Output};

use crate::compute::Compute;
use crate::cpu::engine::CpuEngine;
#[cfg(feature = "nccl")]
use crate::cuda::CardsEngine;
#[cfg(feature = "cuda")]
use crate::cuda::CudaEngine;
#[cfg(feature = "nccl")]
pub(crate) use crate::cuda::device::crew::{Alarm, Crew, Failed, Fault};
#[cfg(feature = "cuda")]
pub(crate) use crate::cuda::scores::{NUMBERS, join};
#[cfg(feature = "cuda")]
pub(crate) use crate::cuda::slice::Slice;
use crate::net::sgd::{Rate, Sgd};
use crate::net::{DropoutKey, Model, Parameter, StepOutput};
use crate::run::error::TrainError;

/// Images that go through the network at once while evaluating on the CPU.
const CPU_EVALUATION_ROWS: usize = 80;

/// What a step gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    /// Its images.
    pub(crate) images: usize,
    /// Their scores.
    pub(crate) output: StepOutput,
    /// The length of the gradient.
    pub(crate) norm: f64,
}

/// A network with its optimiser.
pub(crate) enum Engine {
    /// In this process.
    Cpu(Box<CpuEngine>),
    /// On a card.
    #[cfg(feature = "cuda")]
    Cuda(Box<CudaEngine>),
    /// On several cards.
    #[cfg(feature = "nccl")]
    Cards(Box<CardsEngine>),
}

impl Engine {
    /// An engine for batches of at most `rows` images.
    ///
    /// # Errors
    /// A device that this build or this machine does not have.
    pub(crate) fn new(
        compute: Compute,
        model: Model,
        sgd: Sgd,
        rows: usize,
    ) -> Result<Self, TrainError> {
        match compute {
            Compute::Cpu => Ok(Self::Cpu(Box::new(CpuEngine::new(model, sgd)))),
            #[cfg(feature = "nccl")]
            Compute::Cards(options) => {
                let engine = CardsEngine::new(options, model, sgd, rows)?;
                Ok(Self::Cards(Box::new(engine)))
            }
            #[cfg(feature = "cuda")]
            Compute::Cuda(options) => {
                let engine = CudaEngine::new(options, model, sgd, rows)?;
                Ok(Self::Cuda(Box::new(engine)))
            }
            #[cfg(all(feature = "cuda", not(feature = "nccl")))]
            Compute::Cards(_) => Err(TrainError::NoNccl),
            #[cfg(not(feature = "cuda"))]
            Compute::Cuda(_) | Compute::Cards(_) => {
                let _ = rows;
                Err(TrainError::NoCuda)
            }
        }
    }

    /// The form in which it takes images from the loader.
    pub(crate) fn output(&self) -> Output {
        match self {
            Self::Cpu(_) => Output::F32,
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => Output::U8,
            #[cfg(feature = "nccl")]
            Self::Cards(_) => Output::U8,
        }
    }

    /// Images that a batch for evaluation should have.
    pub(crate) fn evaluation_rows(&self) -> usize {
        match self {
            Self::Cpu(_) => CPU_EVALUATION_ROWS,
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.evaluation_rows(),
            #[cfg(feature = "nccl")]
            Self::Cards(engine) => engine.evaluation_rows(),
        }
    }

    /// Says how the images of the coming batches are normalised; the loader does it for the CPU.
    ///
    /// # Errors
    /// A device that fails.
    pub(crate) fn see(&mut self, normalize: Normalize) -> Result<(), TrainError> {
        match self {
            Self::Cpu(engine) => {
                engine.see(&normalize);
                Ok(())
            }
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => Ok(engine.see(normalize)?),
            #[cfg(feature = "nccl")]
            Self::Cards(engine) => engine.see(normalize),
        }
    }

    /// Leaves out the backward pass of the convolutions, or takes it up again.
    ///
    /// # Errors
    /// A device that fails.
    pub(crate) fn freeze_features(&mut self, frozen: bool) -> Result<(), TrainError> {
        match self {
            Self::Cpu(engine) => {
                engine.model.freeze_features(frozen);
                Ok(())
            }
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.freeze_features(frozen),
            #[cfg(feature = "nccl")]
            Self::Cards(engine) => engine.freeze_features(frozen),
        }
    }

    /// Works out a batch's gradient. Of several batches of one step each has its share of the step's
    /// images, and the sum of the gradients times these shares counts; `None`: it is the only one.
    ///
    /// # Errors
    /// A batch that does not fit the network, or a device that fails.
    pub(crate) fn add(
        &mut self,
        batch: &Arc<Batch>,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), TrainError> {
        match self {
            Self::Cpu(engine) => Ok(engine.add(batch, key, share)?),
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.add(batch, key, share),
            #[cfg(feature = "nccl")]
            Self::Cards(engine) => engine.add(batch, key, share),
        }
    }

    /// Moves the parameters, each at its rate, and ends the step; those without a rate stay.
    ///
    /// # Errors
    /// A device that fails.
    pub(crate) fn update(
        &mut self,
        rate: impl Fn(&Parameter) -> Option<Rate>,
    ) -> Result<(), TrainError> {
        match self {
            Self::Cpu(engine) => Ok(engine.update(rate)?),
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.update(rate),
            #[cfg(feature = "nccl")]
            Self::Cards(engine) => engine.update(rate),
        }
    }

    /// Whether the scores must be taken before the next step: always where they cost nothing.
    pub(crate) fn is_due(&self) -> bool {
        match self {
            Self::Cpu(_) => true,
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.is_full(),
            #[cfg(feature = "nccl")]
            Self::Cards(engine) => engine.is_full(),
        }
    }

    /// The scores of the steps since the last call, in their order.
    ///
    /// # Errors
    /// A device that fails.
    pub(crate) fn take(&mut self) -> Result<Vec<Seen>, TrainError> {
        match self {
            Self::Cpu(engine) => Ok(engine.take().into_iter().collect()),
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.take(),
            #[cfg(feature = "nccl")]
            Self::Cards(engine) => engine.take(),
        }
    }

    /// The logits of a batch, a row for each image, without dropout.
    ///
    /// # Errors
    /// A batch that does not fit the network, or a device that fails.
    pub(crate) fn logits(&mut self, batch: &Arc<Batch>) -> Result<Vec<Vec<f32>>, TrainError> {
        match self {
            Self::Cpu(engine) => Ok(engine.logits(batch)?),
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.logits(batch),
            #[cfg(feature = "nccl")]
            Self::Cards(engine) => engine.logits(batch),
        }
    }

    /// Network and optimiser as they are now, in this process's memory.
    ///
    /// # Errors
    /// A device that fails.
    pub(crate) fn host(&mut self) -> Result<(&Model, &Sgd), TrainError> {
        match self {
            Self::Cpu(engine) => Ok((&engine.model, &engine.sgd)),
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.host(),
            #[cfg(feature = "nccl")]
            Self::Cards(engine) => engine.host(),
        }
    }

    /// Network and optimiser as they were when the engine was made, or at the last
    /// [`host`](Self::host): names and sizes are those of now.
    pub(crate) fn model(&self) -> &Model {
        match self {
            Self::Cpu(engine) => &engine.model,
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.model(),
            #[cfg(feature = "nccl")]
            Self::Cards(engine) => engine.model(),
        }
    }

    /// The device in words, if it is another than this machine's processor.
    pub(crate) fn describe(&self) -> Option<String> {
        match self {
            Self::Cpu(_) => None,
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => Some(engine.describe()),
            #[cfg(feature = "nccl")]
            Self::Cards(engine) => Some(engine.describe()),
        }
    }

    /// What there is to tell about the device after the steps so far, once.
    pub(crate) fn news(&mut self) -> Option<String> {
        match self {
            Self::Cpu(_) => None,
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => engine.news(),
            #[cfg(feature = "nccl")]
            Self::Cards(engine) => engine.news(),
        }
    }
}
