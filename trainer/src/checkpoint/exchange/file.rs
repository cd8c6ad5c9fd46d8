//! The exchanged file.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use shardmill_formats::Class;

use crate::checkpoint::exchange::{ExchangeError, MEAN_IMAGE, Naming};
use crate::checkpoint::{Checkpoint, PixelStatistics};
use crate::net::Model;
use crate::net::config::ModelConfig;
use crate::net::layer::Layer;
use crate::net::mean_image::MeanImage;
use crate::recipe::{InputScale, Mean};

/// The key of [`Described`] in the file's metadata.
const KEY: &str = "shardmill";

/// What an exported file says about its network, as JSON in the metadata under `shardmill`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Described {
    /// What the network is made of.
    pub model: ModelConfig,
    /// The classes.
    pub classes: Vec<Class>,
    /// Colours that pixels are shifted (and scaled) by.
    pub pixels: PixelStatistics,
    /// How.
    pub scale: InputScale,
    /// What is subtracted: `pixels.mean`, or the file's tensor [`MEAN_IMAGE`]. Older files have neither
    /// this value nor that tensor.
    #[serde(default)]
    pub mean: Mean,
}

/// Writes a checkpoint's parameters, and its mean image if it has one, to the new file `path`. Returns
/// the shape that the mean image has there.
///
/// # Errors
/// A network that the names do not fit, or a file that exists already.
pub fn export(
    checkpoint: &Checkpoint,
    naming: Naming,
    path: &Path,
) -> Result<Option<Vec<usize>>, ExchangeError> {
    naming.check(checkpoint.state.model.variant)?;
    let model = checkpoint.model()?;
    let features = Features::of(&model);
    let mut tensors = BTreeMap::new();
    let mean = checkpoint.mean_image()?;
    let mean = mean.map(|mean| to_chw(&mean.tensor()?));
    let mean = mean.transpose()?;
    let shape = mean.as_ref().map(|mean| mean.dims().to_vec());
    tensors.extend(mean.map(|mean| (MEAN_IMAGE.to_owned(), mean)));
    for parameter in model.parameters() {
        let tensor = features.to_nchw(parameter.name(), parameter.tensor())?;
        tensors.insert(naming.of(parameter.name()), tensor);
    }
    let state = &checkpoint.state;
    let described = Described {
        model: state.model.clone(),
        classes: state.classes.clone(),
        pixels: state.pixels,
        scale: state.recipe.scale,
        mean: state.recipe.mean,
    };
    let json = serde_json::to_string(&described).expect("plain data becomes JSON");
    let metadata = HashMap::from([(KEY.to_owned(), json)]);
    let bytes = safetensors::serialize(&tensors, Some(metadata)).map_err(|source| {
        ExchangeError::Format {
            path: path.into(),
            source,
        }
    })?;
    let failed = |source| ExchangeError::Io {
        action: "write",
        path: path.into(),
        source,
    };
    let mut file = File::create_new(path).map_err(failed)?;
    let written = file.write_all(&bytes).and_then(|()| file.sync_all());
    written.map_err(failed).inspect_err(|_| {
        // The first error is the one to report; the incomplete file is ours.
        let _ = fs::remove_file(path);
    })?;
    Ok(shape)
}

/// What an exchanged file holds.
pub struct Imported {
    /// The network.
    pub model: Model,
    /// The mean image that is subtracted from its inputs, if it has one.
    pub mean_image: Option<MeanImage>,
    /// What the file says about it, if it was exported here.
    pub described: Option<Described>,
}

/// Reads a network from `path`.
///
/// `config` says what the network is made of where the file does not; its number of classes is that of
/// the file's last layer in any case.
///
/// # Errors
/// A file that is missing, is no safetensors file, or does not hold exactly the network's tensors.
pub fn import(
    path: &Path,
    naming: Naming,
    config: &ModelConfig,
) -> Result<Imported, ExchangeError> {
    let bytes = fs::read(path).map_err(|source| ExchangeError::Io {
        action: "read",
        path: path.into(),
        source,
    })?;
    let format = |source| ExchangeError::Format {
        path: path.into(),
        source,
    };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(format)?;
    let json = header.metadata().as_ref().and_then(|map| map.get(KEY));
    let described: Option<Result<Described, _>> = json.map(|json| serde_json::from_str(json));
    let described = described.transpose();
    let described = described.map_err(|error| ExchangeError::Description {
        path: path.into(),
        reason: error.to_string(),
    })?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
    let tensor = |name: &str| {
        tensors.get(name).ok_or_else(|| {
            let mut known: Vec<&str> = tensors.keys().map(String::as_str).collect();
            known.sort_unstable();
            ExchangeError::Missing {
                path: path.into(),
                name: name.to_owned(),
                known: known.join(", "),
            }
        })
    };
    let config = described.as_ref().map_or(config, |found| &found.model);
    let last = naming.of(&format!("{}.bias", config.variant.last_layer()));
    let classes = tensor(&last)?.elem_count();
    let config = ModelConfig {
        classes,
        ..config.clone()
    };
    naming.check(config.variant)?;
    let mut model = Model::new(&config, 0)?;
    let cut = described.as_ref().and_then(|found| found.mean.cut());
    let mut mean_image = None;
    if let Some(cut) = cut {
        let values = tensor(MEAN_IMAGE)?;
        let wrong = || ExchangeError::MeanImage {
            path: path.into(),
            found: values.dims().to_vec(),
            crop: config.input_size,
        };
        if values.rank() != 3 {
            return Err(wrong());
        }
        let image = MeanImage::from_tensor(&to_hwc(values)?, cut, config.input_size)?;
        mean_image = Some(image.ok_or_else(wrong)?);
    }
    let parameters = model.parameters().iter();
    let foreign: Vec<String> = parameters.map(|p| naming.of(p.name())).collect();
    let known = |name: &String| foreign.contains(name) || (cut.is_some() && name == MEAN_IMAGE);
    if let Some(name) = tensors.keys().filter(|name| !known(name)).min() {
        return Err(ExchangeError::Unknown {
            path: path.into(),
            name: name.clone(),
        });
    }
    let features = Features::of(&model);
    model.load(|parameter| {
        let values = tensor(&naming.of(parameter.name()))?.to_dtype(DType::F32)?;
        let values = features.to_nhwc(parameter.name(), &values)?;
        Ok::<_, ExchangeError>(Some(values))
    })?;
    Ok(Imported {
        model,
        mean_image,
        described,
    })
}

/// An image as PyTorch has it, `[channels, height, width]`.
fn to_chw(image: &Tensor) -> candle_core::Result<Tensor> {
    image.permute((2, 0, 1))?.contiguous()
}

/// An image of PyTorch as it is here, `[height, width, channels]`.
fn to_hwc(image: &Tensor) -> candle_core::Result<Tensor> {
    image.permute((1, 2, 0))?.contiguous()
}

/// What the first fully connected layer sees.
#[derive(Clone, Debug)]
struct Features {
    /// The name of its weight.
    weight: String,
    /// Rows, columns and channels.
    shape: [usize; 3],
}

impl Features {
    fn of(model: &Model) -> Self {
        let layers = model.layers();
        let pool = layers.iter().rev().find_map(|layer| match layer {
            Layer::Pool(pool) => Some(pool.shape),
            _ => None,
        });
        let pool = pool.expect("every network has a pool");
        let is_linear = |layer: &&Layer| matches!(layer, Layer::Linear(_));
        let first = layers.iter().find(is_linear).expect("and a last layer");
        Self {
            weight: format!("{}.weight", first.name()),
            shape: [pool.output_height(), pool.output_width(), pool.channels],
        }
    }

    /// A parameter as PyTorch has it.
    fn to_nchw(&self, name: &str, tensor: &Tensor) -> candle_core::Result<Tensor> {
        let [height, width, channels] = self.shape;
        match *tensor.dims() {
            [_, _, _, _] => tensor.permute((0, 3, 1, 2))?.contiguous(),
            [outputs, inputs] if name == self.weight => tensor
                .reshape((outputs, height, width, channels))?
                .permute((0, 3, 1, 2))?
                .contiguous()?
                .reshape((outputs, inputs)),
            _ => Ok(tensor.clone()),
        }
    }

    /// A parameter of PyTorch as it is here.
    fn to_nhwc(&self, name: &str, tensor: &Tensor) -> candle_core::Result<Tensor> {
        let [height, width, channels] = self.shape;
        match *tensor.dims() {
            [_, _, _, _] => tensor.permute((0, 2, 3, 1))?.contiguous(),
            [outputs, inputs] if name == self.weight && inputs == height * width * channels => {
                tensor
                    .reshape((outputs, channels, height, width))?
                    .permute((0, 2, 3, 1))?
                    .contiguous()?
                    .reshape((outputs, inputs))
            }
            _ => Ok(tensor.clone()),
        }
    }
}
