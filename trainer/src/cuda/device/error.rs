//! What can go wrong on a card, with what was being done.

use candle_core::cuda_backend::cudarc;
use cudarc::cublas::result::CublasError;
use cudarc::cudnn::CudnnError;
use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;

use crate::net::ModelError;

/// What can go wrong on a card.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CudaError {
    /// A call into the driver or a library failed.
    #[error("cannot {action}: {reason}; `train doctor` says what this machine has")]
    Call {
        /// What was tried.
        action: &'static str,
        /// What came back.
        reason: String,
    },
    /// The card's memory is full.
    #[error(
        "the card's memory is full; use a smaller `--batch-size`, with `--accumulate` for the same \
         step, or `--precision bf16`"
    )]
    Memory,
    /// The card is older than the kernels.
    #[error(
        "{name} has compute capability {}.{}, and the kernels need {}.{} or newer; use \
         `--device cpu`", found.0, found.1, needed.0, needed.1
    )]
    Old {
        /// The card.
        name: String,
        /// Its capability.
        found: (i32, i32),
        /// The least that will do.
        needed: (i32, i32),
    },
    /// cuDNN has no algorithm for a layer.
    #[error(
        "cuDNN {version} has no algorithm for the {pass} pass of {shape} in {precision}; try another \
         `--precision`, leave out `--deterministic`, or use a newer cuDNN"
    )]
    NoAlgorithm {
        /// cuDNN's version.
        version: usize,
        /// `forward`, `data` or `filter`.
        pass: &'static str,
        /// The convolution.
        shape: String,
        /// The arithmetic.
        precision: &'static str,
    },
    /// Another card of the same run failed.
    #[cfg(feature = "nccl")]
    #[error("stopped, since another card failed")]
    Stopped,
    /// Something is wrong with a card's thread.
    #[cfg(feature = "nccl")]
    #[error("its thread {0}")]
    Thread(String),
    /// Some cards would have nothing to do.
    #[cfg(feature = "nccl")]
    #[error(
        "batches of {rows} images are too small for {cards} cards: each takes at least one; use fewer \
         cards, or a larger `--batch-size`"
    )]
    FewRows {
        /// Images of a batch.
        rows: usize,
        /// Cards.
        cards: usize,
    },
    /// Something failed on one of several cards.
    #[cfg(feature = "nccl")]
    #[error("cuda:{card}")]
    Card {
        /// The card's number.
        card: usize,
        /// What failed.
        source: Box<CudaError>,
    },
    /// Several cards do not have the same gradient any more.
    #[cfg(feature = "nccl")]
    #[error(
        "cuda:{first} and cuda:{card} had different gradients in step {step} of this process, though \
         NCCL gives the same sums to all; use cards of one kind, or another NCCL, and look at the cards \
         with `train gpu-check`"
    )]
    CardsParted {
        /// The step, counted from 1 since the process began.
        step: usize,
        /// The first card.
        first: usize,
        /// The one that differs.
        card: usize,
    },
    /// The network refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Something was asked for that a card does not do.
    #[error("{0}")]
    Unsupported(String),
}

#[cfg(feature = "nccl")]
impl crate::cuda::device::crew::Fault for CudaError {
    fn stopped() -> Self {
        Self::Stopped
    }

    fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped)
    }

    fn of_thread(what: String) -> Self {
        Self::Thread(what)
    }
}

#[cfg(feature = "nccl")]
impl From<crate::cuda::device::crew::Failed<CudaError>> for CudaError {
    fn from(failed: crate::cuda::device::crew::Failed<CudaError>) -> Self {
        Self::Card {
            card: failed.number,
            source: Box::new(failed.fault),
        }
    }
}

/// Says what was being done when a call failed.
pub(crate) trait Doing<T> {
    /// The result, with what was being done in its error.
    fn doing(self, action: &'static str) -> Result<T, CudaError>;
}

impl<T> Doing<T> for Result<T, DriverError> {
    fn doing(self, action: &'static str) -> Result<T, CudaError> {
        self.map_err(|error| match error.0 {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => CudaError::Memory,
            _ => call(action, &error),
        })
    }
}

impl<T> Doing<T> for Result<T, CudnnError> {
    fn doing(self, action: &'static str) -> Result<T, CudaError> {
        self.map_err(|error| call(action, &error))
    }
}

impl<T> Doing<T> for Result<T, CublasError> {
    fn doing(self, action: &'static str) -> Result<T, CudaError> {
        self.map_err(|error| call(action, &error))
    }
}

#[cfg(feature = "nccl")]
impl<T> Doing<T> for Result<T, cudarc::nccl::result::NcclError> {
    fn doing(self, action: &'static str) -> Result<T, CudaError> {
        self.map_err(|error| CudaError::Call {
            action,
            reason: format!(
                "{:?} (with NCCL_DEBUG=WARN in the environment NCCL says more)",
                error.0
            ),
        })
    }
}

fn call(action: &'static str, error: &dyn std::fmt::Debug) -> CudaError {
    CudaError::Call {
        action,
        reason: format!("{error:?}"),
    }
}
