//! The network: its layers and their parameters.

use candle_core::{Device, Tensor};

use crate::net::config::ModelConfig;
use crate::net::layer::{self, Layer};
use crate::net::{ModelError, Parameter, ParameterKind, init};

/// A network's configuration, layers and parameters.
pub struct Model {
    config: ModelConfig,
    layers: Vec<Layer>,
    parameters: Vec<Parameter>,
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
                    let shape = vec![s.outputs, s.kernel, s.kernel, s.group_inputs()];
                    (&conv.name, shape)
                }
                Layer::Linear(linear) => (&linear.name, vec![linear.outputs, linear.inputs]),
                Layer::Lrn(_) | Layer::MapNorm(_) | Layer::Pool(_) | Layer::Dropout(_) => continue,
            };
            let std = init::weight_std(&config.init, name, config.width);
            let number = parameters.len() as u32;
            let weight = init::normal(seed, number, shape.iter().product(), std);
            let bias = vec![init::bias(&config.init, name); shape[0]];
            let bias_shape = vec![shape[0]];
            for (part, kind, values, shape) in [
                ("weight", ParameterKind::Weight, weight, shape),
                ("bias", ParameterKind::Bias, bias, bias_shape),
            ] {
                let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
                parameters.push(Parameter::new(format!("{name}.{part}"), kind, tensor));
            }
        }
        Ok(Self {
            config: config.clone(),
            layers,
            parameters,
        })
    }

    /// The configuration that the network was built from.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
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

    /// Replaces a parameter's values.
    ///
    /// # Errors
    /// An unknown name, another shape, or a tensor that candle cannot convert to f32 on the CPU.
    pub fn set_parameter(&mut self, name: &str, tensor: &Tensor) -> Result<(), ModelError> {
        let parameter = self.parameters.iter_mut().find(|p| p.name() == name);
        let parameter = parameter.ok_or_else(|| ModelError::UnknownParameter {
            name: name.to_owned(),
        })?;
        parameter.set(tensor)
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
