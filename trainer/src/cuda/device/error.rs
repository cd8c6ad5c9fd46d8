//! What can go wrong on a card, with what was being done.

use candle_core::cuda_backend::cudarc;
use cudarc::cublas::result::CublasError;
use cudarc::cudnn::CudnnError;
use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;

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
    /// Something was asked for that a card does not do.
    #[error("{0}")]
    Unsupported(String),
}

#[cfg(feature = "nccl")]
impl crate::engine::Fault for CudaError {
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
