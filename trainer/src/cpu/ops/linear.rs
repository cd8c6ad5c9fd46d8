//! Fully connected layers over a whole batch, on all threads.

use rayon::prelude::*;

use crate::cpu::ops::activation::Epilogue;
use crate::cpu::ops::conv2d;
use crate::cpu::ops::gemm::{Matrix, MatrixMut, Threads, Write, multiply};

/// Rows and outputs of the blocks in which a product is transposed.
const BLOCK: usize = 32;

/// Values of scratch that [`forward`] needs.
#[must_use]
pub const fn scratch_len(rows: usize, outputs: usize) -> usize {
    rows * outputs
}

/// `output = activation(input weight^T + bias)`: `input` is `[rows, inputs]`, `weight` is
/// `[outputs, inputs]`, the bias is `[outputs]`, `output` is `[rows, outputs]`.
///
/// The product is computed as `[outputs, rows]`, where the weights need no packing, and transposed.
pub fn forward(
    inputs: usize,
    input: &[f32],
    weight: &[f32],
    epilogue: Epilogue,
    scratch: &mut [f32],
    output: &mut [f32],
) {
    let rows = input.len() / inputs;
    let outputs = output.len() / rows;
    let transposed = &mut scratch[..scratch_len(rows, outputs)];
    multiply(
        MatrixMut::new(transposed, outputs, rows, rows),
        Write::Replace,
        Matrix::new(weight, outputs, inputs, inputs),
        Matrix::new(input, rows, inputs, inputs).transposed(),
        Threads::All,
    );
    output
        .par_chunks_mut(BLOCK * outputs)
        .enumerate()
        .for_each(|(block, output)| {
            let first = block * BLOCK;
            for outputs_from in (0..outputs).step_by(BLOCK) {
                for number in outputs_from..(outputs_from + BLOCK).min(outputs) {
                    let values = &transposed[number * rows + first..];
                    let column = output.iter_mut().skip(number).step_by(outputs);
                    column.zip(values).for_each(|(to, from)| *to = *from);
                }
            }
            epilogue.apply(output);
        });
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
