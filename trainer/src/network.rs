//! The network on a candle device, for programs that go on in candle.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use shardmill_loader::Normalize;

use crate::checkpoint::Checkpoint;
use crate::engine::{self, Engine, EngineError};
use crate::net::config::ModelConfig;
use crate::net::mean_image::MeanImage;
use crate::net::sgd::SgdConfig;
use crate::net::{Model, ModelError, TrainState};
use crate::run::data;
use crate::run::error::TrainError;

/// Images that go through the network at once on a GPU, whose memory is allocated for as many.
const ROWS: usize = 128;

/// The network that [`train`](crate::train) trains, on a candle device: its parameters and logits are candle tensors.
///
/// It computes in f32 by the kernels of `train`, without candle's graph: no gradient leads through
/// [`logits`](Self::logits) ([`candle_ops`](crate::candle_ops) has the layers with gradients). The logits are those of
/// an evaluation by `train` of the same batches, bit for bit; on a GPU of one in f32 with `deterministic`.
///
/// ```
/// use candle_core::{D, Device, Tensor};
/// use shardmill_trainer::{ModelConfig, Network};
///
/// let config = ModelConfig { classes: 10, width: 0.1, input_size: 67, ..ModelConfig::alexnet() };
/// // On a GPU: `Device::new_cuda_with_stream(0)?`.
/// let device = Device::Cpu;
/// let mut network = Network::new(&config, 1, &device)?;
/// let images = Tensor::randn(0f32, 50.0, (4, 67, 67, 3), &device)?;
/// let logits = network.logits(&images)?;
/// assert_eq!(logits.dims(), [4, 10]);
/// assert_eq!(logits.argmax(D::Minus1)?.dims(), [4]);
///
/// let (name, bias) = network.parameters().last().unwrap();
/// assert_eq!((name.as_str(), bias.dims()), ("fc8.bias", &[10][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # On a GPU
///
/// The network takes context, stream and cuBLAS from the candle device. The device must have a stream of its own
/// ([`Device::new_cuda_with_stream`]); [`Device::new_cuda`] has one that is another on every thread, and is refused.
/// All work is queued on that stream, as that of candle's operations on these tensors is, so neither waits for the
/// other: the host waits when it reads values, and when algorithms are chosen for the first batch of a size. A program
/// that uses the memory of these tensors on a stream that it makes itself must order the two.
///
/// Memory for 128 images, and up to 1 GiB for cuDNN, is taken when the network is made. The network stays on the thread
/// that made it; tensors may go elsewhere, and may outlive it.
pub struct Network {
    engine: Box<dyn Engine>,
    device: Device,
    parameters: Vec<(String, Tensor)>,
    normalize: Normalize,
    /// The mean image's part at the centre, `[side, side, 3]`, as it is added to normalised pixels.
    difference: Option<Tensor>,
}

impl Network {
    /// A network with initial weights that depend on `seed` alone. [`normalize`](Self::normalize) leaves its pixels as
    /// they are.
    ///
    /// # Errors
    /// A configuration that describes no network, or a device on which it cannot be computed.
    pub fn new(config: &ModelConfig, seed: u64, device: &Device) -> Result<Self, TrainError> {
        let state = TrainState::new(Model::new(config, seed)?, SgdConfig::default());
        Self::on(device, state, Normalize::none(), None)
    }

    /// The network of a checkpoint, with the normalisation of its run.
    ///
    /// # Errors
    /// A file that is no checkpoint, or a device on which the network cannot be computed.
    pub fn from_checkpoint(path: impl AsRef<Path>, device: &Device) -> Result<Self, TrainError> {
        let checkpoint = Checkpoint::read(path.as_ref())?;
        let normalize = data::normalize(&checkpoint.state, 1.0);
        let crop = checkpoint.state.model.input_size;
        let mean = checkpoint.mean_image()?;
        let difference = mean.map(|mean| center(&mean, &normalize, crop, device));
        let state = TrainState::new(checkpoint.model()?, SgdConfig::default());
        Self::on(device, state, normalize, difference.transpose()?)
    }

    fn on(
        device: &Device,
        state: TrainState,
        normalize: Normalize,
        difference: Option<Tensor>,
    ) -> Result<Self, TrainError> {
        let mut engine = engine::on(device, state, ROWS)?;
        let tensors = engine.parameters()?;
        let names = engine.model().parameters().iter();
        let names = names.map(|parameter| parameter.name().to_owned());
        Ok(Self {
            parameters: names.zip(tensors).collect(),
            engine,
            device: device.clone(),
            normalize,
            difference,
        })
    }

    /// The network's configuration.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        self.engine.model().config()
    }

    /// The device that the network was made with.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The parameters with their names, `conv1.weight`, `conv1.bias`, ... `fc8.bias`: f32 tensors on the network's
    /// device, of the names, shapes and order of values of a checkpoint.
    ///
    /// The tensors are the network's own memory and no copies: they show every later change by
    /// [`set_parameter`](Self::set_parameter), which changes them in place; [`Tensor::copy`] keeps values. Change them
    /// through that function only. On a GPU the network holds conv1's weights in another order too, which candle's
    /// operations in place would leave as it was.
    #[must_use]
    pub fn parameters(&self) -> &[(String, Tensor)] {
        &self.parameters
    }

    /// Copies the values of `tensor`, f32 of the parameter's shape on the network's device, into a parameter.
    ///
    /// # Errors
    /// An unknown name, or a tensor of another shape, type or device.
    pub fn set_parameter(&mut self, name: &str, tensor: &Tensor) -> Result<(), TrainError> {
        let mut parameters = self.parameters.iter().enumerate();
        let found = parameters.find(|(_, (own, _))| own == name);
        let unknown = || ModelError::UnknownParameter {
            name: name.to_owned(),
        };
        let (number, (_, own)) = found.ok_or_else(unknown)?;
        let is_of_shape = tensor.dims() == own.dims();
        self.check(name, tensor, &[DType::F32], is_of_shape, || {
            format!("{:?}", own.dims())
        })?;
        let tensor = tensor.contiguous().map_err(ModelError::from)?;
        Ok(self.engine.set_parameter(number, &tensor)?)
    }

    /// The network's inputs for pixels of 0 to 255, u8 or f32 `[rows, side, side, 3]` with the channels red, green and
    /// blue: normalised as the run normalised its own, and minus the centre of the mean image if it has one. Sides are
    /// those of [`ModelConfig::input_size`]. The result is a new tensor, by candle's own operations.
    ///
    /// # Errors
    /// A tensor of another shape, type or device, or what candle reports.
    pub fn normalize(&self, pixels: &Tensor) -> Result<Tensor, TrainError> {
        self.check_images("pixels", pixels, &[DType::U8, DType::F32])?;
        let normalized = || {
            let of_channels = |values: [f32; 3]| Tensor::new(&values, &self.device);
            let [scale, offset] = data::scale_and_offset(&self.normalize).map(of_channels);
            let values = pixels.to_dtype(DType::F32)?;
            // Two roundings, as in the loader.
            let values = values.broadcast_mul(&scale?)?.broadcast_add(&offset?)?;
            match &self.difference {
                Some(difference) => values.broadcast_add(difference),
                None => Ok(values),
            }
        };
        Ok(normalized().map_err(ModelError::from)?)
    }

    /// The logits `[rows, classes]`, f32 on the network's device, of images `[rows, side, side, 3]`, f32 on that
    /// device: the network's inputs, as [`normalize`](Self::normalize) gives them. Dropout is off.
    ///
    /// A contiguous tensor is read where it lies; another one is copied first. The logits are a new tensor. Images go
    /// through in groups of at most 128, so that memory grows with their number by the logits alone.
    ///
    /// # Errors
    /// Images of another shape, type or device, or none; a GPU that fails.
    pub fn logits(&mut self, images: &Tensor) -> Result<Tensor, TrainError> {
        self.check_images("images", images, &[DType::F32])?;
        let images = images.contiguous().map_err(ModelError::from)?;
        Ok(self.engine.logits(&images)?)
    }

    /// Refuses what is no tensor of at least one image.
    fn check_images(
        &self,
        name: &str,
        images: &Tensor,
        types: &[DType],
    ) -> Result<(), EngineError> {
        let side = self.config().input_size;
        let is_of_shape = match *images.dims() {
            [rows, height, width, 3] => rows > 0 && [height, width] == [side; 2],
            _ => false,
        };
        self.check(name, images, types, is_of_shape, || {
            format!("[rows, {side}, {side}, 3], with at least one row")
        })
    }

    /// Refuses a tensor of another shape than `shape` says, of another type, or on another device.
    fn check(
        &self,
        name: &str,
        tensor: &Tensor,
        types: &[DType],
        is_of_shape: bool,
        shape: impl FnOnce() -> String,
    ) -> Result<(), EngineError> {
        let (found, expected) = if !is_of_shape {
            (format!("shape {:?}", tensor.dims()), shape())
        } else if !types.contains(&tensor.dtype()) {
            let types: Vec<&str> = types.iter().map(DType::as_str).collect();
            (
                format!("values of type {}", tensor.dtype().as_str()),
                types.join(" or "),
            )
        } else if !tensor.device().same_device(&self.device) {
            (
                format!("a tensor on {:?}", tensor.device().location()),
                format!("one on its own device, {:?}", self.device.location()),
            )
        } else {
            return Ok(());
        };
        Err(EngineError::Tensor {
            tensor: name.to_owned(),
            found,
            expected,
        })
    }
}

/// What the centre of a mean image adds to normalised pixels of `crop` pixels a side: `[crop, crop, 3]`.
fn center(
    mean: &MeanImage,
    normalize: &Normalize,
    crop: usize,
    device: &Device,
) -> Result<Tensor, ModelError> {
    let side = mean.side();
    // Rounded down, as the loader's centre view is.
    let middle = (side - crop) / 2;
    let whole = Tensor::from_vec(mean.difference(normalize), (side, side, 3), &Device::Cpu)?;
    let part = whole.narrow(0, middle, crop)?.narrow(1, middle, crop)?;
    Ok(part.contiguous()?.to_device(device)?)
}
