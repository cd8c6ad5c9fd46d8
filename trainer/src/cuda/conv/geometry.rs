//! A convolution as cuDNN knows it, for a number of rows.
//!
//! Contract: the descriptors are filled in when a geometry is made and live as long as it; a device's handle is open
//! as long as the device.

use candle_core::cuda_backend::cudarc::cudnn::{result, sys};

use super::descriptor::{Convolution, Filter, Relu, Tensor};
use crate::cuda::device::{CudaError, Device, Element, ErrorContext};
use crate::net::shape::ConvShape;

/// What is attempted when a workspace is asked for.
const WORKSPACE: &str = "ask for a convolution's workspace";

/// The descriptors of a convolution of `rows` images.
pub(super) struct Geometry {
    pub(super) rows: usize,
    pub(super) shape: ConvShape,
    pub(super) element: Element,
    pub(super) x: Tensor,
    pub(super) w: Filter,
    pub(super) y: Tensor,
    pub(super) b: Tensor,
    pub(super) relu: Relu,
}

impl Geometry {
    pub(super) fn new(element: Element, rows: usize, shape: ConvShape) -> Result<Self, CudaError> {
        let s = &shape;
        let outputs = [rows, s.outputs, s.output_height(), s.output_width()];
        let kernels = [s.outputs, s.group_inputs(), s.kernel, s.kernel];
        Ok(Self {
            rows,
            element,
            x: Tensor::new(element, [rows, s.inputs, s.height, s.width])?,
            w: Filter::new(element, kernels)?,
            y: Tensor::new(element, outputs)?,
            b: Tensor::new(element, [1, s.outputs, 1, 1])?,
            relu: Relu::new()?,
            shape,
        })
    }

    /// Values of the input.
    pub(super) fn input_len(&self) -> usize {
        self.rows * self.shape.input_len()
    }

    /// Values of the output.
    pub(super) fn output_len(&self) -> usize {
        self.rows * self.shape.output_len()
    }

    /// Bytes of workspace of the forward pass.
    pub(super) fn forward_workspace(
        &self,
        device: &Device,
        convolution: &Convolution,
        algorithm: sys::cudnnConvolutionFwdAlgo_t,
    ) -> Result<usize, CudaError> {
        let (x, w, y) = (self.x.0, self.w.0, self.y.0);
        // SAFETY: the handle and the descriptors are open.
        unsafe {
            result::get_convolution_forward_workspace_size(
                device.dnn(),
                x,
                w,
                convolution.0,
                y,
                algorithm,
            )
        }
        .context(WORKSPACE)
    }

    /// Bytes of workspace of the pass to the input's gradient.
    pub(super) fn data_workspace(
        &self,
        device: &Device,
        convolution: &Convolution,
        algorithm: sys::cudnnConvolutionBwdDataAlgo_t,
    ) -> Result<usize, CudaError> {
        let (x, w, y) = (self.x.0, self.w.0, self.y.0);
        // SAFETY: the handle and the descriptors are open.
        unsafe {
            result::get_convolution_backward_data_workspace_size(
                device.dnn(),
                w,
                y,
                convolution.0,
                x,
                algorithm,
            )
        }
        .context(WORKSPACE)
    }

    /// Bytes of workspace of the pass to the weight's gradient.
    pub(super) fn filter_workspace(
        &self,
        device: &Device,
        convolution: &Convolution,
        algorithm: sys::cudnnConvolutionBwdFilterAlgo_t,
    ) -> Result<usize, CudaError> {
        let (x, w, y) = (self.x.0, self.w.0, self.y.0);
        // SAFETY: the handle and the descriptors are open.
        unsafe {
            result::get_convolution_backward_filter_workspace_size(
                device.dnn(),
                x,
                y,
                convolution.0,
                w,
                algorithm,
            )
        }
        .context(WORKSPACE)
    }
}
