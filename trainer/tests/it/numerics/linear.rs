use shardmill_trainer::internals::ops::activation::Epilogue;
use shardmill_trainer::internals::ops::linear;
use shardmill_trainer::settings::Activation;

use crate::numerics::oracle::{check_gradient, distance, dot, numbers, wide};

const ROWS: usize = 3;
const INPUTS: usize = 7;
const OUTPUTS: usize = 5;

fn oracle(input: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let mut output = Vec::new();
    for row in input.chunks(INPUTS) {
        for (weights, bias) in weight.chunks(INPUTS).zip(bias) {
            output.push(bias + row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>());
        }
    }
    output
}

#[test]
fn forward_matches_the_definition() {
    let (input, weight) = (numbers(ROWS * INPUTS, 1), numbers(OUTPUTS * INPUTS, 2));
    let bias = numbers(OUTPUTS, 3);
    let mut output = vec![f32::NAN; ROWS * OUTPUTS];
    linear::forward(
        INPUTS,
        &input,
        &weight,
        Epilogue::new(&bias, Some(Activation::Relu)),
        &mut [f32::NAN; ROWS * OUTPUTS],
        &mut output,
    );
    let mut expected = oracle(&wide(&input), &wide(&weight), &wide(&bias));
    expected.iter_mut().for_each(|v| *v = v.max(0.0));
    assert!(distance(&output, &expected) < 1e-6);
}

#[test]
fn gradients_match_finite_differences() {
    let (input, weight) = (numbers(ROWS * INPUTS, 1), numbers(OUTPUTS * INPUTS, 2));
    let (bias, gradient) = (numbers(OUTPUTS, 3), numbers(ROWS * OUTPUTS, 4));
    let mut input_gradient = vec![f32::NAN; input.len()];
    let mut weight_gradient = vec![f32::NAN; weight.len()];
    let mut bias_gradient = vec![f32::NAN; bias.len()];
    linear::backward_weight(
        INPUTS,
        &input,
        &gradient,
        &mut weight_gradient,
        &mut bias_gradient,
    );
    linear::backward_input(INPUTS, &weight, &gradient, &mut input_gradient);
    let (x, w, b) = (wide(&input), wide(&weight), wide(&bias));
    check_gradient("input", &input, &input_gradient, |x| {
        dot(&oracle(x, &w, &b), &gradient)
    });
    check_gradient("weight", &weight, &weight_gradient, |w| {
        dot(&oracle(&x, w, &b), &gradient)
    });
    check_gradient("bias", &bias, &bias_gradient, |b| {
        dot(&oracle(&x, &w, b), &gradient)
    });
}
