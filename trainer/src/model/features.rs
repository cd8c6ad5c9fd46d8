//! The convolutional part of the network, run one image after the other over a chunk of the batch.
//!
//! A chunk owns what its images leave behind for the backward pass and the sum of their weight
//! gradients. Chunks run in parallel; their sums are added in order afterwards, so a step gives the
//! same bits however threads share the chunks.

use std::ops::Range;
use std::sync::Mutex;

use rayon::prelude::*;

use super::Part;
use super::layer::Layer;
use crate::ops::{activation, conv2d, lrn, map_norm, max_pool2d};

/// Images of a chunk. A constant, as the order of summation depends on it.
pub(super) const CHUNK: usize = 8;

/// Values of a task that adds chunk gradients up.
const SUM_CHUNK: usize = 1 << 14;

/// The output of one layer, for every image of the chunk or for the current one alone.
struct Output {
    len: usize,
    kept: bool,
    values: Vec<f32>,
    /// Where each pool's values came from; empty where there is no pool or no backward pass.
    winners: Vec<u8>,
}

impl Output {
    fn range(&self, image: usize) -> Range<usize> {
        let start = if self.kept { image * self.len } else { 0 };
        start..start + self.len
    }

    fn image(&self, image: usize) -> &[f32] {
        &self.values[self.range(image)]
    }
}

/// Whether every image's output of layer `number` is kept. A pool remembers its winners, so its input
/// is not needed again; a normalisation's output is needed by a convolution alone.
fn is_kept(layers: &[Layer], number: usize, training: bool) -> bool {
    let next = layers.get(number + 1);
    let normalised = matches!(layers[number], Layer::Lrn(_) | Layer::MapNorm(_))
        && matches!(next, Some(Layer::Pool(_)));
    next.is_none() || (training && !normalised)
}

/// Bytes of the chunks of `rows` images with their backward pass, and of `threads` scratches.
pub(super) fn bytes(layers: &[Layer], rows: usize, threads: usize) -> usize {
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
    let scratch = Scratch::new(layers);
    let values = [scratch.patches, scratch.row, scratch.current, scratch.next];
    let values: usize = values.iter().map(Vec::len).sum();
    rows.div_ceil(CHUNK) * chunk + threads * values * size_of::<f32>()
}

/// The state of up to [`CHUNK`] images.
pub(super) struct FeatureChunk {
    outputs: Vec<Output>,
    /// Sums of the weight and bias gradients, in the order of the parameters.
    gradients: Vec<Vec<f32>>,
}

impl FeatureChunk {
    /// Buffers for a backward pass too if `training`, else for the last layer's outputs only.
    pub(super) fn new(layers: &[Layer], training: bool) -> Self {
        let mut outputs = Vec::new();
        let mut gradients = Vec::new();
        for (number, layer) in layers.iter().enumerate() {
            let kept = is_kept(layers, number, training);
            let len = layer.output_len();
            let images = if kept { CHUNK } else { 1 };
            let pools = training && matches!(layer, Layer::Pool(_));
            outputs.push(Output {
                len,
                kept,
                values: vec![0.0; images * len],
                winners: vec![0; if pools { images * len } else { 0 }],
            });
            if let (true, Layer::Conv(conv)) = (training, layer) {
                gradients.push(vec![0.0; conv.shape.weight_len()]);
                gradients.push(vec![0.0; conv.shape.outputs]);
            }
        }
        Self { outputs, gradients }
    }

    /// The last layer's output for an image.
    fn result(&self, image: usize) -> &[f32] {
        self.outputs
            .last()
            .expect("conv1 is never left out")
            .image(image)
    }

    /// Runs `image`, number `number` of the chunk, through the layers.
    fn forward(&mut self, part: Part, scratch: &mut Scratch, number: usize, image: &[f32]) {
        let mut parameters = part.parameters.chunks_exact(2);
        for (index, layer) in part.layers.iter().enumerate() {
            let (before, rest) = self.outputs.split_at_mut(index);
            let input = before.last().map_or(image, |output| output.image(number));
            let range = rest[0].range(number);
            let Output {
                values, winners, ..
            } = &mut rest[0];
            let output = &mut values[range.clone()];
            match layer {
                Layer::Conv(conv) => {
                    let [weight, bias] = parameters.next().expect("two for each conv") else {
                        unreachable!("chunks of two")
                    };
                    let (shape, function) = (&conv.shape, conv.activation);
                    let patches = &mut scratch.patches;
                    conv2d::forward(shape, input, weight, bias, function, patches, output);
                }
                Layer::Lrn(norm) => {
                    lrn::forward(&norm.config, norm.channels, input, &mut scratch.row, output);
                }
                Layer::MapNorm(norm) => {
                    let (config, shape) = (&norm.config, &norm.shape);
                    map_norm::forward(config, shape, input, &mut scratch.row, output);
                }
                Layer::Pool(pool) => {
                    let winners = winners.get_mut(range).unwrap_or_default();
                    max_pool2d::forward(&pool.shape, input, output, winners);
                    if let Some(function) = pool.activation {
                        activation::apply(output, function);
                    }
                }
                Layer::Dropout(_) | Layer::Linear(_) => unreachable!("not a feature layer"),
            }
        }
    }

    /// Adds to [`gradients`](Self::gradients) the share of image `number`, given the gradient of its
    /// result. The image itself gets no gradient.
    fn backward(
        &mut self,
        part: Part,
        scratch: &mut Scratch,
        number: usize,
        image: &[f32],
        gradient: &[f32],
    ) {
        let Scratch {
            patches,
            row,
            current,
            next,
        } = scratch;
        current[..gradient.len()].copy_from_slice(gradient);
        let mut parameter = part.parameters.len();
        for (index, layer) in part.layers.iter().enumerate().rev() {
            let input = match index.checked_sub(1) {
                Some(before) => self.outputs[before].image(number),
                None => image,
            };
            let gradient = &mut current[..layer.output_len()];
            let needed = if index > 0 { input.len() } else { 0 };
            let input_gradient = &mut next[..needed];
            match layer {
                Layer::Conv(conv) => {
                    parameter -= 2;
                    let output = self.outputs[index].image(number);
                    if let Some(function) = conv.activation {
                        activation::backward(function, output, gradient);
                    }
                    let [weight, bias] = &mut self.gradients[parameter..parameter + 2] else {
                        unreachable!("a slice of two")
                    };
                    let shape = &conv.shape;
                    conv2d::backward_weight(shape, input, gradient, patches, weight, bias);
                    if index == 0 {
                        return;
                    }
                    let weight = part.parameters[parameter];
                    conv2d::backward_input(shape, weight, gradient, patches, input_gradient);
                }
                Layer::Lrn(norm) => {
                    let (config, channels) = (&norm.config, norm.channels);
                    lrn::backward(config, channels, input, gradient, row, input_gradient);
                }
                Layer::MapNorm(norm) => {
                    let (config, shape) = (&norm.config, &norm.shape);
                    map_norm::backward(config, shape, input, gradient, row, input_gradient);
                }
                Layer::Pool(pool) => {
                    let output = &self.outputs[index];
                    if let Some(function) = pool.activation {
                        activation::backward(function, output.image(number), gradient);
                    }
                    let winners = &output.winners[output.range(number)];
                    max_pool2d::backward(&pool.shape, winners, gradient, input_gradient);
                }
                Layer::Dropout(_) | Layer::Linear(_) => unreachable!("not a feature layer"),
            }
            std::mem::swap(current, next);
        }
    }
}

/// Runs `images` through the layers and writes the last layer's output, a row for each image.
pub(super) fn forward(
    part: Part,
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
                let rows = images
                    .chunks_exact(image_len)
                    .zip(features.chunks_exact_mut(len));
                for (number, (image, features)) in rows.enumerate() {
                    chunk.forward(part, scratch, number, image);
                    features.copy_from_slice(chunk.result(number));
                }
            });
        });
}

/// Writes the weight gradients of the same images, given the gradients of their features.
pub(super) fn backward(
    part: Part,
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
            pool.with(part.layers, |scratch| {
                let rows = images
                    .chunks_exact(image_len)
                    .zip(gradients.chunks_exact(len));
                for (number, (image, gradient)) in rows.enumerate() {
                    chunk.backward(part, scratch, number, image, gradient);
                }
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

/// Buffers of one thread, for the largest layer.
pub(super) struct Scratch {
    patches: Vec<f32>,
    row: Vec<f32>,
    current: Vec<f32>,
    next: Vec<f32>,
}

impl Scratch {
    fn new(layers: &[Layer]) -> Self {
        let (mut patches, mut row, mut values) = (0, 0, 0);
        for layer in layers {
            values = values.max(layer.output_len());
            match layer {
                Layer::Conv(conv) => patches = patches.max(conv2d::scratch_len(&conv.shape)),
                Layer::Lrn(norm) => row = row.max(lrn::scratch_len(norm.channels, &norm.config)),
                Layer::MapNorm(norm) => row = row.max(map_norm::scratch_len(&norm.shape)),
                Layer::Pool(_) | Layer::Dropout(_) | Layer::Linear(_) => {}
            }
        }
        Self {
            patches: vec![0.0; patches],
            row: vec![0.0; row],
            current: vec![0.0; values],
            next: vec![0.0; values],
        }
    }
}

/// Scratch that threads borrow and give back; as many are made as ever work at once.
#[derive(Default)]
pub(super) struct ScratchPool(Mutex<Vec<Scratch>>);

impl ScratchPool {
    /// Runs `work` with a scratch of its own.
    pub(super) fn with<R>(&self, layers: &[Layer], work: impl FnOnce(&mut Scratch) -> R) -> R {
        let free = self.0.lock().expect("nobody panics while holding it").pop();
        let mut scratch = free.unwrap_or_else(|| Scratch::new(layers));
        let result = work(&mut scratch);
        self.0
            .lock()
            .expect("nobody panics while holding it")
            .push(scratch);
        result
    }
}
