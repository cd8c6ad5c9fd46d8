//! Chooses the machine that trains: the CPU or GPUs, behind one trait.
//!
//! A step is one or more calls of [`Engine::accumulate`], each with a batch, and one of
//! [`Engine::step`]. Its metrics come out of [`Engine::drain_metrics`]: at once on the CPU; a GPU
//! works on while the host runs ahead, and is read when somebody asks.

mod among;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use std::sync::Arc;

use candle_core::{Device, Tensor};
use shardmill_loader::{Batch, Normalize, Output};

use crate::compute::Compute;
use crate::cpu::Activations;
#[cfg(feature = "cuda")]
use crate::cuda::CudaError;
use crate::net::layer::Layer;
use crate::net::sgd::Rate;
use crate::net::{
    BatchPlace, Model, ModelError, Parameter, StepMetrics, TrainState, TrainStateRef,
};
use crate::ranks::{RankError, Ranks};
use cpu::CpuEngine;

#[cfg(feature = "cuda")]
pub(crate) use self::cuda::CudaEngine;

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
    /// A layer that no GPU computes here.
    #[error(
        "{layer} of this network is an average pool, or a pool whose windows are cut at the border: \
         train computes such pools on the CPU only; use `--device cpu`"
    )]
    CpuOnly {
        /// The first such layer.
        layer: String,
    },
    /// Kernels are limited on the CPU alone.
    #[error(
        "kernel_radius is applied on the CPU only; use `--device cpu`, or leave it out with \
         `--set kernel_radius=none`"
    )]
    KernelRadius,
    /// Only the CPU can give the outputs of layers before the last, and take changed images.
    #[error(
        "a GPU gives only the network's outputs for whole images so far, and not those of the layers before; \
         use `--device cpu`"
    )]
    OutputsOnly,
    /// A candle device on which no network is computed.
    #[error(
        "a network is computed on the CPU, or on a CUDA device in a build with the feature `cuda`; this device is \
         {device}"
    )]
    Device {
        /// Candle's name of it.
        device: String,
    },
    /// A tensor that the network cannot take.
    #[error("{tensor}: {found} where the network needs {expected}")]
    Tensor {
        /// What it was given as: `images`, or a parameter's name.
        tensor: String,
        /// What it is.
        found: String,
        /// What is needed.
        expected: String,
    },
    /// The network refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The ranks cannot go on together.
    #[error(transparent)]
    Rank(#[from] RankError),
    /// A GPU, its driver or one of its libraries refused.
    #[cfg(feature = "cuda")]
    #[error(transparent)]
    Cuda(#[from] CudaError),
}

/// An engine for batches of at most `rows` images, which keeps the root mean square of every trained
/// convolution's kernels to `kernel_radius`, if that is given.
///
/// # Errors
/// A device that this build or this machine does not have, or that does not compute such a network.
pub(crate) fn open(
    compute: Compute,
    state: TrainState,
    rows: usize,
    kernel_radius: Option<f64>,
) -> Result<Box<dyn Engine>, EngineError> {
    open_among(&Ranks::single(), compute, state, rows, kernel_radius)
}

/// [`open`] for one of several ranks: every step is made of all ranks' batches, and the metrics are of all.
///
/// # Errors
/// As [`open`], and ranks that are to use GPUs.
pub(crate) fn open_among(
    ranks: &Ranks,
    compute: Compute,
    state: TrainState,
    rows: usize,
    kernel_radius: Option<f64>,
) -> Result<Box<dyn Engine>, EngineError> {
    if let Compute::Cuda(_) = compute {
        if !ranks.is_alone() {
            return Err(RankError::Gpu { size: ranks.size() }.into());
        }
        check_gpu(&state.model)?;
        if kernel_radius.is_some() {
            return Err(EngineError::KernelRadius);
        }
    }
    match compute {
        Compute::Cpu => {
            let engine = CpuEngine::new(state, kernel_radius, ranks.clone());
            Ok(Box::new(engine))
        }
        #[cfg(feature = "cuda")]
        Compute::Cuda(options) => Ok(Box::new(CudaEngine::new(options, state, rows)?)),
        #[cfg(not(feature = "cuda"))]
        Compute::Cuda(_) => {
            let _ = (state, rows);
            Err(EngineError::NoCuda)
        }
    }
}

/// An engine on a candle device that computes in f32, for batches of at most `rows` images on a GPU.
///
/// # Errors
/// A device on which no network is computed, or not this one.
pub(crate) fn on(
    device: &Device,
    state: TrainState,
    rows: usize,
) -> Result<Box<dyn Engine>, EngineError> {
    match device {
        Device::Cpu => Ok(Box::new(CpuEngine::new(state, None, Ranks::single()))),
        #[cfg(feature = "cuda")]
        Device::Cuda(candle) => {
            check_gpu(&state.model)?;
            Ok(Box::new(CudaEngine::on(candle, state, rows)?))
        }
        other => {
            let _ = rows;
            Err(EngineError::Device {
                device: format!("{:?}", other.location()),
            })
        }
    }
}

/// Refuses a network that only the CPU computes.
///
/// # Errors
/// [`EngineError::CpuOnly`] with the first layer that is the reason.
pub(crate) fn check_gpu(model: &Model) -> Result<(), EngineError> {
    let reason = model.layers().iter().find(|layer| layer.is_cpu_only());
    match reason.map(Layer::name) {
        Some(layer) => Err(EngineError::CpuOnly {
            layer: layer.to_owned(),
        }),
        None => Ok(()),
    }
}

/// A network with its optimiser on some machine. Errors are of a device that fails; and of a batch that
/// does not fit the network, where there is one.
pub(crate) trait Engine {
    /// The form in which it takes images from the loader.
    fn output(&self) -> Output;

    /// Images that a batch for evaluation should have.
    fn evaluation_rows(&self) -> usize;

    /// Sets how the images of the coming batches are normalised; the loader does it for the CPU.
    fn set_normalization(&mut self, normalize: Normalize) -> Result<(), EngineError>;

    /// Turns the backward pass of the convolutions off or on.
    fn freeze_features(&mut self, frozen: bool) -> Result<(), EngineError>;

    /// Computes the gradient of a batch, or of this rank's part of one, which has a share and may be empty.
    fn accumulate(&mut self, batch: &Arc<Batch>, place: BatchPlace) -> Result<(), EngineError>;

    /// Updates the parameters, each at its rate, and ends the step; those without a rate stay. All ranks must do
    /// so: their gradients are summed first.
    fn step(&mut self, rate: &dyn Fn(&Parameter) -> Option<Rate>) -> Result<(), EngineError>;

    /// Whether the metrics must be drained before the next step: always where that costs nothing.
    fn metrics_due(&self) -> bool;

    /// The metrics of the steps since the last call, in their order.
    fn drain_metrics(&mut self) -> Result<Vec<StepMetrics>, EngineError>;

    /// The logits of a batch and, in the same pass, the outputs of the layers of these numbers, without
    /// dropout. An engine that has only the logits refuses every layer.
    fn activations(
        &mut self,
        batch: &Arc<Batch>,
        layers: &[usize],
    ) -> Result<Activations, EngineError>;

    /// The images of a batch as the network sees them, NHWC.
    fn inputs(&mut self, batch: &Batch) -> Result<Vec<f32>, EngineError>;

    /// [`activations`](Self::activations) of images that were changed after [`inputs`](Self::inputs).
    fn activations_of(
        &mut self,
        inputs: &[f32],
        layers: &[usize],
    ) -> Result<Activations, EngineError>;

    /// The parameters in the order of the model's, f32 tensors on the engine's device (the first one's, of several):
    /// their memory is the engine's, and every step changes it in place.
    fn parameters(&mut self) -> Result<Vec<Tensor>, EngineError>;

    /// Replaces the values of parameter `number` by those of a contiguous f32 tensor of its shape on the engine's
    /// device, of which there must be one.
    fn set_parameter(&mut self, number: usize, tensor: &Tensor) -> Result<(), EngineError>;

    /// The logits `[rows, classes]`, f32, of images as the network sees them, without dropout. The images are a
    /// contiguous f32 tensor `[rows, height, width, 3]` on the engine's device, and are read where they lie.
    fn logits(&mut self, images: &Tensor) -> Result<Tensor, EngineError>;

    /// The state as it is now, copied from the device to host memory where that is needed.
    fn host_state(&mut self) -> Result<TrainStateRef<'_>, EngineError>;

    /// The network with the weights that it had when the engine was made, or at the last
    /// [`host_state`](Self::host_state); names and sizes never change.
    fn model(&self) -> &Model;

    /// The device in words; `None` for the CPU.
    fn describe(&self) -> Option<String>;

    /// A line for the log about the device, once, after the first step.
    fn take_log_line(&mut self) -> Option<String>;
}
