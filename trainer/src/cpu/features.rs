//! The convolutional part of the network, run over chunks of the batch: one image after the other
//! through layers whose values fit the caches, all images of the chunk at once where maps are small.
//!
//! A chunk owns what its images leave behind for the backward pass and the sum of their weight
//! gradients. Chunks run in parallel; their sums are added in order afterwards, so a step gives the
//! same bits however threads share the chunks.

use rayon::prelude::*;

use crate::cpu::chunk::{FeatureChunk, is_kept};
use crate::cpu::ops::winograd::Weights;
use crate::cpu::scratch::{Scratch, ScratchPool};
use crate::cpu::stretch::plan;
use crate::net::Part;
use crate::net::layer::Layer;

/// Images of a chunk. A constant, as the order of summation depends on it.
pub(crate) const CHUNK: usize = 8;

/// Values of a task that adds chunk gradients up.
const SUM_CHUNK: usize = 1 << 14;

/// Bytes of the chunks of `rows` images with their backward pass, and of `threads` scratches.
pub(crate) fn bytes(layers: &[Layer], rows: usize, threads: usize) -> usize {
    let mut chunk = 0;
    for (number, layer) in layers.iter().enumerate() {
        let images = if is_kept(layers, number, true) {
            CHUNK
        } else {
            1
        };
        chunk += images * layer.output_len() * size_of::<f32>();
        match layer {
            Layer::Conv(conv) => {
                chunk += (conv.shape.weight_len() + conv.shape.outputs) * size_of::<f32>();
            }
            Layer::Pool(_) => chunk += images * layer.output_len(),
            _ => {}
        }
    }
    let weights = layers.iter().filter_map(|layer| plan(layer, 1));
    let weights: usize = weights.map(|plan| 2 * plan.weights_len()).sum();
    rows.div_ceil(CHUNK) * chunk + threads * Scratch::bytes(layers) + weights * size_of::<f32>()
}

/// Transforms the weights of the convolutions that need it, in the order of the convolutions.
pub(crate) fn transform(part: Part, weights: &mut Vec<Weights>) {
    let convolutions = part.layers.iter().filter(|l| matches!(l, Layer::Conv(_)));
    weights.resize_with(part.parameters.len() / 2, Weights::default);
    let pairs = weights.iter_mut().zip(convolutions);
    for ((weights, layer), parameters) in pairs.zip(part.parameters.chunks_exact(2)) {
        if let Some(plan) = plan(layer, 1) {
            weights.set(&plan, parameters[0]);
        }
    }
}

/// Runs `images` through the layers and writes the last layer's output, a row for each image.
pub(crate) fn forward(
    part: Part,
    weights: &[Weights],
    pool: &ScratchPool,
    chunks: &mut [FeatureChunk],
    images: &[f32],
    features: &mut [f32],
) {
    let len = part.output_len();
    let image_len = images.len() / (features.len() / len);
    chunks
        .par_iter_mut()
        .zip(images.par_chunks(CHUNK * image_len))
        .zip(features.par_chunks_mut(CHUNK * len))
        .for_each(|((chunk, images), features)| {
            pool.with(part.layers, |scratch| {
                let count = images.len() / image_len;
                chunk.forward(part, weights, scratch, images, count);
                for (number, features) in features.chunks_exact_mut(len).enumerate() {
                    features.copy_from_slice(chunk.result(number));
                }
            });
        });
}

/// Writes the weight gradients of the same images, given the gradients of their features.
pub(crate) fn backward(
    part: Part,
    weights: &[Weights],
    pool: &ScratchPool,
    chunks: &mut [FeatureChunk],
    images: &[f32],
    features_gradient: &[f32],
    gradients: &mut [Vec<f32>],
) {
    let len = part.output_len();
    let image_len = images.len() / (features_gradient.len() / len);
    chunks
        .par_iter_mut()
        .zip(images.par_chunks(CHUNK * image_len))
        .zip(features_gradient.par_chunks(CHUNK * len))
        .for_each(|((chunk, images), gradients)| {
            chunk.gradients.iter_mut().for_each(|sum| sum.fill(0.0));
            let count = images.len() / image_len;
            pool.with(part.layers, |scratch| {
                chunk.backward(part, weights, scratch, images, gradients, count);
            });
        });
    sum_chunks(chunks, gradients);
}

/// Adds the chunks' gradients up in the order of the chunks.
fn sum_chunks(chunks: &[FeatureChunk], gradients: &mut [Vec<f32>]) {
    for (parameter, gradient) in gradients.iter_mut().enumerate() {
        gradient
            .par_chunks_mut(SUM_CHUNK)
            .enumerate()
            .for_each(|(i, sum)| {
                let range = i * SUM_CHUNK..i * SUM_CHUNK + sum.len();
                sum.copy_from_slice(&chunks[0].gradients[parameter][range.clone()]);
                for chunk in &chunks[1..] {
                    let part = &chunk.gradients[parameter][range.clone()];
                    sum.iter_mut()
                        .zip(part)
                        .for_each(|(sum, part)| *sum += part);
                }
            });
    }
}
