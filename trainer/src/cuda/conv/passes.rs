//! The passes of a convolution: the calls of cuDNN.
//!
//! Contract: as the parent module's; views are checked before their pointers are handed over.

use std::ffi::c_void;

use candle_core::cuda_backend::cudarc::cudnn::{result, sys};

use crate::cuda::conv::geometry::Geometry;
use crate::cuda::conv::{Forward, Pass, check};
use crate::cuda::device::{CudaError, Device, ErrorContext, View, ViewMut};

impl Geometry {
    /// `output = input * weight`, with bias and ReLU if there is a bias.
    pub(super) fn run_forward(
        &self,
        device: &Device,
        pass: &Pass<sys::cudnnConvolutionFwdAlgo_t>,
        tensors: Forward<'_>,
        workspace: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let Forward {
            input,
            weight,
            bias,
            output,
        } = tensors;
        let (s, element) = (&self.shape, self.element);
        check(input, element, self.input_len());
        check(weight, element, s.weight_len());
        check(output.view(), element, self.output_len());
        assert!(pass.workspace <= workspace.len);
        let (one, zero) = (1.0_f32, 0.0_f32);
        let [one, zero] = [&raw const one, &raw const zero].map(|v| v.cast::<c_void>());
        let output = output.pointer as *mut c_void;
        let Some(bias) = bias else {
            // SAFETY: the views have the sizes and types of the descriptors, as checked above; the
            // scalars are read before the call returns.
            return unsafe {
                result::convolution_forward(
                    device.dnn(),
                    one,
                    self.x.0,
                    input.pointer as *const c_void,
                    self.w.0,
                    weight.pointer as *const c_void,
                    pass.convolution.0,
                    pass.algorithm,
                    workspace.pointer as *mut c_void,
                    pass.workspace,
                    zero,
                    self.y.0,
                    output,
                )
            }
            .context("convolve");
        };
        check(bias, element, s.outputs);
        // SAFETY: as above. With a factor of 0 the output is not read as the summand `z`.
        unsafe {
            result::convolution_bias_activation_forward(
                device.dnn(),
                one,
                self.x.0,
                input.pointer as *const c_void,
                self.w.0,
                weight.pointer as *const c_void,
                pass.convolution.0,
                pass.algorithm,
                workspace.pointer as *mut c_void,
                pass.workspace,
                zero,
                self.y.0,
                output,
                self.b.0,
                bias.pointer as *const c_void,
                self.relu.0,
                self.y.0,
                output,
            )
        }
        .context("convolve with bias and ReLU")
    }

    /// Writes the gradient of the input.
    pub(super) fn run_data(
        &self,
        device: &Device,
        pass: &Pass<sys::cudnnConvolutionBwdDataAlgo_t>,
        weight: View<'_>,
        output_gradient: View<'_>,
        input_gradient: ViewMut<'_>,
        workspace: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let (s, element) = (&self.shape, self.element);
        check(weight, element, s.weight_len());
        check(output_gradient, element, self.output_len());
        check(input_gradient.view(), element, self.input_len());
        assert!(pass.workspace <= workspace.len);
        let (one, zero) = (1.0_f32, 0.0_f32);
        // SAFETY: as in `forward`.
        unsafe {
            result::convolution_backward_data(
                device.dnn(),
                (&raw const one).cast(),
                self.w.0,
                weight.pointer as *const c_void,
                self.y.0,
                output_gradient.pointer as *const c_void,
                pass.convolution.0,
                pass.algorithm,
                workspace.pointer as *mut c_void,
                pass.workspace,
                (&raw const zero).cast(),
                self.x.0,
                input_gradient.pointer as *mut c_void,
            )
        }
        .context("compute a convolution's input gradient")
    }

    /// Writes the gradient of the weight.
    pub(super) fn run_filter(
        &self,
        device: &Device,
        pass: &Pass<sys::cudnnConvolutionBwdFilterAlgo_t>,
        input: View<'_>,
        output_gradient: View<'_>,
        weight_gradient: ViewMut<'_>,
        workspace: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let (s, element) = (&self.shape, self.element);
        check(input, element, self.input_len());
        check(output_gradient, element, self.output_len());
        check(weight_gradient.view(), element, s.weight_len());
        assert!(pass.workspace <= workspace.len);
        let (one, zero) = (1.0_f32, 0.0_f32);
        // SAFETY: as in `forward`.
        unsafe {
            result::convolution_backward_filter(
                device.dnn(),
                (&raw const one).cast(),
                self.x.0,
                input.pointer as *const c_void,
                self.y.0,
                output_gradient.pointer as *const c_void,
                pass.convolution.0,
                pass.algorithm,
                workspace.pointer as *mut c_void,
                pass.workspace,
                (&raw const zero).cast(),
                self.w.0,
                weight_gradient.pointer as *mut c_void,
            )
        }
        .context("compute a convolution's weight gradient")
    }
}
