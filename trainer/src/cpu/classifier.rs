//! The fully connected part of the network, run over the whole batch.

use rayon::prelude::*;

use crate::cpu::ops::dropout;
use crate::cpu::ops::{activation, linear};
use crate::net::layer::Layer;
use crate::net::{Masks, Part};

/// Values of a dropout task; a multiple of four, as a block of the generator holds four words.
const DROPOUT_CHUNK: usize = 1 << 14;

/// Inputs, outputs and gradients of the fully connected layers, for a number of rows.
pub(crate) struct Classifier {
    rows: usize,
    /// The features, `[rows, len]`, to be filled before [`forward`](Self::forward).
    pub(crate) features: Vec<f32>,
    outputs: Vec<Vec<f32>>,
    /// Scratch of the widest layer's product.
    product: Vec<f32>,
    current: Vec<f32>,
    next: Vec<f32>,
}

impl Classifier {
    /// Buffers for `rows` rows of `features` values, with those of a backward pass if `training`.
    pub(crate) fn new(layers: &[Layer], features: usize, rows: usize, training: bool) -> Self {
        let widest = layers
            .iter()
            .map(Layer::output_len)
            .fold(features, usize::max);
        let gradient = if training { rows * widest } else { 0 };
        Self {
            rows,
            features: vec![0.0; rows * features],
            outputs: layers
                .iter()
                .map(|l| vec![0.0; rows * l.output_len()])
                .collect(),
            product: vec![0.0; linear::scratch_len(rows, widest_output(layers))],
            current: vec![0.0; gradient],
            next: vec![0.0; gradient],
        }
    }

    /// Bytes of the buffers of `rows` rows with their backward pass.
    pub(crate) fn bytes(layers: &[Layer], features: usize, rows: usize) -> usize {
        let widest = layers
            .iter()
            .map(Layer::output_len)
            .fold(features, usize::max);
        let outputs: usize = layers.iter().map(Layer::output_len).sum();
        let product = linear::scratch_len(rows, widest_output(layers));
        (rows * (features + outputs + 2 * widest) + product) * size_of::<f32>()
    }

    /// Whether the buffers are those of `rows` rows, with a backward pass if `training`.
    pub(crate) fn fits(&self, rows: usize, training: bool) -> bool {
        self.rows == rows && !(training && self.current.is_empty())
    }

    /// The logits of the last forward pass.
    pub(crate) fn logits(&self) -> &[f32] {
        self.outputs.last().expect("fc8 is never left out")
    }

    /// The logits, and where to put their gradient before [`backward`](Self::backward).
    pub(crate) fn logits_and_gradient(&mut self) -> (&[f32], &mut [f32]) {
        let logits = self.outputs.last().expect("fc8 is never left out");
        (logits, &mut self.current[..logits.len()])
    }

    /// The gradient of the features, after [`backward`](Self::backward).
    pub(crate) fn features_gradient(&self) -> &[f32] {
        &self.current[..self.features.len()]
    }

    /// Runs the features through the layers; without masks, dropout is the identity.
    pub(crate) fn forward(&mut self, part: Part, masks: Option<Masks>) {
        let mut parameters = part.parameters.chunks_exact(2);
        let mut dropouts = 0;
        for (index, layer) in part.layers.iter().enumerate() {
            let (before, rest) = self.outputs.split_at_mut(index);
            let input = before.last().unwrap_or(&self.features);
            let output = &mut rest[0];
            match layer {
                Layer::Linear(layer) => {
                    let [weight, bias] = parameters.next().expect("two for each layer") else {
                        unreachable!("chunks of two")
                    };
                    let (function, product) = (layer.activation, &mut self.product);
                    linear::forward(layer.inputs, input, weight, bias, function, product, output);
                }
                Layer::Dropout(layer) => {
                    output.copy_from_slice(input);
                    if let Some(masks) = masks {
                        drop_values(output, layer.rate, masks, dropouts);
                    }
                    dropouts += 1;
                }
                _ => unreachable!("not a classifier layer"),
            }
        }
    }

    /// Writes the parameters' gradients, given that of the logits and the same masks.
    pub(crate) fn backward(&mut self, part: Part, masks: Masks, gradients: &mut [Vec<f32>]) {
        let mut parameter = part.parameters.len();
        let mut dropouts = part
            .layers
            .iter()
            .filter(|l| matches!(l, Layer::Dropout(_)))
            .count();
        for (index, layer) in part.layers.iter().enumerate().rev() {
            let input = match index.checked_sub(1) {
                Some(before) => &self.outputs[before],
                None => &self.features,
            };
            let output = &self.outputs[index];
            let gradient = &mut self.current[..output.len()];
            match layer {
                Layer::Linear(layer) => {
                    parameter -= 2;
                    if let Some(function) = layer.activation {
                        activation_backward(function, output, gradient);
                    }
                    let [weight, bias] = &mut gradients[parameter..parameter + 2] else {
                        unreachable!("a slice of two")
                    };
                    linear::backward_weight(layer.inputs, input, gradient, weight, bias);
                    let input_gradient = &mut self.next[..input.len()];
                    let weight = part.parameters[parameter];
                    linear::backward_input(layer.inputs, weight, gradient, input_gradient);
                    std::mem::swap(&mut self.current, &mut self.next);
                }
                Layer::Dropout(layer) => {
                    dropouts -= 1;
                    drop_values(gradient, layer.rate, masks, dropouts);
                }
                _ => unreachable!("not a classifier layer"),
            }
        }
    }
}

/// Outputs of the widest fully connected layer.
fn widest_output(layers: &[Layer]) -> usize {
    let outputs = layers.iter().map(|layer| match layer {
        Layer::Linear(linear) => linear.outputs,
        _ => 0,
    });
    outputs.max().unwrap_or(0)
}

fn activation_backward(
    function: crate::net::config::Activation,
    output: &[f32],
    gradient: &mut [f32],
) {
    gradient
        .par_chunks_mut(DROPOUT_CHUNK)
        .zip(output.par_chunks(DROPOUT_CHUNK))
        .for_each(|(gradient, output)| activation::backward(function, output, gradient));
}

/// Applies dropout layer number `layer` to values or to their gradients.
fn drop_values(values: &mut [f32], rate: f32, masks: Masks, layer: usize) {
    match masks {
        Masks::Drawn(key) => {
            let key = key.mask(layer as u32);
            let chunks = values.par_chunks_mut(DROPOUT_CHUNK).enumerate();
            chunks.for_each(|(i, chunk)| dropout::apply(chunk, rate, key, i * DROPOUT_CHUNK));
        }
        Masks::Given(masks) => {
            let factors = &masks[layer];
            assert_eq!(
                values.len(),
                factors.len(),
                "the mask of dropout layer {layer}"
            );
            values.iter_mut().zip(factors).for_each(|(v, f)| *v *= f);
        }
    }
}
