//! The convolutional part of the network, run over chunks of the batch: one image after the other
//! through layers whose values fit the caches, all images of the chunk at once where maps are small.
//!
//! A chunk owns what its images keep for the backward pass and the sum of their weight gradients. Chunks
//! run in parallel; their sums are added in order afterwards, so a step gives the same bits however
//! threads share the chunks.

mod chunk;
mod scratch;

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::Part;
use crate::cpu::ops::winograd::{Plan, Weights};
use crate::cpu::pool::Pool;
use crate::net::layer::Layer;
use chunk::FeatureChunk;

pub(crate) use chunk::single_layer;

/// Images of a chunk. A constant, as the order of summation depends on it.
pub(crate) const CHUNK: usize = 8;

/// Values of a task that adds up the chunks' gradients.
const SUM_CHUNK: usize = 1 << 14;

/// Consecutive layers.
struct Segment {
    /// Their numbers.
    layers: Range<usize>,
    /// Whether all images of a chunk go through the one layer at once, rather than one image after
    /// the other through all of the layers.
    batched: bool,
}

/// What is kept of a forward pass, beside the last layer's outputs.
#[derive(Clone, Copy)]
pub(crate) enum Keep<'a> {
    /// The outputs of these layers, which may be none.
    Watched(&'a [usize]),
    /// What a backward pass needs.
    Backward,
}

/// What a chunk passes through, and its images.
#[derive(Clone, Copy)]
struct Pass<'a> {
    part: Part<'a>,
    /// The transformed weights of the convolutions.
    weights: &'a [Weights],
    images: &'a [f32],
    /// The number of images.
    count: usize,
}

impl<'a> Pass<'a> {
    fn images(&self, images: &Range<usize>) -> &'a [f32] {
        let len = self.images.len() / self.count;
        &self.images[images.start * len..images.end * len]
    }

    /// The transformed weights of layer `index`.
    fn transformed(&self, index: usize) -> &'a Weights {
        &self.weights[self.part.ordinal(index)]
    }
}

/// Buffers of one thread, for the largest layer.
#[derive(Default)]
struct Scratch {
    operation: OperationScratch,
    /// The gradients of one image after a layer and before it.
    image: [Vec<f32>; 2],
    /// The gradients of a chunk after a segment and before it.
    chunk: [Vec<f32>; 2],
}

/// What one operation writes to besides its results.
#[derive(Default)]
struct OperationScratch {
    /// Patches, or transformed values, of a convolution.
    values: Vec<f32>,
    /// Rows of a normalisation.
    row: Vec<f32>,
}

/// What the passes write to, allocated by the first pass of its kind and kept.
#[derive(Default)]
pub(crate) struct Features {
    scratch: Pool<Scratch>,
    /// The transformed weights of the convolutions; empty for those that take them as they are.
    weights: Vec<Weights>,
    training: Vec<FeatureChunk>,
    evaluation: Vec<FeatureChunk>,
    /// The layers whose outputs `evaluation` keeps.
    watched: Vec<usize>,
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
    /// [`backward`](Self::backward) may follow, or [`watched`](Self::watched), as `keep` says.
    pub(crate) fn forward(&mut self, part: Part, images: &[f32], keep: Keep, output: &mut [f32]) {
        let len = part.output_len();
        let rows = output.len() / len;
        let watched = match keep {
            Keep::Watched(layers) => layers,
            Keep::Backward => &[],
        };
        let chunks = if matches!(keep, Keep::Backward) {
            &mut self.training
        } else {
            if self.watched != watched {
                self.evaluation.clear();
                self.watched = watched.to_vec();
            }
            &mut self.evaluation
        };
        while chunks.len() * CHUNK < rows {
            chunks.push(FeatureChunk::new(part.layers, keep));
        }
        transform(part, &mut self.weights);
        let (weights, image_len) = (&self.weights, images.len() / rows);
        chunks
            .par_iter_mut()
            .zip(images.par_chunks(CHUNK * image_len))
            .zip(output.par_chunks_mut(CHUNK * len))
            .for_each(|((chunk, images), output)| {
                let pass = Pass {
                    part,
                    weights,
                    images,
                    count: output.len() / len,
                };
                self.scratch.with(
                    || Scratch::new(part.layers),
                    |scratch| {
                        chunk.forward(pass, scratch);
                        output.copy_from_slice(chunk.results(pass.count));
                    },
                );
            });
    }

    /// Appends the outputs of layer `number` for all `rows` images of the last pass to `values`; the pass
    /// watched that layer.
    pub(crate) fn watched(&self, number: usize, rows: usize, values: &mut Vec<f32>) {
        for (index, chunk) in self.evaluation[..rows.div_ceil(CHUNK)].iter().enumerate() {
            let count = CHUNK.min(rows - index * CHUNK);
            values.extend_from_slice(chunk.outputs_of(number, count));
        }
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
                let pass = Pass {
                    part,
                    weights,
                    images,
                    count: gradients.len() / len,
                };
                self.scratch.with(
                    || Scratch::new(part.layers),
                    |scratch| {
                        chunk.backward(pass, gradients, scratch);
                    },
                );
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

/// The plan of a convolution of `images` images; `None` for one that is computed by patches.
fn plan(layer: &Layer, images: usize) -> Option<Plan> {
    match layer {
        Layer::Conv(conv) => Plan::of(&conv.shape, images),
        _ => None,
    }
}

/// Whether a layer takes all images of a chunk at once: a convolution for whose matrix products one
/// image is too small.
fn is_batched(layer: &Layer) -> bool {
    plan(layer, CHUNK).is_some_and(|plan| plan.images > 1)
}

/// The layers cut into segments.
fn segments(layers: &[Layer]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        let batched = is_batched(layer);
        match segments.last_mut() {
            Some(last) if !batched && !last.batched => last.layers.end = number + 1,
            _ => segments.push(Segment {
                layers: number..number + 1,
                batched,
            }),
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::config::ModelConfig;
    use crate::net::layer;

    #[test]
    fn the_papers_small_maps_are_batched() {
        let layers = layer::layers(&ModelConfig::alexnet()).unwrap();
        let cut: Vec<_> = segments(&layers[..10])
            .into_iter()
            .map(|s| (s.layers, s.batched))
            .collect();
        let expected = [
            (0..6, false),
            (6..7, true),
            (7..8, true),
            (8..9, true),
            (9..10, false),
        ];
        assert_eq!(cut, expected);
    }
}
