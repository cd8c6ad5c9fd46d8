//! The update rule of stochastic gradient descent, fused into one pass per tensor.

use rayon::prelude::*;

use crate::net::sgd::{Rate, Sgd};
use crate::net::{Model, ModelError, Parameter};

/// Values updated by one task: large enough to hide its cost, small enough to spread.
const CHUNK: usize = 1 << 16;

/// Moves each parameter along its gradient, in the order of the parameters, at its own rate; parameters
/// without a rate stay as they are.
///
/// # Errors
/// What candle reports.
pub(crate) fn update(
    model: &mut Model,
    gradients: &[Vec<f32>],
    sgd: &mut Sgd,
    rate: impl Fn(&Parameter) -> Option<Rate>,
) -> Result<(), ModelError> {
    let momentum = sgd.config().momentum;
    let pairs = model.parameters().iter().zip(gradients);
    for (number, (parameter, gradient)) in pairs.enumerate() {
        let Some(Rate { lr, decay }) = rate(parameter) else {
            continue;
        };
        let velocity = sgd.velocity_mut(number);
        let decay = decay * lr;
        parameter.update(|weights| {
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
        })?;
    }
    Ok(())
}
