//! Training steps on one or several GPUs of this machine.
//!
//! Each GPU has the whole network and computes some rows of every batch. NCCL sums the gradients over
//! the GPUs before the update, which all make alike, so that their parameters stay the same.

mod staged;

use std::sync::Arc;

use candle_core::{CudaDevice, Tensor};
use shardmill_loader::{Batch, Normalize, Output};

use crate::compute::{CudaOptions, DeviceSet, Precision};
use crate::cpu::Activations;
use crate::cuda::scores::{self, GradientMismatch};
use crate::cuda::{AsPixels, CudaError, Devices, Replica, STEPS, Slice};
use crate::engine::{Engine, EngineError};
use crate::net::sgd::Rate;
use crate::net::{
    BatchPlace, DropoutKey, Model, ModelError, Parameter, StepMetrics, TrainState, TrainStateRef,
};

/// The least number of images that each GPU has room for: ten views of one image.
const LEAST_ROWS: usize = 32;

/// A network and its optimizer on GPUs.
pub(crate) struct CudaEngine {
    /// Shared with the threads of the devices only during a call.
    state: Arc<TrainState>,
    devices: Devices,
    /// The numbers of the devices.
    numbers: Vec<usize>,
    /// The images of each step whose metrics are in GPU memory, the current one included.
    images: Vec<usize>,
    /// Whether the current step has begun.
    in_step: bool,
    /// Steps whose metrics were drained.
    drained: usize,
    /// Whether training has begun.
    is_training: bool,
    /// Whether the host's copy of the parameters is older than the devices'.
    is_stale: bool,
    is_memory_logged: bool,
    log_line: Option<String>,
    /// The GPUs in words.
    description: String,
    arithmetic: String,
    /// Images of a batch, at most.
    capacity: usize,
}

impl CudaEngine {
    /// An engine for batches of at most `rows` images.
    ///
    /// # Errors
    /// A GPU that is missing or unsuitable, more GPUs than rows, or GPUs that cannot be connected.
    pub(crate) fn new(
        options: CudaOptions,
        state: TrainState,
        rows: usize,
    ) -> Result<Self, CudaError> {
        let gpus = options.devices.len();
        #[cfg(feature = "nccl")]
        if gpus > 1 && rows < gpus {
            return Err(CudaError::FewRows { rows, gpus });
        }
        let capacity = rows.div_ceil(gpus).max(LEAST_ROWS);
        let state = Arc::new(state);
        let shared = Arc::clone(&state);
        let devices = Devices::open(options, move |device| {
            Replica::new(device, &shared, capacity)
        })?;
        Self::with(devices, options, state, capacity)
    }

    /// An engine on a candle device, for batches of at most `rows` images; always in f32, with cuDNN's deterministic
    /// algorithms.
    ///
    /// # Errors
    /// A GPU that is unsuitable, or a device whose stream is not the same on every thread.
    pub(crate) fn on(
        candle: &CudaDevice,
        state: TrainState,
        rows: usize,
    ) -> Result<Self, CudaError> {
        let number = candle.cuda_stream().context().ordinal();
        let options = CudaOptions {
            devices: DeviceSet::new(&[number]).expect("one GPU"),
            precision: Precision::F32,
            deterministic: true,
        };
        let replica = |device| Replica::new(device, &state, rows);
        let devices = Devices::on(candle, options, replica)?;
        Self::with(devices, options, Arc::new(state), rows)
    }

    /// An engine on devices that are open and have replicas of `state`, each for `capacity` images.
    fn with(
        mut devices: Devices,
        options: CudaOptions,
        state: Arc<TrainState>,
        capacity: usize,
    ) -> Result<Self, CudaError> {
        let numbers: Vec<usize> = options.devices.numbers().collect();
        Ok(Self {
            description: devices.describe(&numbers)?,
            arithmetic: arithmetic(options),
            capacity: capacity * numbers.len(),
            state,
            devices,
            numbers,
            images: Vec::new(),
            in_step: false,
            drained: 0,
            is_training: false,
            is_stale: false,
            is_memory_logged: false,
            log_line: None,
        })
    }

    /// The GPUs in words.
    pub(crate) fn devices(&self) -> &str {
        &self.description
    }

    /// Bytes of GPU memory, of each GPU.
    pub(crate) fn bytes(&mut self) -> Result<Vec<usize>, CudaError> {
        self.devices.on_all(|_, replica| Ok(replica.bytes()))
    }

    /// Free bytes of the first GPU's memory.
    pub(crate) fn free_memory(&mut self) -> Result<usize, CudaError> {
        let memory = |replica: &mut Replica| replica.device.memory();
        Ok(self.devices.on_first(memory)?.0)
    }

    /// [`accumulate`](Engine::accumulate), each GPU its slice, of a batch from the loader or elsewhere.
    pub(crate) fn accumulate_pixels(
        &mut self,
        batch: &Arc<impl AsPixels>,
        key: DropoutKey,
        share: Option<f32>,
    ) -> Result<(), EngineError> {
        let labels = batch.pixels().labels;
        self.state.model.check_labels(labels)?;
        let (rows, gpus) = (labels.len(), self.numbers.len());
        self.begin_training()?;
        let batch = Arc::clone(batch);
        self.devices.on_all(move |index, replica| {
            let slice = Slice::of(index, gpus, rows);
            replica.accumulate(batch.pixels(), slice, key, share)
        })?;
        self.count_images(rows);
        Ok(())
    }

    /// Counts the images of a batch of the current step.
    fn count_images(&mut self, rows: usize) {
        if !std::mem::replace(&mut self.in_step, true) {
            self.images.push(0);
        }
        *self.images.last_mut().expect("pushed above") += rows;
    }

    /// Allocates what training needs, the first time.
    fn begin_training(&mut self) -> Result<(), CudaError> {
        if !std::mem::replace(&mut self.is_training, true) {
            let (state, devices) = (Arc::clone(&self.state), &mut self.devices);
            devices.on_all(move |_, replica| {
                replica.network.begin_training(&state.sgd.velocities())
            })?;
        }
        Ok(())
    }

    /// The logits of a batch from the loader or elsewhere.
    pub(crate) fn logits_of_pixels(
        &mut self,
        batch: &Arc<impl AsPixels>,
    ) -> Result<Vec<Vec<f32>>, EngineError> {
        let config = self.state.model.config();
        let (rows, classes) = (batch.pixels().rows(config.input_size), config.classes);
        let (batch, gpus) = (Arc::clone(batch), self.numbers.len());
        let logits = self.devices.on_all(move |index, replica| {
            replica.logits(batch.pixels().unlabelled(), Slice::of(index, gpus, rows))
        })?;
        let logits = logits.concat();
        Ok(logits.chunks_exact(classes).map(<[f32]>::to_vec).collect())
    }

    /// The gradient of parameter `number` on the first GPU, in f32.
    pub(crate) fn read_gradient(&mut self, number: usize) -> Result<Vec<f32>, CudaError> {
        let devices = &mut self.devices;
        devices.on_first(move |replica| replica.network.read_gradient(number))
    }

    /// Waits until all queued work is done.
    pub(crate) fn synchronize(&mut self) -> Result<(), EngineError> {
        let devices = &mut self.devices;
        devices.on_all(|_, replica| replica.device.synchronize())?;
        Ok(())
    }

    /// Whether all GPUs have the same parameters and velocities, to the bit.
    #[cfg(feature = "nccl")]
    pub(crate) fn devices_agree(&mut self) -> Result<bool, CudaError> {
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        for number in 0..self.state.model.parameters().len() {
            let copies = self.devices.on_all(move |_, replica| {
                let velocity = replica.network.read_velocity(number)?;
                Ok((
                    bits(replica.network.read_values(number)?),
                    velocity.map(bits),
                ))
            })?;
            if copies.iter().any(|copy| *copy != copies[0]) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Engine for CudaEngine {
    fn output(&self) -> Output {
        Output::U8
    }

    fn evaluation_rows(&self) -> usize {
        self.capacity
    }

    fn set_normalization(&mut self, normalize: Normalize) -> Result<(), EngineError> {
        let devices = &mut self.devices;
        devices.on_all(move |_, replica| replica.uploads.set_normalization(normalize))?;
        Ok(())
    }

    fn freeze_features(&mut self, frozen: bool) -> Result<(), EngineError> {
        let devices = &mut self.devices;
        devices.on_all(move |_, replica| replica.network.freeze_features(frozen))?;
        Ok(())
    }

    fn accumulate(&mut self, batch: &Arc<Batch>, place: BatchPlace) -> Result<(), EngineError> {
        assert_eq!(place.first, 0, "GPUs are not shared by ranks");
        self.accumulate_pixels(batch, place.key, place.share)
    }

    /// Every GPU does the same.
    fn step(&mut self, rate: &dyn Fn(&Parameter) -> Option<Rate>) -> Result<(), EngineError> {
        let rates: Vec<Option<Rate>> = self.state.model.parameters().iter().map(rate).collect();
        let momentum = self.state.sgd.config().momentum;
        let devices = &mut self.devices;
        devices.on_all(move |_, replica| replica.step(momentum, &rates))?;
        self.in_step = false;
        self.is_stale = true;
        if !std::mem::replace(&mut self.is_memory_logged, true) {
            let gib = |&bytes: &usize| format!("{:.2}", bytes as f64 / f64::from(1 << 30));
            let each: Vec<String> = self.bytes()?.iter().map(gib).collect();
            self.log_line = Some(format!(
                "device memory {} GiB, taken in the first step and constant from here",
                each.join(" + ")
            ));
        }
        Ok(())
    }

    fn metrics_due(&self) -> bool {
        self.images.len() == STEPS
    }

    fn drain_metrics(&mut self) -> Result<Vec<StepMetrics>, EngineError> {
        if self.images.is_empty() {
            return Ok(Vec::new());
        }
        let numbers = self.devices.on_all(|_, replica| replica.drain_metrics())?;
        let images = std::mem::take(&mut self.images);
        let differ = |GradientMismatch { step, device }| CudaError::GradientsDiffer {
            step: self.drained + step + 1,
            first: self.numbers[0],
            other: self.numbers[device],
        };
        let metrics = scores::join(&images, &numbers).map_err(differ)?;
        self.drained += images.len();
        Ok(metrics)
    }

    fn activations(
        &mut self,
        batch: &Arc<Batch>,
        layers: &[usize],
    ) -> Result<Activations, EngineError> {
        if !layers.is_empty() {
            return Err(EngineError::OutputsOnly);
        }
        Ok(Activations {
            logits: self.logits_of_pixels(batch)?.concat(),
            layers: Vec::new(),
        })
    }

    fn inputs(&mut self, _: &Batch) -> Result<Vec<f32>, EngineError> {
        Err(EngineError::OutputsOnly)
    }

    fn activations_of(&mut self, _: &[f32], _: &[usize]) -> Result<Activations, EngineError> {
        Err(EngineError::OutputsOnly)
    }

    /// Those of the first GPU, which all have.
    fn parameters(&mut self) -> Result<Vec<Tensor>, EngineError> {
        let parameters = |replica: &mut Replica| Ok(replica.network.parameters());
        Ok(self.devices.on_first(parameters)?)
    }

    fn set_parameter(&mut self, number: usize, tensor: &Tensor) -> Result<(), EngineError> {
        if self.numbers.len() > 1 {
            let refused = "a parameter is set on one GPU, not on several".to_owned();
            return Err(CudaError::Unsupported(refused).into());
        }
        let tensor = tensor.clone();
        let set = move |replica: &mut Replica| replica.network.set_values(number, &tensor);
        self.devices.on_first(set)?;
        self.is_stale = true;
        Ok(())
    }

    /// On the first GPU.
    fn logits(&mut self, images: &Tensor) -> Result<Tensor, EngineError> {
        let images = images.clone();
        let logits = move |replica: &mut Replica| replica.network.logits_of(&images);
        Ok(self.devices.on_first(logits)?)
    }

    /// All GPUs have the first one's state.
    fn host_state(&mut self) -> Result<TrainStateRef<'_>, EngineError> {
        let state = Arc::get_mut(&mut self.state).expect("no device shares it between two calls");
        if self.is_stale {
            for (number, parameter) in state.model.parameters().iter().enumerate() {
                let devices = &mut self.devices;
                let values = devices.on_first(move |r| r.network.read_values(number))?;
                parameter
                    .update(|own| own.copy_from_slice(&values))
                    .map_err(ModelError::from)?;
                let velocity = devices.on_first(move |r| r.network.read_velocity(number))?;
                if let Some(velocity) = velocity {
                    state.sgd.velocity_mut(number).copy_from_slice(&velocity);
                }
            }
            self.is_stale = false;
        }
        Ok((&*self.state).into())
    }

    fn model(&self) -> &Model {
        &self.state.model
    }

    fn describe(&self) -> Option<String> {
        Some(format!("{}; {}", self.description, self.arithmetic))
    }

    /// The memory, after the first step has allocated it.
    fn take_log_line(&mut self) -> Option<String> {
        self.log_line.take()
    }
}

/// The arithmetic in words.
fn arithmetic(options: CudaOptions) -> String {
    let name = options.precision.name();
    let deterministic = if options.deterministic {
        ", deterministic"
    } else {
        ""
    };
    format!("{name}{deterministic}")
}
