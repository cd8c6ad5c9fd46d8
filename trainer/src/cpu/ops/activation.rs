//! Activation functions in place, and their gradients from their outputs.

use crate::cpu::ops::vectorised;
use crate::net::config::Activation;

/// What follows a product: its bias and its activation.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a> {
    bias: &'a [f32],
    activation: Option<Activation>,
}

impl<'a> Epilogue<'a> {
    /// Adds `bias` to every row, then applies the activation, if there is one.
    #[must_use]
    pub const fn new(bias: &'a [f32], activation: Option<Activation>) -> Self {
        Self { bias, activation }
    }

    /// Applies it to rows of as many values as the bias has.
    pub fn apply(&self, values: &mut [f32]) {
        vectorised(
            #[inline(always)]
            || {
                for row in values.chunks_exact_mut(self.bias.len()) {
                    let pairs = row.iter_mut().zip(self.bias);
                    match self.activation {
                        None => pairs.for_each(|(v, b)| *v += b),
                        Some(Activation::Relu) => pairs.for_each(|(v, b)| *v = relu(*v + b)),
                        Some(Activation::Tanh) => pairs.for_each(|(v, b)| *v = libm::tanhf(*v + b)),
                        Some(Activation::Sigmoid) => pairs.for_each(|(v, b)| *v = sigmoid(*v + b)),
                    }
                }
            },
        );
    }
}

/// Applies the activation to every value.
pub fn apply(values: &mut [f32], activation: Activation) {
    vectorised(
        #[inline(always)]
        || match activation {
            Activation::Relu => values.iter_mut().for_each(|v| *v = relu(*v)),
            Activation::Tanh => values.iter_mut().for_each(|v| *v = libm::tanhf(*v)),
            Activation::Sigmoid => values.iter_mut().for_each(|v| *v = sigmoid(*v)),
        },
    );
}

/// Turns the gradient of the activation's output into that of its input, given the output.
pub fn backward(activation: Activation, output: &[f32], gradient: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            let pairs = gradient.iter_mut().zip(output);
            match activation {
                Activation::Relu => pairs.for_each(|(g, &y)| *g = if y > 0.0 { *g } else { 0.0 }),
                Activation::Tanh => pairs.for_each(|(g, &y)| *g *= 1.0 - y * y),
                Activation::Sigmoid => pairs.for_each(|(g, &y)| *g *= y * (1.0 - y)),
            }
        },
    );
}

/// NaN stays NaN, so that a broken step shows in the loss.
#[inline(always)]
fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUTS: [f32; 6] = [-3.0, -0.5, -0.25, 0.25, 0.5, 3.0];

    #[test]
    fn outputs_match_the_definitions() {
        for (activation, f) in [
            (None, (|x| x) as fn(f64) -> f64),
            (Some(Activation::Relu), |x| x.max(0.0)),
            (Some(Activation::Tanh), f64::tanh),
            (Some(Activation::Sigmoid), |x| 1.0 / (1.0 + (-x).exp())),
        ] {
            let mut values = INPUTS;
            Epilogue::new(&[0.5, -0.5], activation).apply(&mut values);
            for (i, (&value, x)) in values.iter().zip(INPUTS).enumerate() {
                let expected = f(f64::from(x) + [0.5, -0.5][i % 2]);
                assert!(
                    (f64::from(value) - expected).abs() < 1e-6,
                    "{activation:?} at {x}"
                );
            }
        }
    }

    #[test]
    fn gradients_match_finite_differences() {
        let step = 1e-3;
        for activation in [Activation::Relu, Activation::Tanh, Activation::Sigmoid] {
            let at = |shift: f32| {
                let mut values = INPUTS;
                Epilogue::new(&[shift], Some(activation)).apply(&mut values);
                values
            };
            let (below, above) = (at(-step), at(step));
            let mut gradient = [2.0; INPUTS.len()];
            backward(activation, &at(0.0), &mut gradient);
            for i in 0..INPUTS.len() {
                let slope = 2.0 * (above[i] - below[i]) / (2.0 * step);
                assert!(
                    (gradient[i] - slope).abs() < 1e-3,
                    "{activation:?} at {}",
                    INPUTS[i]
                );
            }
        }
    }

    #[test]
    fn nan_is_not_hidden_by_relu() {
        let mut values = [f32::NAN];
        Epilogue::new(&[0.0], Some(Activation::Relu)).apply(&mut values);
        assert!(values[0].is_nan());
    }
}
