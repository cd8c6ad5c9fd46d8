//! Convolutions of NHWC images by cuDNN: forward with bias and ReLU, and the two gradients.
//!
//! A plan is made once for each layer and number of rows. It holds the descriptors and the algorithm
//! of each pass; all plans share one workspace. Algorithms are timed on 128 rows at most and then tried on all. For shapes without cuDNN's fused call for bias and
//! ReLU, a kernel of our own follows the convolution.
//!
//! Contract: a plan checks that every view has the size and type of its descriptors before cuDNN gets
//! a pointer.

mod descriptor;
mod geometry;
mod passes;
mod report;
mod search;
mod trial;

use candle_core::cuda_backend::cudarc::cudnn::sys;

use crate::cuda::device::{Buffer, CudaError, Device, Element, View, ViewMut, make_current};
use crate::net::shape::ConvShape;
pub(crate) use report::PassReport;

use descriptor::Convolution;
use geometry::Geometry;
use trial::Trial;

/// Most rows that algorithms are timed on: on more, some last resorts take seconds.
const SEARCH_ROWS: usize = 128;

/// A search for an algorithm: the convolution as cuDNN knows it, and what is allowed.
#[derive(Clone, Copy)]
struct SearchRequest<'g> {
    handle: sys::cudnnHandle_t,
    /// With the rows that algorithms are timed on.
    searched: &'g Geometry,
    /// With the rows of the plan.
    planned: &'g Geometry,
    convolution: sys::cudnnConvolutionDescriptor_t,
    /// Bytes of the workspace.
    workspace: usize,
    deterministic: bool,
    /// Whether only multiplications of f32 are allowed.
    strict: bool,
}

/// An algorithm that a request allows.
#[derive(Clone, Copy)]
struct SearchResult<A> {
    algorithm: A,
    math: sys::cudnnMathType_t,
    /// What it took for the searched rows, if it was timed.
    milliseconds: Option<f32>,
}

/// A pass of a convolution: its arithmetic and algorithm.
struct Pass<A> {
    convolution: Convolution,
    algorithm: A,
    workspace: usize,
    math: sys::cudnnMathType_t,
    /// What it took for the searched rows, if it was timed.
    milliseconds: Option<f32>,
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
    geometry: Geometry,
    forward: Option<Pass<sys::cudnnConvolutionFwdAlgo_t>>,
    data: Option<Pass<sys::cudnnConvolutionBwdDataAlgo_t>>,
    filter: Option<Pass<sys::cudnnConvolutionBwdFilterAlgo_t>>,
    /// Whether bias and ReLU are part of cuDNN's call.
    fused: bool,
}

impl Plan {
    /// Finds algorithms that fit into `workspace` and work for `rows` images, by trying them on these tensors,
    /// whose outputs and gradients are overwritten.
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
        let (planned, searched) = geometries(device, rows, shape)?;
        let element = device.element();
        let trial = Trial {
            device,
            planned: &planned,
            searched: &searched,
            most: workspace.len(),
        };
        let mut workspace = workspace.view_mut();
        let Forward {
            input,
            weight,
            bias,
            mut output,
        } = forward;
        check(input, element, planned.input_len());
        check(weight, element, shape.weight_len());
        check(output.view(), element, planned.output_len());
        let tensors = Forward {
            input,
            weight,
            bias: None,
            output: output.reborrow(),
        };
        let pass = trial.forward(tensors, &mut workspace)?;
        let (mut data, mut filter) = (None, None);
        if let Some(backward) = backward {
            (data, filter) = gradients(&trial, input, weight, backward, &mut workspace)?;
        }
        // Only a call tells whether cuDNN has the fused call for this shape.
        let tensors = Forward {
            input,
            weight,
            bias,
            output,
        };
        let fused = bias.is_some()
            && planned
                .run_forward(device, &pass, tensors, workspace)
                .is_ok();
        Ok(Self {
            geometry: planned,
            forward: Some(pass),
            data,
            filter,
            fused,
        })
    }

    /// As [`new`](Self::new), for the backward passes alone.
    ///
    /// # Errors
    /// No algorithm for a pass.
    ///
    /// # Panics
    /// If both sides are not padded alike, as cuDNN does.
    pub(crate) fn backward(
        device: &Device,
        rows: usize,
        shape: ConvShape,
        [input, weight]: [View<'_>; 2],
        backward: Backward<'_>,
        workspace: &mut Buffer,
    ) -> Result<Self, CudaError> {
        let (planned, searched) = geometries(device, rows, shape)?;
        let trial = Trial {
            device,
            planned: &planned,
            searched: &searched,
            most: workspace.len(),
        };
        check(input, device.element(), planned.input_len());
        check(weight, device.element(), shape.weight_len());
        let mut workspace = workspace.view_mut();
        let (data, filter) = gradients(&trial, input, weight, backward, &mut workspace)?;
        Ok(Self {
            geometry: planned,
            forward: None,
            data,
            filter,
            fused: false,
        })
    }

    /// Whether [`forward`](Self::forward) may add bias and ReLU.
    pub(crate) fn is_fused(&self) -> bool {
        self.fused
    }

    /// The largest workspace of the passes, in bytes.
    pub(crate) fn workspace(&self) -> usize {
        let forward = self.forward.as_ref().map_or(0, |pass| pass.workspace);
        let data = self.data.as_ref().map_or(0, |pass| pass.workspace);
        let filter = self.filter.as_ref().map_or(0, |pass| pass.workspace);
        forward.max(data).max(filter)
    }

    /// `output = input * weight`, with bias and ReLU if there is a bias, which only a fused plan takes.
    ///
    /// # Panics
    /// If the plan was made for the backward passes alone.
    pub(crate) fn forward(
        &self,
        device: &Device,
        tensors: Forward<'_>,
        workspace: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        assert!(self.fused || tensors.bias.is_none(), "a fused plan");
        let pass = self.forward.as_ref().expect("planned for");
        self.geometry.run_forward(device, pass, tensors, workspace)
    }

    /// Writes the gradient of the input.
    ///
    /// # Panics
    /// If the plan was made without it.
    pub(crate) fn backward_data(
        &self,
        device: &Device,
        weight: View<'_>,
        output_gradient: View<'_>,
        input_gradient: ViewMut<'_>,
        workspace: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let pass = self.data.as_ref().expect("planned for");
        let to = input_gradient;
        self.geometry
            .run_data(device, pass, weight, output_gradient, to, workspace)
    }

    /// Writes the gradient of the weight.
    ///
    /// # Panics
    /// If the plan was made without it.
    pub(crate) fn backward_filter(
        &self,
        device: &Device,
        input: View<'_>,
        output_gradient: View<'_>,
        weight_gradient: ViewMut<'_>,
        workspace: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let pass = self.filter.as_ref().expect("planned for");
        let to = weight_gradient;
        self.geometry
            .run_filter(device, pass, input, output_gradient, to, workspace)
    }
}

/// A pass to the input's gradient, if that is needed, and one to the weight's.
type BackwardPasses = (
    Option<Pass<sys::cudnnConvolutionBwdDataAlgo_t>>,
    Option<Pass<sys::cudnnConvolutionBwdFilterAlgo_t>>,
);

/// A convolution with the rows of a plan, and with those that algorithms are timed on.
fn geometries(
    device: &Device,
    rows: usize,
    shape: ConvShape,
) -> Result<(Geometry, Geometry), CudaError> {
    assert_eq!(shape.before, shape.after, "the same padding on both sides");
    make_current(&device.stream)?;
    let of_rows = |rows| Geometry::new(device.element(), rows, shape);
    Ok((of_rows(rows)?, of_rows(rows.min(SEARCH_ROWS))?))
}

/// Finds algorithms for the backward passes.
fn gradients(
    trial: &Trial<'_>,
    input: View<'_>,
    weight: View<'_>,
    backward: Backward<'_>,
    workspace: &mut ViewMut<'_>,
) -> Result<BackwardPasses, CudaError> {
    let (planned, element) = (trial.planned, trial.planned.element);
    let gradient = backward.output_gradient;
    check(gradient, element, planned.output_len());
    let mut data = None;
    if let Some(to) = backward.input_gradient {
        check(to.view(), element, planned.input_len());
        data = Some(trial.data(weight, gradient, to, workspace)?);
    }
    let to = backward.weight_gradient;
    check(to.view(), element, planned.shape.weight_len());
    let filter = trial.filter(input, gradient, to, workspace)?;
    Ok((data, Some(filter)))
}

/// Checks that a view holds `len` values of a type.
fn check(view: View<'_>, element: Element, len: usize) {
    assert_eq!(
        (view.len, view.element),
        (len, element),
        "values of a convolution's tensor"
    );
}
