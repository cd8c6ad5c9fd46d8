//! Convolutions of stride 1 by Winograd's minimal filtering: fewer multiplications for the same sums.
//!
//! Every tile of two by two outputs takes 16 products a pair of channels where kernels are 3x3, instead
//! of 36, and 36 instead of 100 where they are 5x5. Tiles of inputs and kernels are transformed by a few
//! additions, the products of all tiles are one matrix product for each of the 16 or 36 frequencies,
//! and their sums are transformed back. Several images share the products, so that the matrices are
//! large.
//!
//! Results differ from a direct sum by rounding alone; the same images in one call give the same bits.

mod tiles;
mod transforms;
mod weights;

use crate::cpu::ops::activation::Epilogue;
use crate::cpu::ops::conv2d;
use crate::cpu::ops::gemm::{Matrix, MatrixMut, Threads, Write, multiply};
use crate::net::shape::ConvShape;
use tiles::Grid;
use transforms::{Five, Three};

/// Unused floats between the values of different frequencies: without a gap they would
/// all map to the same few lines of the first-level cache.
const GAP: usize = 16;

/// Fewest tiles of one image that make a matrix of sufficient size.
const SUFFICIENT_TILES: usize = 128;

/// Channels that are transformed side by side.
const LANES: usize = 8;

/// One value of each of [`LANES`] channels.
type Vector = [f32; LANES];

const ZERO: Vector = [0.0; LANES];

/// A linear map of `I` values to `O`.
trait Transform<const I: usize, const O: usize> {
    /// Applies it to every channel.
    fn apply(values: [Vector; I]) -> [Vector; O];
}

/// The transforms of kernels of `R` weights to and from `T = R + 1` values.
trait Algorithm<const T: usize, const R: usize> {
    /// Inputs to values.
    type Input: Transform<T, T>;
    /// Its adjoint.
    type InputAdjoint: Transform<T, T>;
    /// Weights to values.
    type Weight: Transform<R, T>;
    /// Its adjoint.
    type WeightAdjoint: Transform<T, R>;
    /// Values to outputs.
    type Output: Transform<T, 2>;
    /// Its adjoint.
    type OutputAdjoint: Transform<2, T>;
}

/// The values of [`LANES`] channels from `at` on.
#[inline(always)]
fn load(values: &[f32], at: usize) -> Vector {
    let mut lane = ZERO;
    lane.copy_from_slice(&values[at..at + LANES]);
    lane
}

/// Applies a map along both axes of a square.
#[inline(always)]
fn both<L: Transform<I, O>, const I: usize, const O: usize>(
    block: &[[Vector; I]; I],
) -> [[Vector; O]; O] {
    let mut rows = [[ZERO; O]; I];
    for i in 0..I {
        rows[i] = L::apply(block[i]);
    }
    let mut result = [[ZERO; O]; O];
    for j in 0..O {
        let mut column = [ZERO; I];
        for i in 0..I {
            column[i] = rows[i][j];
        }
        let column = L::apply(column);
        for i in 0..O {
            result[i][j] = column[i];
        }
    }
    result
}

/// A convolution's weights for every frequency and group, laid out for both directions.
#[derive(Clone, Debug, Default)]
pub struct Weights {
    /// `[frequency][group outputs, group inputs]`, for the gradient of the inputs.
    by_output: Vec<f32>,
    /// `[frequency][group inputs, group outputs]`, for the outputs.
    by_input: Vec<f32>,
}

/// Sizes for a number of images.
///
/// Every tile of two by two outputs has `side * side` frequencies. For each of them, the tiles of all
/// images are the rows of one matrix, `[tiles, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The convolution.
    pub shape: ConvShape,
    /// Images that share the matrix products.
    pub images: usize,
}

impl Plan {
    /// Whether a convolution can be computed this way: kernels of 3 or 5, every position, and channels
    /// in whole lanes.
    #[must_use]
    pub fn fits(shape: &ConvShape) -> bool {
        matches!(shape.kernel, 3 | 5)
            && shape.stride == 1
            && shape.inputs.is_multiple_of(LANES)
            && shape.outputs.is_multiple_of(LANES)
            && shape.group_inputs().is_multiple_of(LANES)
    }

    /// How up to `images` images are best computed: together where one of them has few tiles, otherwise
    /// one by one. `None` where [`fits`](Self::fits) says no, so for a convolution by patches.
    #[must_use]
    pub fn of(shape: &ConvShape, images: usize) -> Option<Self> {
        let one = Self {
            shape: *shape,
            images: 1,
        };
        let is_small = || one.image_tiles() < SUFFICIENT_TILES;
        Self::fits(shape).then(|| Self {
            images: if is_small() { images } else { 1 },
            ..one
        })
    }

    /// Side of a tile of inputs.
    const fn side(&self) -> usize {
        self.shape.kernel + 1
    }

    /// Frequencies of a tile.
    const fn frequencies(&self) -> usize {
        self.side() * self.side()
    }

    /// Tiles along the rows.
    const fn columns(&self) -> usize {
        self.shape.output_width().div_ceil(2)
    }

    /// Tiles of one image.
    #[must_use]
    pub const fn image_tiles(&self) -> usize {
        self.shape.output_height().div_ceil(2) * self.columns()
    }

    /// Tiles of all images.
    const fn tiles(&self) -> usize {
        self.images * self.image_tiles()
    }

    /// Weights of one frequency of one group.
    const fn group_weights(&self) -> usize {
        self.shape.group_outputs() * self.shape.group_inputs()
    }

    /// Floats from one frequency of the inputs to the next.
    const fn input_step(&self) -> usize {
        self.tiles() * self.shape.inputs + GAP
    }

    /// Floats from one frequency of the outputs to the next.
    const fn output_step(&self) -> usize {
        self.tiles() * self.shape.outputs + GAP
    }

    /// Floats from one frequency of the weights to the next.
    const fn weight_step(&self) -> usize {
        self.shape.groups * self.group_weights() + GAP
    }

    /// Values of transformed inputs.
    const fn inputs_len(&self) -> usize {
        self.frequencies() * self.input_step()
    }

    /// Values of transformed outputs.
    const fn outputs_len(&self) -> usize {
        self.frequencies() * self.output_step()
    }

    /// Values of transformed weights.
    #[must_use]
    pub const fn weights_len(&self) -> usize {
        self.frequencies() * self.weight_step()
    }

    /// Values of scratch for [`forward`], and if `training` for
    /// [`backward`] too.
    #[must_use]
    pub const fn scratch_len(&self, training: bool) -> usize {
        let weights = if training { self.weights_len() } else { 0 };
        self.inputs_len() + self.outputs_len() + weights
    }
}

/// `output = activation(image * weight + bias)` for `plan.images` images, as
/// [`conv2d::forward`] does for one.
pub fn forward(
    plan: &Plan,
    images: &[f32],
    weights: &Weights,
    epilogue: Epilogue,
    scratch: &mut [f32],
    output: &mut [f32],
) {
    match plan.shape.kernel {
        3 => forward_by::<Three, 4, 3>(plan, images, weights, scratch, output),
        _ => forward_by::<Five, 6, 5>(plan, images, weights, scratch, output),
    }
    epilogue.apply(output);
}

fn forward_by<X: Algorithm<T, R>, const T: usize, const R: usize>(
    plan: &Plan,
    images: &[f32],
    weights: &Weights,
    scratch: &mut [f32],
    output: &mut [f32],
) {
    let (inputs, outputs) = scratch.split_at_mut(plan.inputs_len());
    let outputs = &mut outputs[..plan.outputs_len()];
    Grid::inputs(plan).to_frequencies::<X::Input, T, T>(images, inputs);
    let shape = &plan.shape;
    let (rows, columns) = (shape.group_inputs(), shape.group_outputs());
    for frequency in 0..plan.frequencies() {
        for group in 0..shape.groups {
            let input = frequency * plan.input_step() + group * rows;
            let output = frequency * plan.output_step() + group * columns;
            let weight = frequency * plan.weight_step() + group * plan.group_weights();
            multiply(
                MatrixMut::new(&mut outputs[output..], plan.tiles(), columns, shape.outputs),
                Write::Replace,
                Matrix::new(&inputs[input..], plan.tiles(), rows, shape.inputs),
                Matrix::new(&weights.by_input[weight..], rows, columns, columns),
                Threads::One,
            );
        }
    }
    Grid::outputs(plan).to_positions::<X::Output, T, 2, false>(outputs, output);
}

/// Where [`backward`] puts its gradients.
pub struct Gradients<'a> {
    /// Of the weight; added to.
    pub weight: &'a mut [f32],
    /// Of the bias; added to.
    pub bias: &'a mut [f32],
    /// Of the images; written, unless it is empty.
    pub images: &'a mut [f32],
}

/// Computes the gradients of weight, bias and images, given that of the output before the activation.
pub fn backward(
    plan: &Plan,
    images: &[f32],
    weights: &Weights,
    output_gradient: &[f32],
    scratch: &mut [f32],
    gradients: Gradients,
) {
    conv2d::add_rows(output_gradient, gradients.bias);
    match plan.shape.kernel {
        3 => backward_by::<Three, 4, 3>(plan, images, weights, output_gradient, scratch, gradients),
        _ => backward_by::<Five, 6, 5>(plan, images, weights, output_gradient, scratch, gradients),
    }
}

fn backward_by<X: Algorithm<T, R>, const T: usize, const R: usize>(
    plan: &Plan,
    images: &[f32],
    weights: &Weights,
    output_gradient: &[f32],
    scratch: &mut [f32],
    gradients: Gradients,
) {
    let (inputs, rest) = scratch.split_at_mut(plan.inputs_len());
    let (outputs, products) = rest.split_at_mut(plan.outputs_len());
    Grid::inputs(plan).to_frequencies::<X::Input, T, T>(images, inputs);
    Grid::outputs(plan).to_frequencies::<X::OutputAdjoint, 2, T>(output_gradient, outputs);
    let shape = &plan.shape;
    let (rows, columns) = (shape.group_outputs(), shape.group_inputs());
    for frequency in 0..plan.frequencies() {
        for group in 0..shape.groups {
            let input = frequency * plan.input_step() + group * columns;
            let output = frequency * plan.output_step() + group * rows;
            let weight = frequency * plan.weight_step() + group * plan.group_weights();
            let gradient = Matrix::new(&outputs[output..], plan.tiles(), rows, shape.outputs);
            multiply(
                MatrixMut::new(&mut products[weight..], rows, columns, columns),
                Write::Replace,
                gradient.transposed(),
                Matrix::new(&inputs[input..], plan.tiles(), columns, shape.inputs),
                Threads::One,
            );
            if gradients.images.is_empty() {
                continue;
            }
            // The inputs of this frequency and group are not needed again.
            multiply(
                MatrixMut::new(&mut inputs[input..], plan.tiles(), columns, shape.inputs),
                Write::Replace,
                gradient,
                Matrix::new(&weights.by_output[weight..], rows, columns, columns),
                Threads::One,
            );
        }
    }
    weights::add_from_frequencies::<X, T, R>(plan, products, gradients.weight);
    if !gradients.images.is_empty() {
        Grid::inputs(plan).to_positions::<X::InputAdjoint, T, T, true>(inputs, gradients.images);
    }
}
