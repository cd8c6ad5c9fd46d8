//! What can go wrong on a GPU, with what was attempted.

use candle_core::cuda_backend::cudarc;
use cudarc::cublas::result::CublasError;
use cudarc::cudnn::CudnnError;
use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;

#[cfg(feature = "nccl")]
use crate::cuda::device::threads::DeviceError;
use crate::net::ModelError;

/// What can go wrong on a GPU.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CudaError {
    /// A call into the driver or a library failed.
    #[error("cannot {action}: {reason}; `train doctor` says what this machine has")]
    Call {
        /// What was attempted.
        action: &'static str,
        /// What came back.
        reason: String,
    },
    /// The GPU's memory is full.
    #[error(
        "the GPU's memory is full; use a smaller `--batch-size`, with `--accumulate` for the same \
         step, or `--precision bf16`"
    )]
    Memory,
    /// The GPU is too old for the kernels.
    #[error(
        "{name} has compute capability {}.{}, and the kernels need {}.{} or newer; use \
         `--device cpu`", found.0, found.1, needed.0, needed.1
    )]
    Old {
        /// The GPU.
        name: String,
        /// Its capability.
        found: (i32, i32),
        /// The least capability that is enough.
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
        /// Why the last candidate did not work, if there was one.
        source: Option<Box<CudaError>>,
    },
    /// The build cannot use several GPUs.
    #[cfg(not(feature = "nccl"))]
    #[error(
        "this build of train uses one GPU; name one with `--device cuda:N`, or build it with \
         `cargo build --release --features nccl -p shardmill-trainer`, which needs NCCL beside CUDA"
    )]
    NoNccl,
    /// Another GPU of the same run failed.
    #[cfg(feature = "nccl")]
    #[error("stopped because another GPU failed")]
    Stopped,
    /// The thread of a GPU failed.
    #[cfg(feature = "nccl")]
    #[error("its thread {0}")]
    Thread(String),
    /// Some GPUs would have nothing to do.
    #[cfg(feature = "nccl")]
    #[error(
        "batches of {rows} images are too small for {gpus} GPUs: each takes at least one; use fewer \
         GPUs, or a larger `--batch-size`"
    )]
    FewRows {
        /// Images of a batch.
        rows: usize,
        /// GPUs.
        gpus: usize,
    },
    /// One of several GPUs failed.
    #[cfg(feature = "nccl")]
    #[error("cuda:{number}")]
    Device {
        /// The GPU's number.
        number: usize,
        /// What failed.
        source: Box<CudaError>,
    },
    /// The GPUs no longer have the same gradient.
    #[error(
        "cuda:{first} and cuda:{other} had different gradients in step {step} of this process, though \
         NCCL gives the same sums to all; use GPUs of one kind, or another NCCL, and check the GPUs \
         with `train gpu-check`"
    )]
    GradientsDiffer {
        /// The step, counted from 1 since the process began.
        step: usize,
        /// The first GPU.
        first: usize,
        /// The one that differs.
        other: usize,
    },
    /// The network refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A request that the GPU cannot serve.
    #[error("{0}")]
    Unsupported(String),
}

#[cfg(feature = "nccl")]
impl DeviceError for CudaError {
    fn stopped() -> Self {
        Self::Stopped
    }

    fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped)
    }

    fn of_thread(what: String) -> Self {
        Self::Thread(what)
    }

    fn of_device(self, number: usize) -> Self {
        Self::Device {
            number,
            source: Box::new(self),
        }
    }
}

/// Adds to a failed call what was attempted.
pub(crate) trait ErrorContext<T> {
    /// The result, whose error names the action.
    fn context(self, action: &'static str) -> Result<T, CudaError>;
}

impl<T> ErrorContext<T> for Result<T, DriverError> {
    fn context(self, action: &'static str) -> Result<T, CudaError> {
        self.map_err(|error| match error.0 {
            CUresult::CUDA_ERROR_OUT_OF_MEMORY => CudaError::Memory,
            _ => call(action, &error),
        })
    }
}

impl<T> ErrorContext<T> for Result<T, candle_core::Error> {
    fn context(self, action: &'static str) -> Result<T, CudaError> {
        self.map_err(|error| CudaError::Call {
            action,
            reason: error.to_string(),
        })
    }
}

impl<T> ErrorContext<T> for Result<T, CudnnError> {
    fn context(self, action: &'static str) -> Result<T, CudaError> {
        self.map_err(|error| call(action, &error))
    }
}

impl<T> ErrorContext<T> for Result<T, CublasError> {
    fn context(self, action: &'static str) -> Result<T, CudaError> {
        self.map_err(|error| call(action, &error))
    }
}

#[cfg(feature = "nccl")]
impl<T> ErrorContext<T> for Result<T, cudarc::nccl::result::NcclError> {
    fn context(self, action: &'static str) -> Result<T, CudaError> {
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
