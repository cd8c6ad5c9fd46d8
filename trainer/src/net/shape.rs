//! Sizes of the windowed ops. Images are NHWC throughout.

/// A grouped 2-d convolution of square kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Rows of the input image.
    pub height: usize,
    /// Columns of the input image.
    pub width: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step of the kernel.
    pub stride: usize,
    /// Zeros above and to the left.
    pub before: usize,
    /// Zeros below and to the right.
    pub after: usize,
    /// Groups of channels that do not mix; divides inputs and outputs.
    pub groups: usize,
}

impl ConvShape {
    /// Rows of the output.
    #[must_use]
    pub const fn output_height(&self) -> usize {
        (self.height + self.before + self.after - self.kernel) / self.stride + 1
    }

    /// Columns of the output.
    #[must_use]
    pub const fn output_width(&self) -> usize {
        (self.width + self.before + self.after - self.kernel) / self.stride + 1
    }

    /// Output positions of one image.
    #[must_use]
    pub const fn output_pixels(&self) -> usize {
        self.output_height() * self.output_width()
    }

    /// Values of one input image.
    #[must_use]
    pub const fn input_len(&self) -> usize {
        self.height * self.width * self.inputs
    }

    /// Values of one output image.
    #[must_use]
    pub const fn output_len(&self) -> usize {
        self.output_pixels() * self.outputs
    }

    /// Input channels of a group.
    #[must_use]
    pub const fn group_inputs(&self) -> usize {
        self.inputs / self.groups
    }

    /// Output channels of a group.
    #[must_use]
    pub const fn group_outputs(&self) -> usize {
        self.outputs / self.groups
    }

    /// Weights of one output channel: a window of the group's input channels.
    #[must_use]
    pub const fn patch_len(&self) -> usize {
        self.kernel * self.kernel * self.group_inputs()
    }

    /// Weights in all: `[outputs, kernel, kernel, inputs / groups]`.
    #[must_use]
    pub const fn weight_len(&self) -> usize {
        self.outputs * self.patch_len()
    }
}

/// A max pool of square windows without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolShape {
    /// Rows of the input image.
    pub height: usize,
    /// Columns of the input image.
    pub width: usize,
    /// Channels.
    pub channels: usize,
    /// Side of the window.
    pub kernel: usize,
    /// Step of the window.
    pub stride: usize,
}

impl PoolShape {
    /// Rows of the output.
    #[must_use]
    pub const fn output_height(&self) -> usize {
        (self.height - self.kernel) / self.stride + 1
    }

    /// Columns of the output.
    #[must_use]
    pub const fn output_width(&self) -> usize {
        (self.width - self.kernel) / self.stride + 1
    }

    /// Values of one input image.
    #[must_use]
    pub const fn input_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Values of one output image.
    #[must_use]
    pub const fn output_len(&self) -> usize {
        self.output_height() * self.output_width() * self.channels
    }
}

/// Sides of an NHWC image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapShape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels, each normalised by itself.
    pub channels: usize,
}

impl MapShape {
    /// Values of one image.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
