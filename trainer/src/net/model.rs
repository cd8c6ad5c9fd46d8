//! The network: its layers and their parameters, with the initial values of `alexnet.md`, section 2.

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use shardmill_formats::{Philox, Stream};

use crate::net::config::{InitConfig, ModelConfig};
use crate::net::layer::{self, Layer};
use crate::net::{ModelError, Parameter, ParameterKind};

/// Values drawn from one counter: each block of four words gives two normal deviates.
const PER_BLOCK: usize = 2;

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
            let std = weight_std(&config.init, name, config.width);
            let number = parameters.len() as u32;
            let weight = normals(seed, number, shape.iter().product(), std);
            let bias = vec![initial_bias(&config.init, name); shape[0]];
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

    /// Replaces the values of every parameter for which `tensor` gives some.
    ///
    /// # Errors
    /// Those of `tensor`; another shape, or a tensor that candle cannot convert to f32 on the CPU.
    pub(crate) fn load<E: From<ModelError>>(
        &mut self,
        tensor: impl Fn(&Parameter) -> Result<Option<Tensor>, E>,
    ) -> Result<(), E> {
        for parameter in &mut self.parameters {
            if let Some(tensor) = tensor(parameter)? {
                parameter.set(&tensor)?;
            }
        }
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

/// Standard deviation of a layer's weights in a network of `width` times the paper's channels.
///
/// A narrow layer sums fewer inputs; dividing by `sqrt(width)` keeps the size of its output. conv1's
/// inputs are the image's channels whatever the width.
fn weight_std(init: &InitConfig, layer: &str, width: f64) -> f64 {
    match layer {
        "conv1" => init.std_conv1.unwrap_or(init.std),
        "conv3" | "conv4" | "conv5" => init.std_middle / width.sqrt(),
        _ => init.std / width.sqrt(),
    }
}

/// Initial value of a layer's biases: not 0 where a ReLU should start in its positive part.
fn initial_bias(init: &InitConfig, layer: &str) -> f32 {
    match layer {
        "conv2" | "conv4" | "conv5" | "fc6" | "fc7" => init.bias,
        _ => 0.0,
    }
}

/// `len` deviates of mean 0 and the given standard deviation for parameter number `parameter`; a
/// value depends on (seed, parameter, position) alone.
fn normals(seed: u64, parameter: u32, len: usize, std: f64) -> Vec<f32> {
    let philox = Philox::new(seed, Stream::Init);
    let mut values = vec![0.0; len];
    values
        .par_chunks_mut(1 << 14)
        .enumerate()
        .for_each(|(chunk, values)| {
            let first = chunk << 13;
            for (i, pair) in values.chunks_mut(PER_BLOCK).enumerate() {
                let deviates = Philox::normals(philox.block((first + i) as u64, parameter));
                for (value, deviate) in pair.iter_mut().zip(deviates) {
                    *value = (deviate * std) as f32;
                }
            }
        });
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviates_have_the_asked_mean_and_spread() {
        let values = normals(1, 0, 200_001, 0.01);
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 1e-4, "mean {mean}");
        assert!(
            (variance.sqrt() - 0.01).abs() < 1e-4,
            "std {}",
            variance.sqrt()
        );
        // The fourth moment tells a normal deviate (3) from a uniform one (1.8).
        let fourth = values.iter().map(|&v| f64::from(v).powi(4)).sum::<f64>() / n;
        assert!((fourth / variance.powi(2) - 3.0).abs() < 0.1);
    }

    #[test]
    fn a_value_depends_on_its_position_alone() {
        let long = normals(7, 3, 50_000, 1.0);
        let short = normals(7, 3, 20_001, 1.0);
        assert_eq!(long[..20_001], short[..]);
        assert_ne!(normals(7, 4, 8, 1.0), long[..8]);
        assert_ne!(normals(8, 3, 8, 1.0), long[..8]);
    }
}
