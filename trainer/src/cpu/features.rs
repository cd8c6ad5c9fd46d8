//! The convolutional part of the network, run over chunks of the batch: one image after the other
//! through layers whose values fit the caches, all images of the chunk at once where maps are small.
//!
//! A chunk owns what its images keep for the backward pass and the sum of their weight gradients. Chunks run in parallel; their sums are added in order afterwards, so a step gives the
//! same bits however threads share the chunks.

use rayon::prelude::*;

use crate::cpu::chunk::{FeatureChunk, Pass};
use crate::cpu::ops::winograd::Weights;
use crate::cpu::part::Part;
use crate::cpu::scratch::{Scratch, ScratchPool};
use crate::cpu::segment::{CHUNK, plan};
use crate::net::layer::Layer;

/// Values of a task that adds up the chunks' gradients.
const SUM_CHUNK: usize = 1 << 14;

/// What the passes write to, allocated by the first pass of its kind and kept.
#[derive(Default)]
pub(crate) struct Features {
    scratch: ScratchPool,
    /// The transformed weights of the convolutions; empty for those that take them as they are.
    weights: Vec<Weights>,
    training: Vec<FeatureChunk>,
    evaluation: Vec<FeatureChunk>,
}

impl Features {
    /// Bytes of the chunks of `rows` images with their backward pass, and of `threads` scratches.
    pub(crate) fn bytes(layers: &[Layer], rows: usize, threads: usize) -> usize {
        let weights = layers.iter().filter_map(|layer| plan(layer, 1));
        let weights: usize = weights.map(|plan| 2 * plan.weights_len()).sum();
        rows.div_ceil(CHUNK) * FeatureChunk::bytes(layers)
            + threads * Scratch::bytes(layers)
            + weights * size_of::<f32>()
    }

    /// Runs `images` through the layers and writes the last layer's output, a row for each image;
    /// [`backward`](Self::backward) may follow if `training`.
    pub(crate) fn forward(
        &mut self,
        part: Part,
        images: &[f32],
        training: bool,
        output: &mut [f32],
    ) {
        let len = part.output_len();
        let rows = output.len() / len;
        let chunks = if training {
            &mut self.training
        } else {
            &mut self.evaluation
        };
        while chunks.len() * CHUNK < rows {
            chunks.push(FeatureChunk::new(part.layers, training));
        }
        transform(part, &mut self.weights);
        let (weights, image_len) = (&self.weights, images.len() / rows);
        chunks
            .par_iter_mut()
            .zip(images.par_chunks(CHUNK * image_len))
            .zip(output.par_chunks_mut(CHUNK * len))
            .for_each(|((chunk, images), output)| {
                let pass = Pass::new(part, weights, images, output.len() / len);
                self.scratch.with(part.layers, |scratch| {
                    chunk.forward(pass, scratch);
                    output.copy_from_slice(chunk.results(pass.count));
                });
            });
    }

    /// Writes the weight gradients of the same images, given the gradients of the outputs.
    pub(crate) fn backward(
        &mut self,
        part: Part,
        images: &[f32],
        output_gradients: &[f32],
        gradients: &mut [Vec<f32>],
    ) {
        let len = part.output_len();
        let rows = output_gradients.len() / len;
        let (weights, image_len) = (&self.weights, images.len() / rows);
        let chunks = &mut self.training[..rows.div_ceil(CHUNK)];
        chunks
            .par_iter_mut()
            .zip(images.par_chunks(CHUNK * image_len))
            .zip(output_gradients.par_chunks(CHUNK * len))
            .for_each(|((chunk, images), gradients)| {
                let pass = Pass::new(part, weights, images, gradients.len() / len);
                self.scratch.with(part.layers, |scratch| {
                    chunk.backward(pass, gradients, scratch);
                });
            });
        sum_chunks(chunks, gradients);
    }
}

/// Transforms the weights of the convolutions that need it, in the order of the convolutions.
fn transform(part: Part, weights: &mut Vec<Weights>) {
    let convolutions = part.layers.iter().filter(|l| matches!(l, Layer::Conv(_)));
    weights.resize_with(part.parameters.len() / 2, Weights::default);
    let pairs = weights.iter_mut().zip(convolutions);
    for ((weights, layer), parameters) in pairs.zip(part.parameters.chunks_exact(2)) {
        if let Some(plan) = plan(layer, 1) {
            weights.set(&plan, parameters[0]);
        }
    }
}

/// Adds the chunks' gradients up in the order of the chunks.
fn sum_chunks(chunks: &[FeatureChunk], gradients: &mut [Vec<f32>]) {
    for (parameter, gradient) in gradients.iter_mut().enumerate() {
        gradient
            .par_chunks_mut(SUM_CHUNK)
            .enumerate()
            .for_each(|(i, sum)| {
                let range = i * SUM_CHUNK..i * SUM_CHUNK + sum.len();
                sum.copy_from_slice(&chunks[0].gradient(parameter)[range.clone()]);
                for chunk in &chunks[1..] {
                    let part = &chunk.gradient(parameter)[range.clone()];
                    sum.iter_mut()
                        .zip(part)
                        .for_each(|(sum, part)| *sum += part);
                }
            });
    }
}
