//! The fully connected part of the network, run over the whole batch.

use rayon::prelude::*;

use crate::cpu::Part;
use crate::cpu::ops::activation::Epilogue;
use crate::cpu::ops::{activation, cross_entropy, dropout, linear};
use crate::net::Masks;
use crate::net::layer::Layer;

/// Values of a task that goes value by value.
const CHUNK: usize = 1 << 14;

/// Inputs, outputs and gradients of the fully connected layers, for a number of rows.
#[derive(Default)]
pub(super) struct Classifier {
    rows: usize,
    /// `[rows, len]`.
    inputs: Vec<f32>,
    outputs: Vec<Vec<f32>>,
    /// Scratch of the widest layer's product.
    product: Vec<f32>,
    /// The gradients after a layer and before it; empty without a backward pass.
    current: Vec<f32>,
    next: Vec<f32>,
}

impl Classifier {
    /// Makes buffers for `rows` rows of `inputs` values, with those of a backward pass if `training`,
    /// unless they are there.
    pub(super) fn prepare(&mut self, layers: &[Layer], inputs: usize, rows: usize, training: bool) {
        if self.rows == rows && !(training && self.current.is_empty()) {
            return;
        }
        // Frees the old buffers before the new ones are made.
        *self = Self::default();
        let gradient = if training {
            rows * widest(layers, inputs)
        } else {
            0
        };
        *self = Self {
            rows,
            inputs: vec![0.0; rows * inputs],
            outputs: layers
                .iter()
                .map(|l| vec![0.0; rows * l.output_len()])
                .collect(),
            product: vec![0.0; product_len(layers, rows)],
            current: vec![0.0; gradient],
            next: vec![0.0; gradient],
        };
    }

    /// Bytes of the buffers of `rows` rows with their backward pass.
    pub(super) fn bytes(layers: &[Layer], inputs: usize, rows: usize) -> usize {
        let outputs: usize = layers.iter().map(Layer::output_len).sum();
        let values = rows * (inputs + outputs + 2 * widest(layers, inputs));
        (values + product_len(layers, rows)) * size_of::<f32>()
    }

    /// The inputs, `[rows, len]`, to be filled before a pass.
    pub(super) fn inputs_mut(&mut self) -> &mut [f32] {
        &mut self.inputs
    }

    /// Runs the inputs through the layers, scores the logits against the labels, and writes the
    /// parameters' gradients.
    pub(super) fn train(
        &mut self,
        part: Part,
        masks: Masks,
        labels: &[i64],
        gradients: &mut [Vec<f32>],
    ) -> cross_entropy::Scores {
        self.forward(part, Some(masks));
        let logits = self
            .outputs
            .last()
            .expect("the last layer is never left out");
        let classes = logits.len() / labels.len();
        let gradient = &mut self.current[..logits.len()];
        let scores = cross_entropy::score(logits, classes, labels, gradient);
        self.backward(part, masks, gradients);
        scores
    }

    /// The logits of the inputs, without dropout.
    pub(super) fn logits(&mut self, part: Part) -> &[f32] {
        self.forward(part, None);
        self.outputs
            .last()
            .expect("the last layer is never left out")
    }

    /// The outputs of layer `index` of the last pass, `[rows, len]`.
    pub(super) fn outputs_of(&self, index: usize) -> &[f32] {
        &self.outputs[index]
    }

    /// The gradient of the inputs, after [`train`](Self::train).
    pub(super) fn inputs_gradient(&self) -> &[f32] {
        &self.current[..self.inputs.len()]
    }

    /// Runs the inputs through the layers; without masks, dropout is the identity.
    fn forward(&mut self, part: Part, masks: Option<Masks>) {
        for (index, layer) in part.layers.iter().enumerate() {
            let (before, rest) = self.outputs.split_at_mut(index);
            let input = before.last().unwrap_or(&self.inputs);
            let output = &mut rest[0];
            match layer {
                Layer::Linear(layer) => {
                    let [weight, bias] = part.weight_and_bias(index);
                    let epilogue = Epilogue::new(bias, layer.activation);
                    let product = &mut self.product;
                    linear::forward(layer.inputs, input, weight, epilogue, product, output);
                }
                Layer::Dropout(layer) => {
                    output.copy_from_slice(input);
                    if let Some(masks) = masks {
                        let number = dropouts(&part.layers[..index]);
                        drop_values(output, self.rows, layer.rate, masks, number);
                    }
                }
                _ => unreachable!("not a classifier layer"),
            }
        }
    }

    /// Writes the parameters' gradients, given that of the logits and the same masks.
    fn backward(&mut self, part: Part, masks: Masks, gradients: &mut [Vec<f32>]) {
        for (index, layer) in part.layers.iter().enumerate().rev() {
            let input = match index.checked_sub(1) {
                Some(before) => &self.outputs[before],
                None => &self.inputs,
            };
            let output = &self.outputs[index];
            let gradient = &mut self.current[..output.len()];
            match layer {
                Layer::Linear(layer) => {
                    if let Some(function) = layer.activation {
                        gradient
                            .par_chunks_mut(CHUNK)
                            .zip(output.par_chunks(CHUNK))
                            .for_each(|(gradient, output)| {
                                activation::backward(function, output, gradient);
                            });
                    }
                    let [weight, bias] = part.gradients_of(index, gradients);
                    linear::backward_weight(layer.inputs, input, gradient, weight, bias);
                    let [weight, _] = part.weight_and_bias(index);
                    let input_gradient = &mut self.next[..input.len()];
                    linear::backward_input(layer.inputs, weight, gradient, input_gradient);
                    std::mem::swap(&mut self.current, &mut self.next);
                }
                Layer::Dropout(layer) => {
                    let number = dropouts(&part.layers[..index]);
                    drop_values(gradient, self.rows, layer.rate, masks, number);
                }
                _ => unreachable!("not a classifier layer"),
            }
        }
    }
}

/// Values of the widest row.
fn widest(layers: &[Layer], inputs: usize) -> usize {
    let outputs = layers.iter().map(Layer::output_len);
    outputs.fold(inputs, usize::max)
}

/// Values of scratch for the product of the layer with the most outputs.
fn product_len(layers: &[Layer], rows: usize) -> usize {
    let outputs = layers.iter().map(|layer| match layer {
        Layer::Linear(linear) => linear.outputs,
        _ => 0,
    });
    linear::scratch_len(rows, outputs.max().unwrap_or(0))
}

/// The number of dropout layers.
fn dropouts(layers: &[Layer]) -> usize {
    let dropouts = layers.iter().filter(|l| matches!(l, Layer::Dropout(_)));
    dropouts.count()
}

/// Applies dropout layer `number` to the values of `rows` rows or to their gradients.
fn drop_values(values: &mut [f32], rows: usize, rate: f32, masks: Masks, number: usize) {
    match masks {
        Masks::Drawn { key, first } => {
            let key = key.mask(number as u32);
            let first = first * (values.len() / rows);
            let chunks = values.par_chunks_mut(CHUNK).enumerate();
            chunks.for_each(|(i, chunk)| dropout::apply(chunk, rate, key, first + i * CHUNK));
        }
        Masks::Given(masks) => {
            let factors = &masks[number];
            assert_eq!(
                values.len(),
                factors.len(),
                "the mask of dropout layer {number}"
            );
            values.iter_mut().zip(factors).for_each(|(v, f)| *v *= f);
        }
    }
}
