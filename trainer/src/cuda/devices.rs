//! The GPUs of an engine: one on the caller's thread, or several on a thread each.

use std::ptr;
use std::rc::Rc;
#[cfg(feature = "nccl")]
use std::sync::Arc;
#[cfg(feature = "nccl")]
use std::time::Duration;

use candle_core::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::sys;
#[cfg(feature = "nccl")]
use candle_core::cuda_backend::cudarc::nccl::{self, Id};

use crate::compute::CudaOptions;
use crate::cuda::device::{CudaError, Device};
#[cfg(feature = "nccl")]
use crate::cuda::device::{DeviceThreads, ErrorContext, FailureFlag};
use crate::cuda::replica::Replica;

/// CUDA's name of the stream that every thread has for itself (`CU_STREAM_PER_THREAD`).
const PER_THREAD_STREAM: sys::CUstream = ptr::without_provenance_mut(2);

/// How long the other GPUs may take to stop after one has failed.
#[cfg(feature = "nccl")]
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The replicas of a network.
pub(crate) enum Devices {
    /// On the caller's thread, without NCCL.
    One(Box<Replica>),
    /// On a thread each, connected by NCCL.
    #[cfg(feature = "nccl")]
    Several(DeviceThreads<Replica>),
}

impl Devices {
    /// Opens the GPUs and makes a replica on each.
    ///
    /// # Errors
    /// A GPU that is missing or unsuitable, or GPUs that cannot be connected.
    pub(crate) fn open(
        options: CudaOptions,
        replica: impl Fn(Rc<Device>) -> Result<Replica, CudaError> + Send + Sync + 'static,
    ) -> Result<Self, CudaError> {
        let (precision, deterministic) = (options.precision, options.deterministic);
        let open = move |number| replica(Device::open(number, precision, deterministic)?);
        let mut numbers = options.devices.numbers();
        if options.devices.len() == 1 {
            let number = numbers.next().expect("there is one");
            return Ok(Self::One(Box::new(open(number)?)));
        }
        #[cfg(not(feature = "nccl"))]
        return Err(CudaError::NoNccl);
        #[cfg(feature = "nccl")]
        {
            let failure = Arc::new(FailureFlag::default());
            let mut threads =
                DeviceThreads::start(numbers, Arc::clone(&failure), STOP_TIMEOUT, open)?;
            let count = options.devices.len();
            let all: Vec<usize> = options.devices.numbers().collect();
            threads.on_all(move |_, replica| replica.device.open_memory_to(&all))?;
            let id = Id::new().context("prepare NCCL")?;
            threads.on_all(move |rank, replica| {
                let failure = Arc::clone(&failure);
                replica.device.connect(failure, id, rank, count)
            })?;
            Ok(Self::Several(threads))
        }
    }

    /// A replica on the GPU of a candle device, in the arithmetic of `options`.
    ///
    /// # Errors
    /// A GPU that is unsuitable, or a device whose stream is another one on every thread: what candle queues on one
    /// thread would have no order with the engine's work on another.
    pub(crate) fn on(
        candle: &CudaDevice,
        options: CudaOptions,
        replica: impl FnOnce(Rc<Device>) -> Result<Replica, CudaError>,
    ) -> Result<Self, CudaError> {
        if candle.cuda_stream().cu_stream() == PER_THREAD_STREAM {
            return Err(CudaError::Unsupported(
                "the device's stream is another one on every thread, and the network needs one for all; make the \
                 device with `Device::new_cuda_with_stream`"
                    .to_owned(),
            ));
        }
        let device = Device::on(candle, options.precision, options.deterministic)?;
        Ok(Self::One(Box::new(replica(device)?)))
    }

    /// Runs `work` on every replica, each given its index, and waits for the answers.
    ///
    /// # Errors
    /// The error of the first GPU that failed.
    pub(crate) fn on_all<T: Send + 'static>(
        &mut self,
        work: impl Fn(usize, &mut Replica) -> Result<T, CudaError> + Send + Sync + 'static,
    ) -> Result<Vec<T>, CudaError> {
        match self {
            Self::One(replica) => Ok(vec![work(0, replica)?]),
            #[cfg(feature = "nccl")]
            Self::Several(threads) => threads.on_all(work),
        }
    }

    /// The GPUs with these `numbers` in words.
    pub(crate) fn describe(&mut self, numbers: &[usize]) -> Result<String, CudaError> {
        let mut gpus = self.on_all(|_, replica| replica.device.describe())?;
        #[cfg(feature = "nccl")]
        if numbers.len() > 1 {
            let gpus = numbers.iter().zip(&gpus);
            let gpus: Vec<String> = gpus.map(|(n, gpu)| format!("cuda:{n} {gpu}")).collect();
            let (count, gpus) = (gpus.len(), gpus.join(", "));
            return Ok(format!("{count} GPUs, {gpus}; NCCL {}", nccl_version()?));
        }
        let _ = numbers;
        Ok(gpus.remove(0))
    }

    /// Runs `work` on the first replica.
    pub(crate) fn on_first<T: Send + 'static>(
        &mut self,
        work: impl Fn(&mut Replica) -> Result<T, CudaError> + Send + Sync + 'static,
    ) -> Result<T, CudaError> {
        match self {
            Self::One(replica) => work(replica),
            #[cfg(feature = "nccl")]
            Self::Several(threads) => {
                let mut answers = threads.on_first(1, move |_, replica| work(replica))?;
                Ok(answers.remove(0))
            }
        }
    }
}

#[cfg(feature = "nccl")]
impl Drop for Devices {
    /// Lets all GPUs finish before one leaves.
    fn drop(&mut self) {
        if let Self::Several(threads) = self {
            // An error has been reported, or nobody needs it any longer.
            let _ = threads.on_all(|_, replica| replica.device.synchronize());
        }
    }
}

/// NCCL's version, as in 2.28.9.
#[cfg(feature = "nccl")]
fn nccl_version() -> Result<String, CudaError> {
    let version = nccl::result::get_nccl_version().context("query NCCL's version")?;
    let (major, rest) = (version / 10_000, version % 10_000);
    Ok(format!("{major}.{}.{}", rest / 100, rest % 100))
}
