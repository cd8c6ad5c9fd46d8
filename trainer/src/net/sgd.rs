//! Stochastic gradient descent with momentum and weight decay: its constants and its state.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::net::{Model, ModelError, Parameter, ParameterKind};

/// Prefix of the optimiser's tensors in a checkpoint.
const PREFIX: &str = "velocity.";

/// The constants of the update rule; [`Default`] is the authors' source.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// The share of the velocity kept at each step (the paper, section 5).
    pub momentum: f32,
    /// Weight decay per unit of learning rate (the paper, section 5).
    pub weight_decay: f32,
    /// Learning rate of biases over that of weights (the authors' source; 1 is the paper's rule).
    pub bias_lr_factor: f32,
    /// Learning rate of biases whatever that of weights is; net 145 had 0.02 throughout.
    pub bias_lr: Option<f32>,
    /// Whether biases decay as weights do (the paper's rule; the authors' source leaves them out).
    pub bias_decay: bool,
}

impl Default for SgdConfig {
    fn default() -> Self {
        Self {
            momentum: 0.9,
            weight_decay: 5e-4,
            bias_lr_factor: 2.0,
            bias_lr: None,
            bias_decay: false,
        }
    }
}

/// How one parameter moves at one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// The learning rate.
    pub lr: f32,
    /// Weight decay per unit of it.
    pub decay: f32,
}

impl SgdConfig {
    /// The rate of a parameter of this kind where that of weights is `lr`.
    #[must_use]
    pub fn rate(&self, kind: ParameterKind, lr: f32) -> Rate {
        match kind {
            ParameterKind::Weight => Rate {
                lr,
                decay: self.weight_decay,
            },
            ParameterKind::Bias => Rate {
                lr: self.bias_lr.unwrap_or(lr * self.bias_lr_factor),
                decay: if self.bias_decay {
                    self.weight_decay
                } else {
                    0.0
                },
            },
        }
    }

    /// The rates of all parameters where that of weights is `lr`.
    pub fn rates(self, lr: f32) -> impl Fn(&Parameter) -> Option<Rate> {
        move |parameter| Some(self.rate(parameter.kind(), lr))
    }
}

/// The optimiser's state: the velocities of `v <- momentum v - decay lr w - lr g; w <- w + v`.
pub struct Sgd {
    config: SgdConfig,
    velocities: Vec<Velocity>,
}

struct Velocity {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Sgd {
    /// The state before the first step for `model`'s parameters.
    #[must_use]
    pub fn new(model: &Model, config: SgdConfig) -> Self {
        let velocities = model.parameters().iter().map(|p| Velocity {
            name: format!("{PREFIX}{}", p.name()),
            shape: p.tensor().dims().to_vec(),
            values: vec![0.0; p.len()],
        });
        Self {
            config,
            velocities: velocities.collect(),
        }
    }

    /// The constants.
    #[must_use]
    pub fn config(&self) -> &SgdConfig {
        &self.config
    }

    /// The state as named tensors, `velocity.conv1.weight` and so on, in the parameters' order.
    ///
    /// # Errors
    /// What candle reports.
    pub fn state(&self) -> Result<Vec<(String, Tensor)>, ModelError> {
        let tensor = |v: &Velocity| {
            let tensor = Tensor::from_slice(&v.values, v.shape.clone(), &Device::Cpu)?;
            Ok((v.name.clone(), tensor))
        };
        self.velocities.iter().map(tensor).collect()
    }

    /// The velocities' values, in the parameters' order.
    #[cfg(feature = "cuda")]
    pub(crate) fn velocities(&self) -> Vec<&[f32]> {
        self.velocities.iter().map(|v| &*v.values).collect()
    }

    /// The velocity of parameter `number`.
    pub(crate) fn velocity_mut(&mut self, number: usize) -> &mut [f32] {
        &mut self.velocities[number].values
    }

    /// Restores one tensor of [`state`](Self::state).
    ///
    /// # Errors
    /// An unknown name, or another shape.
    pub fn set_state(&mut self, name: &str, tensor: &Tensor) -> Result<(), ModelError> {
        let Some(velocity) = self.velocities.iter_mut().find(|v| v.name == name) else {
            return Err(ModelError::UnknownParameter {
                name: name.to_owned(),
            });
        };
        if tensor.dims() != velocity.shape {
            return Err(ModelError::ParameterShape {
                name: name.to_owned(),
                found: tensor.dims().to_vec(),
                expected: velocity.shape.clone(),
            });
        }
        velocity.values = tensor.flatten_all()?.to_vec1()?;
        Ok(())
    }
}
