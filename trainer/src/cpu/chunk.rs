//! What the images of a chunk leave behind in the convolutional layers, and their way through them.

use std::ops::Range;

use crate::cpu::features::CHUNK;
use crate::cpu::ops::winograd::{self, Weights};
use crate::cpu::ops::{activation, conv2d, lrn, map_norm, max_pool2d};
use crate::cpu::scratch::Scratch;
use crate::cpu::stretch::{Stretch, plan, stretches, together};
use crate::net::Part;
use crate::net::layer::{ConvLayer, Layer};

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
pub(crate) fn is_kept(layers: &[Layer], number: usize, training: bool) -> bool {
    let next = layers.get(number + 1);
    let normalised = matches!(layers[number], Layer::Lrn(_) | Layer::MapNorm(_))
        && matches!(next, Some(Layer::Pool(_)));
    let grouped = together(&layers[number]) || next.is_some_and(together);
    next.is_none() || grouped || (training && !normalised)
}

/// The state of up to [`CHUNK`] images.
pub(crate) struct FeatureChunk {
    outputs: Vec<Output>,
    /// Sums of the weight and bias gradients, in the order of the parameters.
    pub(crate) gradients: Vec<Vec<f32>>,
}

impl FeatureChunk {
    /// Buffers for a backward pass too if `training`, else for the last layer's outputs only.
    pub(crate) fn new(layers: &[Layer], training: bool) -> Self {
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
    pub(crate) fn result(&self, image: usize) -> &[f32] {
        self.outputs
            .last()
            .expect("conv1 is never left out")
            .image(image)
    }

    /// Runs `images`, `count` of them, through the layers.
    pub(crate) fn forward(
        &mut self,
        part: Part,
        weights: &[Weights],
        scratch: &mut Scratch,
        images: &[f32],
        count: usize,
    ) {
        for stretch in stretches(part.layers) {
            if stretch.together {
                self.forward_together(part, weights, scratch, &stretch, images, count);
                continue;
            }
            for number in 0..count {
                let mut convolutions = stretch.convolutions;
                for index in stretch.layers.clone() {
                    let image = &images[number * images.len() / count..];
                    let given = (image, number, convolutions);
                    self.forward_image(part, weights, scratch, index, given);
                    convolutions += usize::from(matches!(part.layers[index], Layer::Conv(_)));
                }
            }
        }
    }

    /// Runs all images through convolution `stretch.convolutions`.
    fn forward_together(
        &mut self,
        part: Part,
        weights: &[Weights],
        scratch: &mut Scratch,
        stretch: &Stretch,
        images: &[f32],
        count: usize,
    ) {
        let index = stretch.layers.start;
        let (conv, plan) = filtered(&part.layers[index], count);
        let (before, rest) = self.outputs.split_at_mut(index);
        let input = before.last().map_or(images, |output| &output.values);
        let input = &input[..count * conv.shape.input_len()];
        let output = &mut rest[0].values[..count * conv.shape.output_len()];
        let bias = part.parameters[2 * stretch.convolutions + 1];
        let weights = &weights[stretch.convolutions];
        let (function, values) = (conv.activation, &mut scratch.values);
        winograd::forward(&plan, input, weights, bias, function, values, output);
    }

    /// Runs image `number`, given as `image` to the first layer, through layer `index`; `convolutions`
    /// come before it.
    fn forward_image(
        &mut self,
        part: Part,
        weights: &[Weights],
        scratch: &mut Scratch,
        index: usize,
        (image, number, convolutions): (&[f32], usize, usize),
    ) {
        let (before, rest) = self.outputs.split_at_mut(index);
        let input = before.last().map_or(image, |output| output.image(number));
        let range = rest[0].range(number);
        let Output {
            values, winners, ..
        } = &mut rest[0];
        let output = &mut values[range.clone()];
        match &part.layers[index] {
            Layer::Conv(conv) => {
                let (shape, function) = (&conv.shape, conv.activation);
                let [weight, bias] = part.parameters[2 * convolutions..][..2] else {
                    unreachable!("a slice of two")
                };
                let input = &input[..shape.input_len()];
                let values = &mut scratch.values;
                if let Some(plan) = plan(&part.layers[index], 1) {
                    let weights = &weights[convolutions];
                    winograd::forward(&plan, input, weights, bias, function, values, output);
                } else {
                    conv2d::forward(shape, input, weight, bias, function, values, output);
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
                let winners = winners.get_mut(range).unwrap_or_default();
                max_pool2d::forward(&pool.shape, input, output, winners);
                if let Some(function) = pool.activation {
                    activation::apply(output, function);
                }
            }
            Layer::Dropout(_) | Layer::Linear(_) => unreachable!("not a feature layer"),
        }
    }

    /// Adds to [`gradients`](Self::gradients) the share of the chunk's `count` images, given the
    /// gradient of their results. The images themselves get no gradient.
    pub(crate) fn backward(
        &mut self,
        part: Part,
        weights: &[Weights],
        scratch: &mut Scratch,
        images: &[f32],
        gradient: &[f32],
        count: usize,
    ) {
        scratch.chunk[0][..gradient.len()].copy_from_slice(gradient);
        for stretch in stretches(part.layers).into_iter().rev() {
            if stretch.together {
                self.backward_together(part, weights, scratch, &stretch, images, count);
            } else {
                let first = stretch.layers.start;
                let given = first
                    .checked_sub(1)
                    .map_or(0, |i| part.layers[i].output_len());
                let taken = part.layers[stretch.layers.end - 1].output_len();
                for number in 0..count {
                    scratch.image[0][..taken]
                        .copy_from_slice(&scratch.chunk[0][number * taken..][..taken]);
                    let image = &images[number * images.len() / count..];
                    self.backward_image(part, weights, scratch, &stretch, (image, number));
                    scratch.chunk[1][number * given..][..given]
                        .copy_from_slice(&scratch.image[0][..given]);
                }
            }
            scratch.chunk.swap(0, 1);
        }
    }

    /// Takes the gradient of a convolution's outputs for all images, and leaves that of its inputs.
    fn backward_together(
        &mut self,
        part: Part,
        weights: &[Weights],
        scratch: &mut Scratch,
        stretch: &Stretch,
        images: &[f32],
        count: usize,
    ) {
        let index = stretch.layers.start;
        let (conv, plan) = filtered(&part.layers[index], count);
        let (inputs, outputs) = (
            count * conv.shape.input_len(),
            count * conv.shape.output_len(),
        );
        let Scratch { values, chunk, .. } = scratch;
        let [current, next] = chunk;
        let gradient = &mut current[..outputs];
        if let Some(function) = conv.activation {
            activation::backward(function, &self.outputs[index].values[..outputs], gradient);
        }
        let (input, into) = match index.checked_sub(1) {
            Some(before) => (&self.outputs[before].values[..inputs], &mut next[..inputs]),
            None => (&images[..inputs], &mut next[..0]),
        };
        let parameter = 2 * stretch.convolutions;
        let [weight, bias] = &mut self.gradients[parameter..parameter + 2] else {
            unreachable!("a slice of two")
        };
        let weights = &weights[stretch.convolutions];
        winograd::backward(
            &plan,
            input,
            weights,
            gradient,
            values,
            (weight, bias),
            into,
        );
    }

    /// The same for one image and all layers of a stretch.
    fn backward_image(
        &mut self,
        part: Part,
        weights: &[Weights],
        scratch: &mut Scratch,
        stretch: &Stretch,
        (image, number): (&[f32], usize),
    ) {
        let Scratch {
            values,
            row,
            image: buffers,
            ..
        } = scratch;
        let layers = &part.layers[stretch.layers.clone()];
        let convolutions = layers.iter().filter(|l| matches!(l, Layer::Conv(_)));
        let mut convolution = stretch.convolutions + convolutions.count();
        for (index, layer) in stretch.layers.clone().zip(layers).rev() {
            let [current, next] = &mut *buffers;
            let input = match index.checked_sub(1) {
                Some(before) => self.outputs[before].image(number),
                None => image,
            };
            let gradient = &mut current[..layer.output_len()];
            let needed = if index > 0 { input.len() } else { 0 };
            let input_gradient = &mut next[..needed];
            match layer {
                Layer::Conv(conv) => {
                    convolution -= 1;
                    let output = self.outputs[index].image(number);
                    if let Some(function) = conv.activation {
                        activation::backward(function, output, gradient);
                    }
                    let parameter = 2 * convolution;
                    let [weight, bias] = &mut self.gradients[parameter..parameter + 2] else {
                        unreachable!("a slice of two")
                    };
                    let shape = &conv.shape;
                    let input = &input[..shape.input_len()];
                    if let Some(plan) = plan(layer, 1) {
                        let (weights, sums) = (&weights[convolution], (&mut **weight, &mut **bias));
                        let into = input_gradient;
                        winograd::backward(&plan, input, weights, gradient, values, sums, into);
                    } else {
                        conv2d::backward_weight(shape, input, gradient, values, weight, bias);
                        if index > 0 {
                            let weight = part.parameters[parameter];
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
                        activation::backward(function, output.image(number), gradient);
                    }
                    let winners = &output.winners[output.range(number)];
                    max_pool2d::backward(&pool.shape, winners, gradient, input_gradient);
                }
                Layer::Dropout(_) | Layer::Linear(_) => unreachable!("not a feature layer"),
            }
            buffers.swap(0, 1);
        }
    }
}

/// A convolution that is known to have a plan, and the plan.
fn filtered(layer: &Layer, images: usize) -> (&ConvLayer, winograd::Plan) {
    match (layer, plan(layer, images)) {
        (Layer::Conv(conv), Some(plan)) => (conv, plan),
        _ => unreachable!("only convolutions with a plan go together"),
    }
}
