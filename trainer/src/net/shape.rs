//! Sizes of the windowed ops. Images are NHWC throughout.

use serde::Serialize;

/// A grouped 2-d convolution of square kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// What a pool makes of the values of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolKind {
    /// The largest.
    Max,
    /// Their mean; of a window that is cut, the mean of what is inside the image.
    Average,
}

/// A pool of square windows without padding.
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
    /// Whether windows that reach over the right or the bottom border are pooled too, cut to what is
    /// inside: the number of windows is rounded up then, as in cuda-convnet and with PyTorch's
    /// `ceil_mode`. Otherwise what no whole window covers is left out.
    pub cut: bool,
}

impl PoolShape {
    /// Rows of the output.
    #[must_use]
    pub const fn output_height(&self) -> usize {
        self.windows(self.height)
    }

    /// Columns of the output.
    #[must_use]
    pub const fn output_width(&self) -> usize {
        self.windows(self.width)
    }

    /// Windows along a side of `size` pixels. Every window begins inside the image.
    const fn windows(&self, size: usize) -> usize {
        let steps = size - self.kernel;
        let last = steps / self.stride;
        let over = !steps.is_multiple_of(self.stride) && (last + 1) * self.stride < size;
        last + 1 + (self.cut && over) as usize
    }

    /// The window of output pixel `pixel`.
    #[must_use]
    pub const fn window(&self, pixel: usize) -> PoolWindow {
        let columns = self.output_width();
        let (top, left) = (pixel / columns * self.stride, pixel % columns * self.stride);
        PoolWindow {
            corner: (top * self.width + left) * self.channels,
            rows: least(self.kernel, self.height - top),
            columns: least(self.kernel, self.width - left),
        }
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

/// A pool's window, as far as it is inside the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolWindow {
    /// Place in the image of the first value.
    pub corner: usize,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
}

impl PoolWindow {
    /// Pixels of the window.
    #[must_use]
    pub const fn pixels(&self) -> usize {
        self.rows * self.columns
    }
}

/// The lesser of two numbers.
const fn least(a: usize, b: usize) -> usize {
    if a < b { a } else { b }
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

#[cfg(test)]
mod tests {
    use super::PoolShape;

    #[test]
    fn cut_windows_round_the_count_up_and_begin_inside() {
        let windows = |size, kernel, stride, cut| {
            let shape = PoolShape {
                height: size,
                width: size,
                channels: 1,
                kernel,
                stride,
                cut,
            };
            assert_eq!(shape.output_height(), shape.output_width());
            shape.output_height()
        };
        // PyTorch's `AvgPool2d(kernel, stride, ceil_mode=cut)`.
        for (size, kernel, stride, whole, cut) in [
            (32, 3, 2, 15, 16),
            (16, 3, 2, 7, 8),
            (8, 3, 2, 3, 4),
            (7, 3, 2, 3, 3),
            (55, 2, 2, 27, 28),
            (3, 3, 2, 1, 1),
            // A fourth window would begin at 6, outside.
            (5, 1, 3, 2, 2),
            (7, 2, 3, 2, 3),
        ] {
            assert_eq!(
                windows(size, kernel, stride, false),
                whole,
                "{size} {kernel} {stride}"
            );
            assert_eq!(
                windows(size, kernel, stride, true),
                cut,
                "{size} {kernel} {stride}"
            );
        }
    }
}
