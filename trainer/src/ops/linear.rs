//! Fully connected layers over a whole batch, on all threads.

use rayon::prelude::*;

use super::gemm::{Matrix, MatrixMut, Threads, Write, multiply};
use super::{activation, conv2d};
use crate::model_config::Activation;

/// `output = activation(input weight^T + bias)`: `input` is `[rows, inputs]`, `weight` is
/// `[outputs, inputs]`, `bias` is `[outputs]`, `output` is `[rows, outputs]`.
pub fn forward(
    inputs: usize,
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
    function: Option<Activation>,
    output: &mut [f32],
) {
    let (rows, outputs) = (input.len() / inputs, bias.len());
    multiply(
        MatrixMut::new(output, rows, outputs, outputs),
        Write::Replace,
        Matrix::new(input, rows, inputs, inputs),
        Matrix::new(weight, outputs, inputs, inputs).transposed(),
        Threads::All,
    );
    output
        .par_chunks_mut(outputs)
        .for_each(|row| activation::add_bias(row, bias, function));
}

/// Writes the gradients of weight and bias, given that of the output before the activation.
pub fn backward_weight(
    inputs: usize,
    input: &[f32],
    output_gradient: &[f32],
    weight_gradient: &mut [f32],
    bias_gradient: &mut [f32],
) {
    let (rows, outputs) = (input.len() / inputs, bias_gradient.len());
    bias_gradient.fill(0.0);
    conv2d::add_rows(output_gradient, bias_gradient);
    multiply(
        MatrixMut::new(weight_gradient, outputs, inputs, inputs),
        Write::Replace,
        Matrix::new(output_gradient, rows, outputs, outputs).transposed(),
        Matrix::new(input, rows, inputs, inputs),
        Threads::All,
    );
}

/// Writes the gradient of the input, given that of the output before the activation.
pub fn backward_input(
    inputs: usize,
    weight: &[f32],
    output_gradient: &[f32],
    input_gradient: &mut [f32],
) {
    let rows = input_gradient.len() / inputs;
    let outputs = output_gradient.len() / rows;
    multiply(
        MatrixMut::new(input_gradient, rows, inputs, inputs),
        Write::Replace,
        Matrix::new(output_gradient, rows, outputs, outputs),
        Matrix::new(weight, outputs, inputs, inputs),
        Threads::All,
    );
}
