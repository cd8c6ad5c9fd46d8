//! Takes the first algorithm that works for the rows of a plan.
//!
//! Contract: as the parent module's; the trials write to the output of their pass, so they run before a step does.

use candle_core::cuda_backend::cudarc::cudnn::sys;

use super::descriptor::Convolution;
use super::geometry::Geometry;
use super::{Forward, Pass, SearchRequest, SearchResult, search};
use crate::compute::Precision;
use crate::cuda::device::{CudaError, Device, View, ViewMut};
use crate::net::shape::ConvShape;

/// A convolution that algorithms are tried for.
#[derive(Clone, Copy)]
pub(super) struct Trial<'a> {
    pub(super) device: &'a Device,
    /// With the rows of the plan.
    pub(super) planned: &'a Geometry,
    /// With the rows that algorithms are timed on.
    pub(super) searched: &'a Geometry,
    /// Most bytes of workspace.
    pub(super) most: usize,
}

impl Trial<'_> {
    pub(super) fn forward(
        &self,
        mut tensors: Forward<'_>,
        workspace: &mut ViewMut<'_>,
    ) -> Result<Pass<sys::cudnnConvolutionFwdAlgo_t>, CudaError> {
        let convolution = self.describe()?;
        let few = tensors.input.head(self.searched.input_len());
        let to = tensors.output.reborrow().head(self.searched.output_len());
        let request = self.request(&convolution);
        let found = search::forward(request, few, tensors.weight, to, workspace);
        let size = |convolution: &Convolution, algorithm| {
            self.planned
                .forward_workspace(self.device, convolution, algorithm)
        };
        self.first("forward", found, size, |pass| {
            let (tensors, space) = (tensors.reborrow(), workspace.reborrow());
            self.planned.run_forward(self.device, pass, tensors, space)
        })
    }

    /// The pass to the input's gradient.
    pub(super) fn data(
        &self,
        weight: View<'_>,
        gradient: View<'_>,
        mut to: ViewMut<'_>,
        workspace: &mut ViewMut<'_>,
    ) -> Result<Pass<sys::cudnnConvolutionBwdDataAlgo_t>, CudaError> {
        let convolution = self.describe()?;
        let few = gradient.head(self.searched.output_len());
        let output = to.reborrow().head(self.searched.input_len());
        let request = self.request(&convolution);
        let found = search::data(request, weight, few, output, workspace);
        let size = |convolution: &Convolution, algorithm| {
            self.planned
                .data_workspace(self.device, convolution, algorithm)
        };
        self.first("data", found, size, |pass| {
            let (to, space) = (to.reborrow(), workspace.reborrow());
            self.planned
                .run_data(self.device, pass, weight, gradient, to, space)
        })
    }

    /// The pass to the weight's gradient.
    pub(super) fn filter(
        &self,
        input: View<'_>,
        gradient: View<'_>,
        mut to: ViewMut<'_>,
        workspace: &mut ViewMut<'_>,
    ) -> Result<Pass<sys::cudnnConvolutionBwdFilterAlgo_t>, CudaError> {
        let convolution = self.describe()?;
        let (few, few_gradients) = (
            input.head(self.searched.input_len()),
            gradient.head(self.searched.output_len()),
        );
        let request = self.request(&convolution);
        let found = search::filter(request, few, few_gradients, to.reborrow(), workspace);
        let size = |convolution: &Convolution, algorithm| {
            self.planned
                .filter_workspace(self.device, convolution, algorithm)
        };
        self.first("filter", found, size, |pass| {
            let (to, space) = (to.reborrow(), workspace.reborrow());
            self.planned
                .run_filter(self.device, pass, input, gradient, to, space)
        })
    }

    /// The first of some candidates whose workspace fits and whose call succeeds.
    fn first<A: Copy>(
        &self,
        name: &'static str,
        candidates: Vec<SearchResult<A>>,
        size: impl Fn(&Convolution, A) -> Result<usize, CudaError>,
        mut run: impl FnMut(&Pass<A>) -> Result<(), CudaError>,
    ) -> Result<Pass<A>, CudaError> {
        let mut last = None;
        for candidate in candidates {
            let mut attempt = || {
                let pass = self.pass(candidate, &size)?;
                let fits = pass.workspace <= self.most;
                if fits {
                    run(&pass)?;
                }
                Ok(fits.then_some(pass))
            };
            match attempt() {
                Ok(Some(pass)) => return Ok(pass),
                Ok(None) => {}
                Err(error) => last = Some(Box::new(error)),
            }
        }
        Err(CudaError::NoAlgorithm {
            // SAFETY: asks the library for a number.
            version: unsafe { sys::cudnnGetVersion() },
            pass: name,
            shape: words(self.planned.rows, &self.planned.shape),
            precision: self.device.precision.name(),
            source: last,
        })
    }

    /// A pass with the arithmetic that its algorithm was found for; in f32 it keeps its own.
    fn pass<A: Copy>(
        &self,
        found: SearchResult<A>,
        size: impl Fn(&Convolution, A) -> Result<usize, CudaError>,
    ) -> Result<Pass<A>, CudaError> {
        let mut convolution = self.describe()?;
        let math = match self.is_strict() {
            true => self.math(),
            false => found.math,
        };
        if !self.is_strict() {
            convolution.set_math(math)?;
        }
        Ok(Pass {
            workspace: size(&convolution, found.algorithm)?,
            algorithm: found.algorithm,
            convolution,
            math,
            milliseconds: found.milliseconds,
        })
    }

    fn is_strict(&self) -> bool {
        self.device.precision == Precision::F32
    }

    /// The arithmetic that algorithms are searched for.
    fn math(&self) -> sys::cudnnMathType_t {
        match self.is_strict() {
            true => sys::cudnnMathType_t::CUDNN_FMA_MATH,
            false => sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
        }
    }

    fn describe(&self) -> Result<Convolution, CudaError> {
        let s = &self.planned.shape;
        Convolution::new(s.before, s.stride, s.groups, self.math())
    }

    fn request(&self, convolution: &Convolution) -> SearchRequest<'_> {
        SearchRequest {
            handle: self.device.dnn(),
            searched: self.searched,
            planned: self.planned,
            convolution: convolution.0,
            workspace: self.most,
            deterministic: self.device.deterministic,
            strict: self.is_strict(),
        }
    }
}

/// A convolution in words.
fn words(rows: usize, s: &ConvShape) -> String {
    format!(
        "{} images of {}x{}x{} by {} kernels of {}x{}, stride {}, groups {}",
        rows, s.height, s.width, s.inputs, s.outputs, s.kernel, s.kernel, s.stride, s.groups
    )
}
