//! cuDNN's descriptors, each destroyed with its owner.
//!
//! Contract: a descriptor is created, filled in once, and not changed afterwards except for a
//! convolution's math type, which its owner sets before anybody else gets the descriptor.

use std::ffi::c_int;

use candle_core::cuda_backend::cudarc::cudnn::{result, sys};

use crate::cuda::device::{CudaError, Element, ErrorContext};

/// cuDNN's name of a type.
fn kind(element: Element) -> sys::cudnnDataType_t {
    match element {
        Element::F32 => sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
        Element::Bf16 => sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
        Element::U8 | Element::U32 | Element::I64 | Element::F64 => {
            unreachable!("convolutions are of f32 or bf16 values")
        }
    }
}

/// A size as cuDNN takes it.
fn size(size: usize) -> c_int {
    c_int::try_from(size).expect("sizes of layers fit into 31 bits")
}

/// A descriptor that is created empty and destroyed with its owner.
macro_rules! descriptor {
    ($(#[$doc:meta])* $name:ident($handle:ty), $create:path, $destroy:path) => {
        $(#[$doc])*
        pub(super) struct $name(pub(super) $handle);

        impl $name {
            const ACTION: &str = "describe a convolution";

            fn create() -> Result<Self, CudaError> {
                Ok(Self($create().context(Self::ACTION)?))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: the only owner of a descriptor that was created; an error leaves nothing
                // to do.
                let _ = unsafe { $destroy(self.0) };
            }
        }
    };
}

descriptor!(
    /// NHWC values.
    Tensor(sys::cudnnTensorDescriptor_t),
    result::create_tensor_descriptor,
    result::destroy_tensor_descriptor
);

descriptor!(
    /// Kernels of a convolution: outputs, rows, columns, inputs of a group.
    Filter(sys::cudnnFilterDescriptor_t),
    result::create_filter_descriptor,
    result::destroy_filter_descriptor
);

descriptor!(
    /// Padding, stride, groups and arithmetic of a convolution. Sums are f32.
    Convolution(sys::cudnnConvolutionDescriptor_t),
    result::create_convolution_descriptor,
    result::destroy_convolution_descriptor
);

descriptor!(
    /// ReLU, as an epilogue of a convolution.
    Relu(sys::cudnnActivationDescriptor_t),
    result::create_activation_descriptor,
    sys::cudnnDestroyActivationDescriptor
);

impl Tensor {
    /// From the sizes rows, channels, height, width.
    pub(super) fn new(element: Element, sizes: [usize; 4]) -> Result<Self, CudaError> {
        let tensor = Self::create()?;
        let format = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        let (kind, sizes) = (kind(element), sizes.map(size));
        // SAFETY: the descriptor was created above.
        unsafe { result::set_tensor4d_descriptor(tensor.0, format, kind, sizes) }
            .context(Self::ACTION)?;
        Ok(tensor)
    }
}

impl Filter {
    /// From the sizes outputs, inputs of a group, height, width.
    pub(super) fn new(element: Element, sizes: [usize; 4]) -> Result<Self, CudaError> {
        let filter = Self::create()?;
        let format = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        let (kind, sizes) = (kind(element), sizes.map(size));
        // SAFETY: the descriptor was created above.
        unsafe { result::set_filter4d_descriptor(filter.0, kind, format, sizes) }
            .context(Self::ACTION)?;
        Ok(filter)
    }
}

impl Convolution {
    pub(super) fn new(
        padding: usize,
        stride: usize,
        groups: usize,
        math: sys::cudnnMathType_t,
    ) -> Result<Self, CudaError> {
        let mut convolution = Self::create()?;
        let (padding, stride) = (size(padding), size(stride));
        // SAFETY: the descriptor was created above.
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
            .context(Self::ACTION)?;
            result::set_convolution_group_count(convolution.0, size(groups))
                .context(Self::ACTION)?;
        }
        convolution.set_math(math)?;
        Ok(convolution)
    }

    pub(super) fn set_math(&mut self, math: sys::cudnnMathType_t) -> Result<(), CudaError> {
        // SAFETY: the descriptor lives as long as its owner.
        unsafe { result::set_convolution_math_type(self.0, math) }.context(Self::ACTION)
    }
}

impl Relu {
    pub(super) fn new() -> Result<Self, CudaError> {
        let relu = Self::create()?;
        // cuDNN's documentation has no fused call for a ReLU that propagates NaN. A non-finite loss
        // or gradient is reported all the same.
        // SAFETY: the descriptor was created above.
        unsafe {
            result::set_activation_descriptor(
                relu.0,
                sys::cudnnActivationMode_t::CUDNN_ACTIVATION_RELU,
                sys::cudnnNanPropagation_t::CUDNN_NOT_PROPAGATE_NAN,
                0.0,
            )
        }
        .context(Self::ACTION)?;
        Ok(relu)
    }
}
