//! A plan's passes: what is handed to cuDNN.
//!
//! Contract: see the module's head; views are checked before their pointers leave.

use std::ffi::c_void;

use candle_core::cuda_backend::cudarc::cudnn::result;

use crate::cuda::conv::{Plan, check};
use crate::cuda::device::error::{CudaError, Doing};
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{View, ViewMut};

impl Plan {
    /// `output = input * weight`, with bias and ReLU where a bias is given; only a fused plan may be
    /// given one.
    pub(crate) fn forward(
        &self,
        gpu: &Gpu,
        input: View<'_>,
        weight: View<'_>,
        bias: Option<View<'_>>,
        output: ViewMut<'_>,
        workspace: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let (g, element) = (&self.geometry, self.element);
        check(input, element, g.input_len());
        check(weight, element, g.weight_len());
        check(output.view(), element, g.output_len());
        assert!(self.forward.workspace <= workspace.len);
        let (one, zero) = (1.0_f32, 0.0_f32);
        let [one, zero] = [&raw const one, &raw const zero].map(|v| v.cast::<c_void>());
        let pass = &self.forward;
        let output = output.pointer as *mut c_void;
        let Some(bias) = bias else {
            // SAFETY: the views have the sizes and types of the descriptors, as checked above; the
            // scalars are read before the call returns.
            return unsafe {
                result::convolution_forward(
                    gpu.dnn.0,
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
            .doing("convolve");
        };
        check(bias, element, g.outputs);
        assert!(self.fused, "this plan has no bias");
        // SAFETY: as above. With a factor of 0 the output is not read as the summand `z`.
        unsafe {
            result::convolution_bias_activation_forward(
                gpu.dnn.0,
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
        .doing("convolve with bias and ReLU")
    }

    /// Writes the gradient of the input.
    ///
    /// # Panics
    /// If the plan was made without it.
    pub(crate) fn backward_data(
        &self,
        gpu: &Gpu,
        weight: View<'_>,
        output_gradient: View<'_>,
        input_gradient: ViewMut<'_>,
        workspace: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let (g, element) = (&self.geometry, self.element);
        check(weight, element, g.weight_len());
        check(output_gradient, element, g.output_len());
        check(input_gradient.view(), element, g.input_len());
        let pass = self.data.as_ref().expect("planned for");
        assert!(pass.workspace <= workspace.len);
        let (one, zero) = (1.0_f32, 0.0_f32);
        // SAFETY: as in `forward`.
        unsafe {
            result::convolution_backward_data(
                gpu.dnn.0,
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
        .doing("work out a convolution's input gradient")
    }

    /// Writes the gradient of the weight.
    ///
    /// # Panics
    /// If the plan was made without it.
    pub(crate) fn backward_filter(
        &self,
        gpu: &Gpu,
        input: View<'_>,
        output_gradient: View<'_>,
        weight_gradient: ViewMut<'_>,
        workspace: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let (g, element) = (&self.geometry, self.element);
        check(input, element, g.input_len());
        check(output_gradient, element, g.output_len());
        check(weight_gradient.view(), element, g.weight_len());
        let pass = self.filter.as_ref().expect("planned for");
        assert!(pass.workspace <= workspace.len);
        let (one, zero) = (1.0_f32, 0.0_f32);
        // SAFETY: as in `forward`.
        unsafe {
            result::convolution_backward_filter(
                gpu.dnn.0,
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
        .doing("work out a convolution's weight gradient")
    }
}
