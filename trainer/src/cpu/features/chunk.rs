//! A chunk of images in the convolutional layers: the forward and the backward pass, and what they keep.

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::Part;
use crate::cpu::features::{
    CHUNK, Keep, OperationScratch, Pass, Scratch, is_batched, plan, segments,
};
use crate::cpu::ops::activation::Epilogue;
use crate::cpu::ops::winograd::{self, Weights};
use crate::cpu::ops::{activation, avg_pool2d, conv2d, lrn, map_norm, max_pool2d};
use crate::cpu::pool::Pool;
use crate::net::layer::Layer;
use crate::net::shape::PoolKind;

/// The output of one layer, for every image of the chunk or for the current one alone.
struct Output {
    len: usize,
    kept: bool,
    values: Vec<f32>,
    /// Where each max pool's values came from; empty where there is none or no backward pass.
    winners: Vec<u8>,
}

impl Output {
    /// Where the values of these images are: of all that are kept, or of the current one.
    fn range(&self, images: &Range<usize>) -> Range<usize> {
        let first = if self.kept { images.start } else { 0 };
        first * self.len..(first + images.len()) * self.len
    }

    fn of(&self, images: &Range<usize>) -> &[f32] {
        &self.values[self.range(images)]
    }
}

/// Whether a layer keeps where its outputs came from.
fn is_max_pool(layer: &Layer) -> bool {
    matches!(layer, Layer::Pool(pool) if pool.kind == PoolKind::Max)
}

/// For how many images the output of layer `number` is kept: all, or the current one. A pool keeps its
/// winners, so its input is not needed later; the output of a normalisation is needed by a
/// convolution alone.
fn kept_images(layers: &[Layer], number: usize, keep: Keep) -> usize {
    let next = layers.get(number + 1);
    let normalized = matches!(layers[number], Layer::Lrn(_) | Layer::MapNorm(_))
        && matches!(next, Some(Layer::Pool(_)));
    let batched = is_batched(&layers[number]) || next.is_some_and(is_batched);
    let wanted = match keep {
        Keep::Watched(watched) => watched.contains(&number),
        Keep::Backward => !normalized,
    };
    if next.is_none() || batched || wanted {
        CHUNK
    } else {
        1
    }
}

/// The state of up to [`CHUNK`] images.
pub(super) struct FeatureChunk {
    outputs: Vec<Output>,
    /// Sums of the weight and bias gradients, in the order of the parameters.
    gradients: Vec<Vec<f32>>,
}

impl FeatureChunk {
    /// Buffers for a forward pass, and for what is to be kept of it.
    pub(super) fn new(layers: &[Layer], keep: Keep) -> Self {
        let training = matches!(keep, Keep::Backward);
        let mut outputs = Vec::new();
        let mut gradients = Vec::new();
        for (number, layer) in layers.iter().enumerate() {
            let (images, len) = (kept_images(layers, number, keep), layer.output_len());
            let pools = training && is_max_pool(layer);
            outputs.push(Output {
                len,
                kept: images > 1,
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

    /// Bytes of the buffers of a chunk with its backward pass.
    pub(super) fn bytes(layers: &[Layer]) -> usize {
        let of_layer = |(number, layer): (usize, &Layer)| {
            let values = kept_images(layers, number, Keep::Backward) * layer.output_len();
            let float = size_of::<f32>();
            match layer {
                Layer::Conv(conv) => {
                    (values + conv.shape.weight_len() + conv.shape.outputs) * float
                }
                _ if is_max_pool(layer) => values * (float + 1),
                _ => values * float,
            }
        };
        layers.iter().enumerate().map(of_layer).sum()
    }

    /// The last layer's outputs for the first `count` images.
    pub(super) fn results(&self, count: usize) -> &[f32] {
        self.outputs_of(self.outputs.len() - 1, count)
    }

    /// The outputs of layer `number`, which are kept, for the first `count` images.
    pub(super) fn outputs_of(&self, number: usize, count: usize) -> &[f32] {
        let output = &self.outputs[number];
        debug_assert!(output.kept, "layer {number} is not kept");
        &output.values[..count * output.len]
    }

    /// The gradient of a parameter, summed over the images of the last backward pass.
    pub(super) fn gradient(&self, parameter: usize) -> &[f32] {
        &self.gradients[parameter]
    }

    /// Runs the images through the layers.
    pub(super) fn forward(&mut self, pass: Pass, scratch: &mut Scratch) {
        let operation = &mut scratch.operation;
        for segment in segments(pass.part.layers) {
            if segment.batched {
                self.forward_layer(pass, segment.layers.start, 0..pass.count, operation);
                continue;
            }
            for number in 0..pass.count {
                for index in segment.layers.clone() {
                    self.forward_layer(pass, index, number..number + 1, operation);
                }
            }
        }
    }

    /// Runs images, one alone or all of a batched segment, through layer `index`.
    fn forward_layer(
        &mut self,
        pass: Pass,
        index: usize,
        images: Range<usize>,
        scratch: &mut OperationScratch,
    ) {
        let (before, rest) = self.outputs.split_at_mut(index);
        let input = before
            .last()
            .map_or(pass.images(&images), |output| output.of(&images));
        let range = rest[0].range(&images);
        let Output {
            values, winners, ..
        } = &mut rest[0];
        let output = &mut values[range.clone()];
        let layer = &pass.part.layers[index];
        match layer {
            Layer::Conv(conv) => {
                let [weight, bias] = pass.part.weight_and_bias(index);
                let epilogue = Epilogue::new(bias, conv.activation);
                let values = &mut scratch.values;
                if let Some(plan) = plan(layer, images.len()) {
                    let weights = pass.transformed(index);
                    winograd::forward(&plan, input, weights, epilogue, values, output);
                } else {
                    conv2d::forward(&conv.shape, input, weight, epilogue, values, output);
                }
            }
            Layer::Lrn(norm) => {
                let (config, channels) = (&norm.config, norm.column_channels());
                lrn::forward(config, channels, input, &mut scratch.row, output);
            }
            Layer::MapNorm(norm) => {
                let (config, shape) = (&norm.config, &norm.shape);
                map_norm::forward(config, shape, input, &mut scratch.row, output);
            }
            Layer::Pool(pool) => {
                match pool.kind {
                    PoolKind::Max => {
                        let winners = winners.get_mut(range).unwrap_or_default();
                        max_pool2d::forward(&pool.shape, input, output, winners);
                    }
                    PoolKind::Average => avg_pool2d::forward(&pool.shape, input, output),
                }
                if let Some(function) = pool.activation {
                    activation::apply(output, function);
                }
            }
            Layer::Dropout(_) | Layer::Linear(_) => unreachable!("not a feature layer"),
        }
    }

    /// Computes the sums of the weight gradients of the pass's images, given the gradient of their
    /// results. The images themselves get no gradient.
    pub(super) fn backward(&mut self, pass: Pass, gradient: &[f32], scratch: &mut Scratch) {
        self.gradients.iter_mut().for_each(|sum| sum.fill(0.0));
        scratch.chunk[0][..gradient.len()].copy_from_slice(gradient);
        let layers = pass.part.layers;
        for segment in segments(layers).into_iter().rev() {
            let (first, last) = (segment.layers.start, segment.layers.end - 1);
            if segment.batched {
                let Scratch {
                    operation, chunk, ..
                } = &mut *scratch;
                self.backward_layer(pass, first, 0..pass.count, operation, chunk);
            } else {
                let inputs = first.checked_sub(1).map_or(0, |i| layers[i].output_len());
                let outputs = layers[last].output_len();
                for number in 0..pass.count {
                    let Scratch {
                        operation,
                        image,
                        chunk,
                    } = &mut *scratch;
                    image[0][..outputs].copy_from_slice(&chunk[0][number * outputs..][..outputs]);
                    for index in segment.layers.clone().rev() {
                        let images = number..number + 1;
                        self.backward_layer(pass, index, images, operation, image);
                        image.swap(0, 1);
                    }
                    chunk[1][number * inputs..][..inputs].copy_from_slice(&image[0][..inputs]);
                }
            }
            scratch.chunk.swap(0, 1);
        }
    }

    /// Turns the gradient of layer `index`'s outputs for these images, the first of the buffers, into that
    /// of its inputs, the second.
    fn backward_layer(
        &mut self,
        pass: Pass,
        index: usize,
        images: Range<usize>,
        scratch: &mut OperationScratch,
        buffers: &mut [Vec<f32>; 2],
    ) {
        let OperationScratch { values, row } = scratch;
        let layer = &pass.part.layers[index];
        let [current, next] = buffers;
        let input = match index.checked_sub(1) {
            Some(before) => self.outputs[before].of(&images),
            None => pass.images(&images),
        };
        let gradient = &mut current[..images.len() * layer.output_len()];
        let needed = if index > 0 { input.len() } else { 0 };
        let input_gradient = &mut next[..needed];
        match layer {
            Layer::Conv(conv) => {
                if let Some(function) = conv.activation {
                    activation::backward(function, self.outputs[index].of(&images), gradient);
                }
                let [weight, bias] = pass.part.gradients_of(index, &mut self.gradients);
                if let Some(plan) = plan(layer, images.len()) {
                    let weights = pass.transformed(index);
                    let into = winograd::Gradients {
                        weight,
                        bias,
                        images: input_gradient,
                    };
                    winograd::backward(&plan, input, weights, gradient, values, into);
                } else {
                    let shape = &conv.shape;
                    conv2d::backward_weight(shape, input, gradient, values, weight, bias);
                    if index > 0 {
                        let [weight, _] = pass.part.weight_and_bias(index);
                        conv2d::backward_input(shape, weight, gradient, values, input_gradient);
                    }
                }
            }
            Layer::Lrn(norm) => {
                let (config, channels) = (&norm.config, norm.column_channels());
                lrn::backward(config, channels, input, gradient, row, input_gradient);
            }
            Layer::MapNorm(norm) => {
                let (config, shape) = (&norm.config, &norm.shape);
                map_norm::backward(config, shape, input, gradient, row, input_gradient);
            }
            Layer::Pool(pool) => {
                let output = &self.outputs[index];
                if let Some(function) = pool.activation {
                    activation::backward(function, output.of(&images), gradient);
                }
                match pool.kind {
                    PoolKind::Max => {
                        let winners = &output.winners[output.range(&images)];
                        max_pool2d::backward(&pool.shape, winners, gradient, input_gradient);
                    }
                    PoolKind::Average => {
                        avg_pool2d::backward(&pool.shape, gradient, input_gradient);
                    }
                }
            }
            Layer::Dropout(_) | Layer::Linear(_) => unreachable!("not a feature layer"),
        }
    }
}

/// Buffers of one thread for a layer by itself.
struct Alone {
    chunk: FeatureChunk,
    scratch: OperationScratch,
    /// Of the layer's outputs, and of its inputs.
    gradients: [Vec<f32>; 2],
}

/// Runs the last of `layers` by itself over `rows` images on all threads: its forward pass, then its
/// backward pass, each by way of `time`. The values of one image and of its gradient serve for all. A
/// layer before it is not run, but a layer without one is the network's first and has no gradient of
/// its input.
pub(crate) fn single_layer(
    layers: &[Layer],
    parameters: &[&[f32]],
    rows: usize,
    image: &[f32],
    gradient: &[f32],
    time: impl Fn(&mut dyn FnMut()) -> f64,
) -> [f64; 2] {
    let (part, index) = (Part { layers, parameters }, layers.len() - 1);
    let layer = &layers[index];
    let count = plan(layer, CHUNK.min(rows)).map_or(1, |plan| plan.images);
    let (input, gradient) = (image.repeat(count), gradient.repeat(count));
    let make = || {
        let mut chunk = FeatureChunk::new(layers, Keep::Backward);
        if let Some(before) = index.checked_sub(1) {
            chunk.outputs[before].values[..input.len()].copy_from_slice(&input);
        }
        Alone {
            chunk,
            scratch: Scratch::new(layers).operation,
            gradients: [gradient.clone(), input.clone()],
        }
    };
    // Made beforehand, so that no time is taken for it.
    let threads = 0..rayon::current_num_threads();
    let buffers: Pool<Alone> = threads.map(|_| make()).collect();
    let on_all = |weights: &[Weights], work: &(dyn Fn(Pass, &mut Alone) + Sync)| {
        let pass = Pass {
            part,
            weights,
            images: &input,
            count,
        };
        let runs = (0..rows.div_ceil(count)).into_par_iter();
        runs.for_each(|_| buffers.with(make, |alone| work(pass, alone)));
    };
    let mut weights = vec![Weights::default(); parameters.len() / 2];
    let forward = time(&mut || {
        if let Some(plan) = plan(layer, 1) {
            weights[part.ordinal(index)].set(&plan, part.weight_and_bias(index)[0]);
        }
        on_all(&weights, &|pass, alone| {
            let Alone { chunk, scratch, .. } = alone;
            chunk.forward_layer(pass, index, 0..count, scratch);
        });
    });
    let backward = time(&mut || {
        on_all(&weights, &|pass, alone| {
            let Alone {
                chunk,
                scratch,
                gradients,
            } = alone;
            // A convolution changes the gradient of its output.
            if let Layer::Conv(_) = layer {
                gradients[0].copy_from_slice(&gradient);
            }
            chunk.backward_layer(pass, index, 0..count, scratch, gradients);
        });
    });
    [forward, backward]
}
