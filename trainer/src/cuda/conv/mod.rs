//! Convolutions of NHWC images by cuDNN: forward with bias and ReLU, and the two gradients.
//!
//! A plan is made once for each layer and number of rows. It holds the descriptors and the algorithm
//! of each pass; all plans share one workspace. Where cuDNN's call that adds bias and ReLU is not
//! there for a shape, the convolution is followed by a kernel of our own.
//!
//! Contract: a plan checks that every view has the size and type of its descriptors before cuDNN sees
//! a pointer.

mod descriptor;
mod passes;
mod search;

use candle_core::cuda_backend::cudarc::cudnn::sys;

use crate::compute::Precision;
use crate::cuda::device::error::{CudaError, Doing};
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Buffer, Element, View, ViewMut};
use descriptor::{Convolution, Filter, Relu, Tensor};
use search::{Found, Problem, Wish};

/// A convolution as cuDNN does it: the same padding on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Geometry {
    /// Images.
    pub(crate) rows: usize,
    /// Side of the input, padding not counted.
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Channels of the input in memory.
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
    pub(crate) groups: usize,
}

impl Geometry {
    const fn output(&self, side: usize) -> usize {
        (side + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Values of the input.
    pub(crate) const fn input_len(&self) -> usize {
        self.rows * self.height * self.width * self.inputs
    }

    /// Values of the output.
    pub(crate) const fn output_len(&self) -> usize {
        self.rows * self.output(self.height) * self.output(self.width) * self.outputs
    }

    /// Values of the kernels.
    pub(crate) const fn weight_len(&self) -> usize {
        self.outputs * self.kernel * self.kernel * (self.inputs / self.groups)
    }

    fn describe(&self) -> String {
        format!(
            "{} images of {}x{}x{} by {} kernels of {}x{}, stride {}, groups {}",
            self.rows,
            self.height,
            self.width,
            self.inputs,
            self.outputs,
            self.kernel,
            self.kernel,
            self.stride,
            self.groups
        )
    }
}

/// A pass of a convolution: its arithmetic and algorithm.
struct Pass<A> {
    convolution: Convolution,
    algorithm: A,
    workspace: usize,
}

/// The tensors that a plan tries its algorithms on, with the sizes of its geometry. What stands in
/// those that may be written is lost.
pub(crate) struct Trial<'a> {
    pub(crate) input: View<'a>,
    pub(crate) weight: View<'a>,
    /// In the type of the activations; `None` asks for no fused call.
    pub(crate) bias: Option<View<'a>>,
    pub(crate) output: ViewMut<'a>,
    /// `None` for the forward pass alone.
    pub(crate) backward: Option<BackwardTrial<'a>>,
}

/// What the backward passes are tried on.
pub(crate) struct BackwardTrial<'a> {
    pub(crate) output_gradient: View<'a>,
    /// `None` where nobody needs it.
    pub(crate) input_gradient: Option<ViewMut<'a>>,
    pub(crate) weight_gradient: ViewMut<'a>,
}

/// How a convolution is done for a number of rows.
pub(crate) struct Plan {
    geometry: Geometry,
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
    /// Finds the algorithms that fit into `workspace`.
    ///
    /// # Errors
    /// No algorithm for a pass.
    pub(crate) fn new(
        gpu: &Gpu,
        geometry: Geometry,
        trial: Trial<'_>,
        workspace: &mut Buffer,
    ) -> Result<Self, CudaError> {
        let g = &geometry;
        let element = gpu.element();
        let strict = gpu.precision == Precision::F32;
        let math = if strict {
            sys::cudnnMathType_t::CUDNN_FMA_MATH
        } else {
            sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH
        };
        let (high, wide) = (g.output(g.height), g.output(g.width));
        let x = Tensor::new(element, [g.rows, g.inputs, g.height, g.width])?;
        let w = Filter::new(
            element,
            [g.outputs, g.inputs / g.groups, g.kernel, g.kernel],
        )?;
        let y = Tensor::new(element, [g.rows, g.outputs, high, wide])?;
        let b = Tensor::new(element, [1, g.outputs, 1, 1])?;
        let wish = Wish {
            workspace: workspace.len(),
            deterministic: gpu.deterministic,
            strict,
        };
        let describe = || Convolution::new(g.padding, g.stride, g.groups, math);
        let problem = |convolution: &Convolution| Problem {
            handle: gpu.dnn.0,
            x: x.0,
            w: w.0,
            y: y.0,
            convolution: convolution.0,
        };
        let missing = |pass| search::none(pass, g.describe(), gpu.precision.name());
        gpu.context
            .bind_to_thread()
            .doing("use the card on this thread")?;
        check(trial.input, element, g.input_len());
        check(trial.weight, element, g.weight_len());
        check(trial.output.view(), element, g.output_len());
        let mut output = trial.output;
        let mut workspace = workspace.view_mut();

        let convolution = describe()?;
        let found = search::forward(
            problem(&convolution),
            wish,
            trial.input,
            trial.weight,
            output.again(),
            &mut workspace,
        );
        let found = found.ok_or_else(|| missing("forward"))?;
        let forward = Pass::new(convolution, found, strict)?;
        let (mut data, mut filter) = (None, None);
        if let Some(trial_back) = trial.backward {
            let gradient = trial_back.output_gradient;
            check(gradient, element, g.output_len());
            if let Some(input_gradient) = trial_back.input_gradient {
                check(input_gradient.view(), element, g.input_len());
                let convolution = describe()?;
                let problem = problem(&convolution);
                let space = &mut workspace;
                let found =
                    search::data(problem, wish, trial.weight, gradient, input_gradient, space);
                let found = found.ok_or_else(|| missing("data"))?;
                data = Some(Pass::new(convolution, found, strict)?);
            }
            let weight_gradient = trial_back.weight_gradient;
            check(weight_gradient.view(), element, g.weight_len());
            let convolution = describe()?;
            let problem = problem(&convolution);
            let space = &mut workspace;
            let found =
                search::filter(problem, wish, trial.input, gradient, weight_gradient, space);
            let found = found.ok_or_else(|| missing("filter"))?;
            filter = Some(Pass::new(convolution, found, strict)?);
        }
        let mut plan = Self {
            geometry,
            element,
            x,
            w,
            y,
            b,
            relu: Relu::new()?,
            forward,
            data,
            filter,
            fused: trial.bias.is_some(),
        };
        // Whether cuDNN has the fused call for this shape is only known by asking for it.
        let (input, weight, bias) = (trial.input, trial.weight, trial.bias);
        plan.fused = bias.is_some()
            && plan
                .forward(gpu, input, weight, bias, output, workspace)
                .is_ok();
        Ok(plan)
    }

    /// Whether [`forward`](Self::forward) adds bias and ReLU, where it is given a bias.
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
    /// A pass with the arithmetic that its algorithm was found for, but for that of `strict`, which
    /// stays.
    fn new(mut convolution: Convolution, found: Found<A>, strict: bool) -> Result<Self, CudaError> {
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

/// Checks that a view holds `len` values of a type.
fn check(view: View<'_>, element: Element, len: usize) {
    assert_eq!(
        (view.len, view.element),
        (len, element),
        "values of a convolution's tensor"
    );
}
