//! The network: parameters, a training step, and logits for evaluation.

pub mod config;
mod error;
mod init;
pub mod layer;
pub(crate) mod mean_image;
mod parameter;
pub(crate) mod scores;
pub mod sgd;
pub mod shape;
mod state;
mod step;

use candle_core::{Device, Tensor};

use crate::cpu::passes::Buffers;
use crate::net::config::ModelConfig;
use layer::Layer;

pub use error::ModelError;
pub use parameter::{Parameter, ParameterKind};
pub use state::TrainState;
pub(crate) use step::StepMetrics;
pub use step::{DropoutKey, MaskKey, Masks, StepOutput};

/// A network with its parameters and their gradients.
pub struct Model {
    config: ModelConfig,
    layers: Vec<Layer>,
    parameters: Vec<Parameter>,
    pub(crate) gradients: Vec<Vec<f32>>,
    pub(crate) buffers: Buffers,
    pub(crate) features_frozen: bool,
}

/// Consecutive layers and the values of their parameters.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) layers: &'a [Layer],
    pub(crate) parameters: &'a [&'a [f32]],
}

impl Part<'_> {
    /// Values per image that come out of the last layer.
    pub(crate) fn output_len(&self) -> usize {
        self.layers.last().map_or(0, Layer::output_len)
    }
}

impl Model {
    /// Builds the network with initial weights that depend on `seed` alone.
    ///
    /// # Errors
    /// A configuration that describes no network.
    pub fn new(config: &ModelConfig, seed: u64) -> Result<Self, ModelError> {
        let layers = layer::layers(config)?;
        let mut parameters = Vec::new();
        for layer in &layers {
            let (name, shape) = match layer {
                Layer::Conv(conv) => {
                    let s = &conv.shape;
                    (
                        &conv.name,
                        vec![s.outputs, s.kernel, s.kernel, s.group_inputs()],
                    )
                }
                Layer::Linear(linear) => (&linear.name, vec![linear.outputs, linear.inputs]),
                Layer::Lrn(_) | Layer::MapNorm(_) | Layer::Pool(_) | Layer::Dropout(_) => continue,
            };
            let std = init::weight_std(&config.init, name, config.width);
            let number = parameters.len() as u32;
            let weight = init::normal(seed, number, shape.iter().product(), std);
            let bias = vec![init::bias(&config.init, name); shape[0]];
            let outputs = shape[0];
            for (part, kind, values, shape) in [
                ("weight", ParameterKind::Weight, weight, shape),
                ("bias", ParameterKind::Bias, bias, vec![outputs]),
            ] {
                parameters.push(Parameter {
                    name: format!("{name}.{part}"),
                    kind,
                    tensor: Tensor::from_vec(values, shape, &Device::Cpu)?,
                });
            }
        }
        let gradients = parameters.iter().map(|p| vec![0.0; p.len()]).collect();
        Ok(Self {
            config: config.clone(),
            layers,
            parameters,
            gradients,
            buffers: Buffers::default(),
            features_frozen: false,
        })
    }

    /// The configuration that the network was built from.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Leaves out the backward pass of the convolutions, whose gradients then stay 0, or takes it up
    /// again.
    pub fn freeze_features(&mut self, frozen: bool) {
        self.features_frozen = frozen;
        self.gradients
            .iter_mut()
            .for_each(|gradient| gradient.fill(0.0));
    }

    /// The layers in order.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The parameters, in the order of the layers, each layer's weight before its bias.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The gradients of the last step's mean loss, in the order of [`parameters`](Self::parameters).
    #[must_use]
    pub fn gradients(&self) -> &[Vec<f32>] {
        &self.gradients
    }

    /// Exchanges the gradients with tensors of the same lengths.
    pub(crate) fn swap_gradients(&mut self, gradients: &mut Vec<Vec<f32>>) {
        debug_assert!(
            gradients
                .iter()
                .map(Vec::len)
                .eq(self.gradients.iter().map(Vec::len))
        );
        std::mem::swap(&mut self.gradients, gradients);
    }

    /// Replaces a parameter's values.
    ///
    /// # Errors
    /// An unknown name, another shape, or a tensor that candle cannot convert to f32 on the CPU.
    pub fn set_parameter(&mut self, name: &str, tensor: &Tensor) -> Result<(), ModelError> {
        let Some(parameter) = self.parameters.iter_mut().find(|p| p.name == name) else {
            return Err(ModelError::UnknownParameter {
                name: name.to_owned(),
            });
        };
        if tensor.dims() != parameter.tensor.dims() {
            return Err(ModelError::ParameterShape {
                name: name.to_owned(),
                found: tensor.dims().to_vec(),
                expected: parameter.tensor.dims().to_vec(),
            });
        }
        let values = tensor
            .flatten_all()?
            .to_dtype(candle_core::DType::F32)?
            .to_vec1::<f32>()?;
        parameter.tensor = Tensor::from_vec(values, tensor.dims(), &Device::Cpu)?;
        Ok(())
    }

    /// Checks that every label names a class of the network.
    ///
    /// # Errors
    /// The first that does not.
    pub(crate) fn check_labels(&self, labels: &[i64]) -> Result<(), ModelError> {
        let classes = self.config.classes;
        for (row, &label) in labels.iter().enumerate() {
            if !usize::try_from(label).is_ok_and(|label| label < classes) {
                return Err(ModelError::Label {
                    row,
                    label,
                    classes,
                });
            }
        }
        Ok(())
    }
}
