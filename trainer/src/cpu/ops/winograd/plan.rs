//! Sizes of a convolution by minimal filtering: tiles, values, and where they are.

use crate::cpu::ops::winograd::transforms::LANES;
use crate::net::shape::ConvShape;

/// Unused floats between the values of different frequencies: without a gap they would
/// all map to the same few lines of the first-level cache.
const GAP: usize = 16;

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

    /// Side of a tile of inputs.
    pub(crate) const fn side(&self) -> usize {
        self.shape.kernel + 1
    }

    /// Frequencies of a tile.
    pub(crate) const fn frequencies(&self) -> usize {
        self.side() * self.side()
    }

    /// Tiles along the rows.
    pub(crate) const fn columns(&self) -> usize {
        self.shape.output_width().div_ceil(2)
    }

    /// Tiles of one image.
    #[must_use]
    pub const fn image_tiles(&self) -> usize {
        self.shape.output_height().div_ceil(2) * self.columns()
    }

    /// Tiles of all images.
    pub(crate) const fn tiles(&self) -> usize {
        self.images * self.image_tiles()
    }

    /// Weights of one frequency of one group.
    pub(crate) const fn group_weights(&self) -> usize {
        self.shape.group_outputs() * self.shape.group_inputs()
    }

    /// Floats from one frequency of the inputs to the next.
    pub(crate) const fn input_step(&self) -> usize {
        self.tiles() * self.shape.inputs + GAP
    }

    /// Floats from one frequency of the outputs to the next.
    pub(crate) const fn output_step(&self) -> usize {
        self.tiles() * self.shape.outputs + GAP
    }

    /// Floats from one frequency of the weights to the next.
    pub(crate) const fn weight_step(&self) -> usize {
        self.shape.groups * self.group_weights() + GAP
    }

    /// Values of transformed inputs.
    pub(crate) const fn inputs_len(&self) -> usize {
        self.frequencies() * self.input_step()
    }

    /// Values of transformed outputs.
    pub(crate) const fn outputs_len(&self) -> usize {
        self.frequencies() * self.output_step()
    }

    /// Values of transformed weights.
    #[must_use]
    pub const fn weights_len(&self) -> usize {
        self.frequencies() * self.weight_step()
    }

    /// Values of scratch for [`forward`](super::forward), and if `training` for
    /// [`backward`](super::backward) too.
    #[must_use]
    pub const fn scratch_len(&self, training: bool) -> usize {
        let weights = if training { self.weights_len() } else { 0 };
        self.inputs_len() + self.outputs_len() + weights
    }
}
