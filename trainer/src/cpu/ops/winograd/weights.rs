//! Weights to and from frequencies.

use rayon::prelude::*;

use crate::cpu::ops::vectorised;
use crate::cpu::ops::winograd::transforms::{Five, Three};
use crate::cpu::ops::winograd::{Algorithm, LANES, Plan, Vector, Weights, both, load};

/// Side of the blocks in which a matrix is transposed: 4 KiB at each end.
const BLOCK: usize = 32;

impl Weights {
    /// Transforms `weight`, `[outputs, kernel, kernel, inputs / groups]`, on all threads.
    pub fn set(&mut self, plan: &Plan, weight: &[f32]) {
        self.by_output.resize(plan.weights_len(), 0.0);
        self.by_input.resize(plan.weights_len(), 0.0);
        match plan.shape.kernel {
            3 => to_frequencies::<Three, 4, 3>(plan, weight, &mut self.by_output),
            _ => to_frequencies::<Five, 6, 5>(plan, weight, &mut self.by_output),
        }
        let len = plan.group_weights();
        let (outputs, inputs) = (plan.shape.group_outputs(), plan.shape.group_inputs());
        self.by_input
            .par_chunks_mut(plan.weight_step())
            .zip(self.by_output.par_chunks(plan.weight_step()))
            .for_each(|(to, from)| {
                let groups = from.chunks_exact(len).zip(to.chunks_exact_mut(len));
                groups
                    .take(plan.shape.groups)
                    .for_each(|(from, to)| transpose(from, outputs, inputs, to));
            });
    }
}

/// `to = from^T`, `from` being `[rows, columns]`.
fn transpose(from: &[f32], rows: usize, columns: usize, to: &mut [f32]) {
    for first_row in (0..rows).step_by(BLOCK) {
        for first_column in (0..columns).step_by(BLOCK) {
            for column in first_column..(first_column + BLOCK).min(columns) {
                for row in first_row..(first_row + BLOCK).min(rows) {
                    to[column * rows + row] = from[row * columns + column];
                }
            }
        }
    }
}

/// The place of output channel `output` within a frequency: groups follow each other.
fn place(plan: &Plan, output: usize) -> usize {
    output * plan.shape.group_inputs()
}

fn to_frequencies<X: Algorithm<T, R>, const T: usize, const R: usize>(
    plan: &Plan,
    weight: &[f32],
    values: &mut [f32],
) {
    let inputs = plan.shape.group_inputs();
    vectorised(
        #[inline(always)]
        || {
            for (output, weight) in weight.chunks_exact(R * R * inputs).enumerate() {
                for channel in (0..inputs).step_by(LANES) {
                    let mut block = [[[0.0; LANES]; R]; R];
                    for (i, row) in block.iter_mut().enumerate() {
                        for (j, lane) in row.iter_mut().enumerate() {
                            *lane = load(weight, (i * R + j) * inputs + channel);
                        }
                    }
                    let block: [[Vector; T]; T] = both::<X::Weight, R, T>(&block);
                    for (i, row) in block.iter().enumerate() {
                        for (j, lane) in row.iter().enumerate() {
                            let at =
                                (i * T + j) * plan.weight_step() + place(plan, output) + channel;
                            values[at..at + LANES].copy_from_slice(lane);
                        }
                    }
                }
            }
        },
    );
}

/// Adds to the gradient of the weights, given those of their values at every frequency.
pub(super) fn add_from_frequencies<X: Algorithm<T, R>, const T: usize, const R: usize>(
    plan: &Plan,
    values: &[f32],
    gradient: &mut [f32],
) {
    let inputs = plan.shape.group_inputs();
    vectorised(
        #[inline(always)]
        || {
            for (output, gradient) in gradient.chunks_exact_mut(R * R * inputs).enumerate() {
                for channel in (0..inputs).step_by(LANES) {
                    let mut block = [[[0.0; LANES]; T]; T];
                    for (i, row) in block.iter_mut().enumerate() {
                        for (j, lane) in row.iter_mut().enumerate() {
                            let at =
                                (i * T + j) * plan.weight_step() + place(plan, output) + channel;
                            *lane = load(values, at);
                        }
                    }
                    let block: [[Vector; R]; R] = both::<X::WeightAdjoint, T, R>(&block);
                    for (i, row) in block.iter().enumerate() {
                        for (j, lane) in row.iter().enumerate() {
                            let at = (i * R + j) * inputs + channel;
                            let gradient = &mut gradient[at..at + LANES];
                            for (g, add) in gradient.iter_mut().zip(lane) {
                                *g += add;
                            }
                        }
                    }
                }
            }
        },
    );
}
