//! Stochastic gradient descent with momentum and weight decay, fused into one pass per tensor.

use std::sync::Mutex;

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::net::{Model, ModelError, Parameter, ParameterKind};

/// Prefix of the optimiser's tensors in a checkpoint.
const PREFIX: &str = "velocity.";

/// Values updated by one task: large enough to hide its cost, small enough to spread.
const CHUNK: usize = 1 << 16;

/// The constants of the update rule; [`Default`] is the authors' source.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// Share of the velocity kept at each step (the paper, section 5).
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
#[derive(Clone, Copy, Debug, PartialEq)]
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
}

/// The optimiser: `v <- momentum v - decay lr w - lr g; w <- w + v`.
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
    /// An optimiser at rest for `model`'s parameters.
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

    /// Moves `model`'s parameters along its gradients at learning rate `lr`.
    ///
    /// # Errors
    /// What candle reports.
    pub fn step(&mut self, model: &mut Model, lr: f32) -> Result<(), ModelError> {
        let config = self.config;
        self.step_with(model, |parameter| Some(config.rate(parameter.kind(), lr)))
    }

    /// Moves `model`'s parameters along its gradients, each at its own rate; those that are given
    /// none stay where they are.
    ///
    /// # Errors
    /// What candle reports.
    pub fn step_with(
        &mut self,
        model: &mut Model,
        rate: impl Fn(&Parameter) -> Option<Rate>,
    ) -> Result<(), ModelError> {
        let config = self.config;
        let pairs = model.parameters().iter().zip(model.gradients());
        for (velocity, (parameter, gradient)) in self.velocities.iter_mut().zip(pairs) {
            let Some(Rate { lr, decay }) = rate(parameter) else {
                continue;
            };
            // candle lends the values to a shared closure; nobody else holds this lock.
            let velocity = Mutex::new(&mut velocity.values);
            parameter.update(|weights| {
                let mut velocity = velocity.lock().expect("the only holder");
                update(weights, &mut velocity, gradient, config.momentum, decay, lr);
            })?;
        }
        Ok(())
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

    /// The velocity's values of parameter `number`.
    #[cfg(feature = "cuda")]
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

fn update(
    weights: &mut [f32],
    velocity: &mut [f32],
    gradient: &[f32],
    momentum: f32,
    decay: f32,
    lr: f32,
) {
    let decay = decay * lr;
    weights
        .par_chunks_mut(CHUNK)
        .zip(velocity.par_chunks_mut(CHUNK))
        .zip(gradient.par_chunks(CHUNK))
        .for_each(|((weights, velocity), gradient)| {
            for ((w, v), g) in weights.iter_mut().zip(velocity).zip(gradient) {
                *v = momentum * *v - decay * *w - lr * g;
                *w += *v;
            }
        });
}
