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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::config::ModelConfig;
    use crate::net::sgd::SgdConfig;

    #[test]
    fn a_parameter_without_a_rate_keeps_its_velocity_and_one_with_the_rate_0_does_not() {
        let config = ModelConfig {
            width: 0.05,
            input_size: 67,
            classes: 3,
            ..ModelConfig::alexnet()
        };
        let mut model = Model::new(&config, 1).unwrap();
        let mut sgd = Sgd::new(&model, SgdConfig::default());
        let gradients: Vec<Vec<f32>> = model
            .parameters()
            .iter()
            .map(|parameter| vec![1.0; parameter.len()])
            .collect();
        let rates = SgdConfig::default().rates(0.01);
        update(&mut model, &gradients, &mut sgd, rates).unwrap();
        let state = |model: &Model, sgd: &Sgd| {
            let (_, velocity) = sgd.state().unwrap().swap_remove(0);
            let velocity: Vec<f32> = velocity.flatten_all().unwrap().to_vec1().unwrap();
            (model.parameters()[0].values().to_vec(), velocity)
        };
        let before = state(&model, &sgd);
        assert!(before.1.iter().all(|value| *value != 0.0));
        update(&mut model, &gradients, &mut sgd, |_| None).unwrap();
        assert!(state(&model, &sgd) == before);
        let rates = SgdConfig::default().rates(0.0);
        update(&mut model, &gradients, &mut sgd, rates).unwrap();
        assert!(state(&model, &sgd) != before);
    }
}
