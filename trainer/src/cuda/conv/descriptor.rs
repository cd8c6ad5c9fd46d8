//! cuDNN's descriptors, each destroyed with its owner.
//!
//! Contract: a descriptor is made, filled in once, and not changed but for a convolution's math type,
//! which its owner sets before it hands the descriptor to anybody.

use std::ffi::c_int;

use candle_core::cuda_backend::cudarc::cudnn::{result, sys};

use crate::cuda::device::error::{CudaError, Doing};
use crate::cuda::device::memory::Element;

/// cuDNN's name of a type.
pub(crate) fn kind(element: Element) -> sys::cudnnDataType_t {
    match element {
        Element::F32 => sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
        Element::Bf16 => sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
        Element::U8 | Element::U32 | Element::I64 | Element::F64 => {
            unreachable!("convolutions are of f32 or bf16 values")
        }
    }
}

/// A size as cuDNN takes it.
pub(crate) fn size(size: usize) -> c_int {
    c_int::try_from(size).expect("sizes of layers fit into 31 bits")
}

/// NHWC values.
pub(crate) struct Tensor(pub(crate) sys::cudnnTensorDescriptor_t);

impl Tensor {
    /// Of the sizes rows, channels, height, width.
    pub(crate) fn new(element: Element, sizes: [usize; 4]) -> Result<Self, CudaError> {
        let tensor = Self(result::create_tensor_descriptor().doing("describe a tensor")?);
        let format = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        // SAFETY: the descriptor was made above.
        unsafe {
            result::set_tensor4d_descriptor(tensor.0, format, kind(element), sizes.map(size))
        }
        .doing("describe a tensor")?;
        Ok(tensor)
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        // SAFETY: the only owner of a descriptor that was made; an error leaves nothing to do.
        let _ = unsafe { result::destroy_tensor_descriptor(self.0) };
    }
}

/// Kernels of a convolution: outputs, rows, columns, inputs of a group.
pub(crate) struct Filter(pub(crate) sys::cudnnFilterDescriptor_t);

impl Filter {
    /// Of the sizes outputs, inputs of a group, height, width.
    pub(crate) fn new(element: Element, sizes: [usize; 4]) -> Result<Self, CudaError> {
        let filter = Self(result::create_filter_descriptor().doing("describe kernels")?);
        let format = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        // SAFETY: the descriptor was made above.
        unsafe {
            result::set_filter4d_descriptor(filter.0, kind(element), format, sizes.map(size))
        }
        .doing("describe kernels")?;
        Ok(filter)
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        // SAFETY: the only owner of a descriptor that was made; an error leaves nothing to do.
        let _ = unsafe { result::destroy_filter_descriptor(self.0) };
    }
}

/// Padding, stride, groups and arithmetic of a convolution. Sums are f32.
pub(crate) struct Convolution(pub(crate) sys::cudnnConvolutionDescriptor_t);

impl Convolution {
    pub(crate) fn new(
        padding: usize,
        stride: usize,
        groups: usize,
        math: sys::cudnnMathType_t,
    ) -> Result<Self, CudaError> {
        let doing = "describe a convolution";
        let convolution = Self(result::create_convolution_descriptor().doing(doing)?);
        let (padding, stride) = (size(padding), size(stride));
        // SAFETY: the descriptor was made above.
        unsafe {
            result::set_convolution2d_descriptor(
                convolution.0,
                padding,
                padding,
                stride,
                stride,
                1,
                1,
                sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
                sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
            )
            .doing(doing)?;
            result::set_convolution_group_count(convolution.0, size(groups)).doing(doing)?;
            result::set_convolution_math_type(convolution.0, math).doing(doing)?;
        }
        Ok(convolution)
    }

    pub(crate) fn set_math(&mut self, math: sys::cudnnMathType_t) -> Result<(), CudaError> {
        // SAFETY: the descriptor lives as long as its owner.
        unsafe { result::set_convolution_math_type(self.0, math) }.doing("describe a convolution")
    }
}

impl Drop for Convolution {
    fn drop(&mut self) {
        // SAFETY: the only owner of a descriptor that was made; an error leaves nothing to do.
        let _ = unsafe { result::destroy_convolution_descriptor(self.0) };
    }
}

/// ReLU, as an epilogue of a convolution.
pub(crate) struct Relu(pub(crate) sys::cudnnActivationDescriptor_t);

impl Relu {
    pub(crate) fn new() -> Result<Self, CudaError> {
        let doing = "describe an activation";
        let relu = Self(result::create_activation_descriptor().doing(doing)?);
        // cuDNN's documentation has no fused call for a ReLU that propagates NaN. A loss or a gradient
        // that is no number is told all the same.
        // SAFETY: the descriptor was made above.
        unsafe {
            result::set_activation_descriptor(
                relu.0,
                sys::cudnnActivationMode_t::CUDNN_ACTIVATION_RELU,
                sys::cudnnNanPropagation_t::CUDNN_NOT_PROPAGATE_NAN,
                0.0,
            )
        }
        .doing(doing)?;
        Ok(relu)
    }
}

impl Drop for Relu {
    fn drop(&mut self) {
        // SAFETY: the only owner of a descriptor that was made; an error leaves nothing to do.
        let _ = unsafe { sys::cudnnDestroyActivationDescriptor(self.0) };
    }
}
