//! Between NHWC and NCHW.

use candle_core::{Result, Tensor};

use crate::net::Model;
use crate::net::layer::Layer;

/// An image as PyTorch has it, `[channels, height, width]`.
pub(crate) fn to_chw(image: &Tensor) -> Result<Tensor> {
    image.permute((2, 0, 1))?.contiguous()
}

/// An image of PyTorch as it is here, `[height, width, channels]`.
pub(crate) fn to_hwc(image: &Tensor) -> Result<Tensor> {
    image.permute((1, 2, 0))?.contiguous()
}

/// Rows, columns and channels of what fc6 sees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Features([usize; 3]);

impl Features {
    pub(crate) fn of(model: &Model) -> Self {
        let pool = model.layers().iter().rev().find_map(|layer| match layer {
            Layer::Pool(pool) => Some(pool.shape),
            _ => None,
        });
        let shape = pool.expect("every network has pool5");
        Self([shape.output_height(), shape.output_width(), shape.channels])
    }

    /// A parameter as PyTorch has it.
    pub(crate) fn to_nchw(self, name: &str, tensor: &Tensor) -> Result<Tensor> {
        let [height, width, channels] = self.0;
        match (tensor.dims(), name) {
            ([_, _, _, _], _) => tensor.permute((0, 3, 1, 2))?.contiguous(),
            (&[outputs, inputs], "fc6.weight") => tensor
                .reshape((outputs, height, width, channels))?
                .permute((0, 3, 1, 2))?
                .contiguous()?
                .reshape((outputs, inputs)),
            _ => Ok(tensor.clone()),
        }
    }

    /// A parameter of PyTorch as it is here.
    pub(crate) fn to_nhwc(self, name: &str, tensor: &Tensor) -> Result<Tensor> {
        let [height, width, channels] = self.0;
        match (tensor.dims(), name) {
            ([_, _, _, _], _) => tensor.permute((0, 2, 3, 1))?.contiguous(),
            (&[outputs, inputs], "fc6.weight") if inputs == height * width * channels => tensor
                .reshape((outputs, channels, height, width))?
                .permute((0, 2, 3, 1))?
                .contiguous()?
                .reshape((outputs, inputs)),
            _ => Ok(tensor.clone()),
        }
    }
}
