//! Convolutions of NHWC images by cuDNN: forward with bias and ReLU, and the two gradients.
//!
//! A plan is made once for each layer and number of rows. It holds the descriptors and the algorithm
//! of each pass; all plans share one workspace. For shapes without cuDNN's fused call for bias and
//! ReLU, a kernel of our own follows the convolution.
//!
//! Contract: a plan checks that every view has the size and type of its descriptors before cuDNN gets
//! a pointer.

mod descriptor;
mod passes;
mod search;

use candle_core::cuda_backend::cudarc::cudnn::sys;

use crate::compute::Precision;
use crate::cuda::device::{Buffer, CudaError, Device, Element, View, ViewMut, make_current};
use crate::net::shape::ConvShape;
use descriptor::{Convolution, Filter, Relu, Tensor};

/// A search for an algorithm: the convolution as cuDNN knows it, and what is allowed.
#[derive(Clone, Copy)]
struct SearchRequest {
    handle: sys::cudnnHandle_t,
    x: sys::cudnnTensorDescriptor_t,
    w: sys::cudnnFilterDescriptor_t,
    y: sys::cudnnTensorDescriptor_t,
    convolution: sys::cudnnConvolutionDescriptor_t,
    /// Bytes of the workspace.
    workspace: usize,
    deterministic: bool,
    /// Whether only multiplications of f32 are allowed.
    strict: bool,
}

/// An algorithm that a request allows.
struct SearchResult<A> {
    algorithm: A,
    /// Bytes of its workspace.
    workspace: usize,
    math: sys::cudnnMathType_t,
}

/// A pass of a convolution: its arithmetic and algorithm.
struct Pass<A> {
    convolution: Convolution,
    algorithm: A,
    workspace: usize,
}

/// The tensors of a forward pass.
#[derive(Debug)]
pub(crate) struct Forward<'a> {
    pub(crate) input: View<'a>,
    pub(crate) weight: View<'a>,
    /// In the type of the activations; `None` asks for no fused call.
    pub(crate) bias: Option<View<'a>>,
    pub(crate) output: ViewMut<'a>,
}

impl Forward<'_> {
    /// The same tensors, borrowed for a shorter time.
    pub(crate) fn reborrow(&mut self) -> Forward<'_> {
        Forward {
            output: self.output.reborrow(),
            ..*self
        }
    }
}

/// The tensors of the backward passes.
#[derive(Debug)]
pub(crate) struct Backward<'a> {
    pub(crate) output_gradient: View<'a>,
    /// `None` if the input needs no gradient.
    pub(crate) input_gradient: Option<ViewMut<'a>>,
    pub(crate) weight_gradient: ViewMut<'a>,
}

/// How a convolution is done for a number of rows.
pub(crate) struct Plan {
    rows: usize,
    shape: ConvShape,
    element: Element,
    x: Tensor,
    w: Filter,
    y: Tensor,
    b: Tensor,
    relu: Relu,
    forward: Pass<sys::cudnnConvolutionFwdAlgo_t>,
    data: Option<Pass<sys::cudnnConvolutionBwdDataAlgo_t>>,
    filter: Option<Pass<sys::cudnnConvolutionBwdFilterAlgo_t>>,
    /// Whether bias and ReLU are part of cuDNN's call.
    fused: bool,
}

impl Plan {
    /// Finds the algorithms that fit into `workspace` for `rows` images by trying them on these tensors.
    /// The search overwrites the outputs and gradients.
    ///
    /// # Errors
    /// No algorithm for a pass.
    ///
    /// # Panics
    /// If both sides are not padded alike, as cuDNN does.
    pub(crate) fn new(
        device: &Device,
        rows: usize,
        shape: ConvShape,
        forward: Forward<'_>,
        backward: Option<Backward<'_>>,
        workspace: &mut Buffer,
    ) -> Result<Self, CudaError> {
        let s = &shape;
        assert_eq!(s.before, s.after, "the same padding on both sides");
        let (input_len, output_len) = (rows * s.input_len(), rows * s.output_len());
        let element = device.element();
        let strict = device.precision == Precision::F32;
        let math = if strict {
            sys::cudnnMathType_t::CUDNN_FMA_MATH
        } else {
            sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH
        };
        let outputs = [rows, s.outputs, s.output_height(), s.output_width()];
        let kernels = [s.outputs, s.group_inputs(), s.kernel, s.kernel];
        let x = Tensor::new(element, [rows, s.inputs, s.height, s.width])?;
        let w = Filter::new(element, kernels)?;
        let y = Tensor::new(element, outputs)?;
        let b = Tensor::new(element, [1, s.outputs, 1, 1])?;
        let describe = || Convolution::new(s.before, s.stride, s.groups, math);
        let workspace_len = workspace.len();
        let request = |convolution: &Convolution| SearchRequest {
            handle: device.dnn(),
            x: x.0,
            w: w.0,
            y: y.0,
            convolution: convolution.0,
            workspace: workspace_len,
            deterministic: device.deterministic,
            strict,
        };
        let missing = |pass| CudaError::NoAlgorithm {
            // SAFETY: asks the library for a number.
            version: unsafe { sys::cudnnGetVersion() },
            pass,
            shape: describe_shape(rows, s),
            precision: device.precision.name(),
        };
        make_current(&device.stream)?;
        let Forward {
            input,
            weight,
            bias,
            mut output,
        } = forward;
        check(input, element, input_len);
        check(weight, element, s.weight_len());
        check(output.view(), element, output_len);
        let mut workspace = workspace.view_mut();

        let convolution = describe()?;
        let (to, space) = (output.reborrow(), &mut workspace);
        let found = search::forward(request(&convolution), input, weight, to, space);
        let found = found.ok_or_else(|| missing("forward"))?;
        let forward = Pass::new(convolution, found, strict)?;
        let (mut data, mut filter) = (None, None);
        if let Some(backward) = backward {
            let gradient = backward.output_gradient;
            check(gradient, element, output_len);
            if let Some(to) = backward.input_gradient {
                check(to.view(), element, input_len);
                let (convolution, space) = (describe()?, &mut workspace);
                let found = search::data(request(&convolution), weight, gradient, to, space);
                let found = found.ok_or_else(|| missing("data"))?;
                data = Some(Pass::new(convolution, found, strict)?);
            }
            let to = backward.weight_gradient;
            check(to.view(), element, s.weight_len());
            let (convolution, space) = (describe()?, &mut workspace);
            let found = search::filter(request(&convolution), input, gradient, to, space);
            let found = found.ok_or_else(|| missing("filter"))?;
            filter = Some(Pass::new(convolution, found, strict)?);
        }
        let mut plan = Self {
            rows,
            shape,
            element,
            x,
            w,
            y,
            b,
            relu: Relu::new()?,
            forward,
            data,
            filter,
            fused: bias.is_some(),
        };
        // Only a call tells whether cuDNN has the fused call for this shape.
        let tensors = Forward {
            input,
            weight,
            bias,
            output,
        };
        plan.fused = bias.is_some() && plan.forward(device, tensors, workspace).is_ok();
        Ok(plan)
    }

    /// Whether [`forward`](Self::forward) may add bias and ReLU.
    pub(crate) fn is_fused(&self) -> bool {
        self.fused
    }

    /// The largest workspace of the passes, in bytes.
    pub(crate) fn workspace(&self) -> usize {
        let data = self.data.as_ref().map_or(0, |pass| pass.workspace);
        let filter = self.filter.as_ref().map_or(0, |pass| pass.workspace);
        self.forward.workspace.max(data).max(filter)
    }
}

impl<A> Pass<A> {
    /// A pass with the arithmetic that its algorithm was found for; a `strict` one keeps its own.
    fn new(
        mut convolution: Convolution,
        found: SearchResult<A>,
        strict: bool,
    ) -> Result<Self, CudaError> {
        if !strict {
            convolution.set_math(found.math)?;
        }
        Ok(Self {
            convolution,
            algorithm: found.algorithm,
            workspace: found.workspace,
        })
    }
}

/// A convolution in words.
fn describe_shape(rows: usize, s: &ConvShape) -> String {
    format!(
        "{} images of {}x{}x{} by {} kernels of {}x{}, stride {}, groups {}",
        rows, s.height, s.width, s.inputs, s.outputs, s.kernel, s.kernel, s.stride, s.groups
    )
}

/// Checks that a view holds `len` values of a type.
fn check(view: View<'_>, element: Element, len: usize) {
    assert_eq!(
        (view.len, view.element),
        (len, element),
        "values of a convolution's tensor"
    );
}
