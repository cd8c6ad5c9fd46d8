//! The convolution of a batch on the CPU, by the kernels that `train` uses: chunks of images in parallel,
//! the weight gradients of each chunk added up in the order of the chunks.

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::CHUNK;
use crate::cpu::ops::activation::{self, Epilogue};
use crate::cpu::ops::conv2d;
use crate::cpu::ops::winograd::{self, Plan, Weights};
use crate::cpu::pool::Pool;
use crate::net::config::Activation;
use crate::net::shape::ConvShape;

/// Values of a task that adds up the chunks' gradients.
const SUM_CHUNK: usize = 1 << 14;

/// A convolution with its weight, `[outputs, kernel, kernel, inputs / groups]`.
pub(super) struct Convolution<'a> {
    shape: &'a ConvShape,
    weight: &'a [f32],
    /// The weight of minimal filtering; empty where images are computed by patches.
    transformed: Weights,
    /// Images that are computed at once.
    together: usize,
}

/// What follows the convolution: its function, and what came out of it.
pub(super) type Outputs<'a> = Option<(Activation, &'a [f32])>;

/// The gradients of a batch.
pub(super) struct Gradients {
    /// Of the images; empty if it is not needed.
    pub(super) images: Vec<f32>,
    /// Of the weight, summed over the images.
    pub(super) weight: Vec<f32>,
    /// Of the bias, summed over the images.
    pub(super) bias: Vec<f32>,
}

/// What a thread writes to besides its results.
#[derive(Default)]
struct Scratch {
    /// Patches or transformed values.
    values: Vec<f32>,
    /// The gradient before the activation.
    gradient: Vec<f32>,
}

impl<'a> Convolution<'a> {
    pub(super) fn new(shape: &'a ConvShape, weight: &'a [f32]) -> Self {
        let plan = Plan::of(shape, CHUNK);
        let mut transformed = Weights::default();
        if let Some(plan) = plan {
            transformed.set(&plan, weight);
        }
        Self {
            shape,
            weight,
            transformed,
            together: plan.map_or(1, |plan| plan.images),
        }
    }

    fn scratch(&self, training: bool) -> Scratch {
        let values = match Plan::of(self.shape, self.together) {
            Some(plan) => plan.scratch_len(training),
            None => conv2d::scratch_len(self.shape),
        };
        let images = if training { self.together } else { 0 };
        Scratch {
            values: vec![0.0; values],
            gradient: vec![0.0; images * self.shape.output_len()],
        }
    }

    /// The outputs of `[rows, height, width, inputs]`, after bias and activation.
    pub(super) fn forward(&self, images: &[f32], epilogue: Epilogue) -> Vec<f32> {
        let s = self.shape;
        let mut outputs = vec![0.0; images.len() / s.input_len() * s.output_len()];
        let pool = Pool::default();
        images
            .par_chunks(self.together * s.input_len())
            .zip(outputs.par_chunks_mut(self.together * s.output_len()))
            .for_each(|(images, outputs)| {
                pool.with(
                    || self.scratch(false),
                    |scratch: &mut Scratch| {
                        let values = &mut scratch.values;
                        let Some(plan) = Plan::of(s, images.len() / s.input_len()) else {
                            conv2d::forward(s, images, self.weight, epilogue, values, outputs);
                            return;
                        };
                        let weights = &self.transformed;
                        winograd::forward(&plan, images, weights, epilogue, values, outputs);
                    },
                );
            });
        outputs
    }

    /// The gradients, given that of the outputs; that of the images only if `with_images`.
    pub(super) fn backward(
        &self,
        images: &[f32],
        outputs: Outputs,
        output_gradients: &[f32],
        with_images: bool,
    ) -> Gradients {
        let s = self.shape;
        let mut image_gradients = vec![0.0; if with_images { images.len() } else { 0 }];
        let rows = images.len() / s.input_len();
        let mut parts: Vec<&mut [f32]> =
            image_gradients.chunks_mut(CHUNK * s.input_len()).collect();
        parts.resize_with(rows.div_ceil(CHUNK), Default::default);
        let pool = Pool::default();
        let sums: Vec<_> = parts
            .into_par_iter()
            .enumerate()
            .map(|(number, part)| {
                let first = number * CHUNK;
                let mut weight = vec![0.0; s.weight_len()];
                let mut bias = vec![0.0; s.outputs];
                for from in (first..rows.min(first + CHUNK)).step_by(self.together) {
                    let piece = from..rows.min(from + self.together);
                    let input = rows_of(images, s.input_len(), &piece);
                    let outputs = outputs.map(|(function, values)| {
                        (function, rows_of(values, s.output_len(), &piece))
                    });
                    let gradient = rows_of(output_gradients, s.output_len(), &piece);
                    let place = piece.start - first..piece.end - first;
                    let into = winograd::Gradients {
                        weight: &mut weight,
                        bias: &mut bias,
                        images: if with_images {
                            &mut part[place.start * s.input_len()..place.end * s.input_len()]
                        } else {
                            &mut []
                        },
                    };
                    pool.with(
                        || self.scratch(true),
                        |scratch| self.backward_piece(input, outputs, gradient, scratch, into),
                    );
                }
                [weight, bias]
            })
            .collect();
        Gradients {
            images: image_gradients,
            weight: sum(&sums, 0, s.weight_len()),
            bias: sum(&sums, 1, s.outputs),
        }
    }

    /// The backward pass of the images that are computed at once.
    fn backward_piece(
        &self,
        images: &[f32],
        outputs: Outputs,
        output_gradient: &[f32],
        scratch: &mut Scratch,
        into: winograd::Gradients,
    ) {
        let Scratch { values, gradient } = scratch;
        let s = self.shape;
        let gradient = match outputs {
            Some((function, outputs)) => {
                let gradient = &mut gradient[..output_gradient.len()];
                gradient.copy_from_slice(output_gradient);
                activation::backward(function, outputs, gradient);
                &*gradient
            }
            None => output_gradient,
        };
        if let Some(plan) = Plan::of(s, images.len() / s.input_len()) {
            winograd::backward(&plan, images, &self.transformed, gradient, values, into);
            return;
        }
        conv2d::backward_weight(s, images, gradient, values, into.weight, into.bias);
        if !into.images.is_empty() {
            conv2d::backward_input(s, self.weight, gradient, values, into.images);
        }
    }
}

/// The values of some rows.
fn rows_of<'v>(values: &'v [f32], len: usize, rows: &Range<usize>) -> &'v [f32] {
    &values[rows.start * len..rows.end * len]
}

/// Adds the chunks' gradients number `which` up in the order of the chunks.
fn sum(chunks: &[[Vec<f32>; 2]], which: usize, len: usize) -> Vec<f32> {
    let mut sums = vec![0.0; len];
    sums.par_chunks_mut(SUM_CHUNK)
        .enumerate()
        .for_each(|(number, sums)| {
            let first = number * SUM_CHUNK;
            for chunk in chunks {
                let part = &chunk[which][first..first + sums.len()];
                sums.iter_mut()
                    .zip(part)
                    .for_each(|(sum, part)| *sum += part);
            }
        });
    sums
}
