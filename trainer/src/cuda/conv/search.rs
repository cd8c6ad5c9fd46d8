//! Which of cuDNN's algorithms does a pass of a convolution.
//!
//! Without `--deterministic` cuDNN times every algorithm on the first rows of the real buffers, once for
//! each shape; what it ranks comes after those. With it there are only the deterministic algorithms of
//! cuDNN's own ranking, which is the same every time. A ranking is a guess: the plan tries the candidates
//! in their order.
//!
//! Contract: the three searches write to the output of their pass, so they run before a step does, and
//! every view holds a tensor of the searched geometry.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;

use candle_core::cuda_backend::cudarc::cudnn::sys;

use crate::cuda::conv::{SearchRequest, SearchResult};
use crate::cuda::device::{View, ViewMut};

/// Algorithms asked for; there are fewer of each kind.
const MAX_ANSWERS: usize = 16;

impl SearchRequest<'_> {
    fn allows(
        self,
        status: sys::cudnnStatus_t,
        workspace: usize,
        determinism: sys::cudnnDeterminism_t,
        math: sys::cudnnMathType_t,
    ) -> bool {
        status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
            && workspace <= self.workspace
            && (!self.deterministic || determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC)
            && (!self.strict || !uses_tensor_cores(math))
    }
}

fn uses_tensor_cores(math: sys::cudnnMathType_t) -> bool {
    use sys::cudnnMathType_t as Math;
    match math {
        // The plan's descriptor asks for FMA, so what is called the default here is no TF32.
        Math::CUDNN_FMA_MATH | Math::CUDNN_DEFAULT_MATH => false,
        Math::CUDNN_TENSOR_OP_MATH | Math::CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION => true,
    }
}

/// Calls one of cuDNN's searches with room for its answers and returns those that the request allows:
/// they come best first.
macro_rules! allowed {
    ($request:expr, $answer:ty, $call:expr) => {{
        let mut answers = [const { MaybeUninit::<$answer>::uninit() }; MAX_ANSWERS];
        let mut count: c_int = 0;
        let status = $call(&raw mut count, answers.as_mut_ptr().cast());
        let count = if status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS {
            usize::try_from(count).unwrap_or(0).min(MAX_ANSWERS)
        } else {
            0
        };
        answers[..count]
            .iter()
            // SAFETY: cuDNN has written as many answers as it says.
            .map(|answer| unsafe { answer.assume_init_ref() })
            .filter(|a| $request.allows(a.status, a.memory, a.determinism, a.mathType))
            .map(|a| SearchResult {
                algorithm: a.algo,
                math: a.mathType,
                // What is ranked without a trial has a time below 0.
                milliseconds: (a.time > 0.0).then_some(a.time),
            })
            .collect::<Vec<_>>()
    }};
}

/// A search for the algorithm of a pass that computes `$output` from two other tensors.
macro_rules! search {
    (
        $(#[$doc:meta])*
        $name:ident($a:ident, $b:ident) -> $output:ident,
        $algorithm:ident, $answer:ident, $timed:ident, $ranked:ident
    ) => {
        $(#[$doc])*
        pub(super) fn $name(
            request: SearchRequest<'_>,
            $a: View<'_>,
            $b: View<'_>,
            $output: ViewMut<'_>,
            workspace: &mut ViewMut<'_>,
        ) -> Vec<SearchResult<sys::$algorithm>> {
            // SAFETY: descriptors and views belong together (see the file's head); there is room for
            // `MAX_ANSWERS` answers.
            let timed = || allowed!(request, sys::$answer, |count, answers| unsafe {
                sys::$timed(
                    request.handle,
                    request.searched.$a.0,
                    $a.pointer as *const c_void,
                    request.searched.$b.0,
                    $b.pointer as *const c_void,
                    request.convolution,
                    request.searched.$output.0,
                    $output.pointer as *mut c_void,
                    MAX_ANSWERS as c_int,
                    count,
                    answers,
                    workspace.pointer as *mut c_void,
                    request.workspace,
                )
            });
            // SAFETY: the descriptors are alive; there is room for `MAX_ANSWERS` answers.
            let ranked = || allowed!(request, sys::$answer, |count, answers| unsafe {
                sys::$ranked(
                    request.handle,
                    request.planned.$a.0,
                    request.planned.$b.0,
                    request.convolution,
                    request.planned.$output.0,
                    MAX_ANSWERS as c_int,
                    count,
                    answers,
                )
            });
            let mut found = match request.deterministic {
                true => Vec::new(),
                false => timed(),
            };
            found.extend(ranked());
            found
        }
    };
}

search!(
    /// For `y = x * w`.
    forward(x, w) -> y,
    cudnnConvolutionFwdAlgo_t,
    cudnnConvolutionFwdAlgoPerf_t,
    cudnnFindConvolutionForwardAlgorithmEx,
    cudnnGetConvolutionForwardAlgorithm_v7
);

search!(
    /// For the gradient of `x`, written to `x`.
    data(w, y) -> x,
    cudnnConvolutionBwdDataAlgo_t,
    cudnnConvolutionBwdDataAlgoPerf_t,
    cudnnFindConvolutionBackwardDataAlgorithmEx,
    cudnnGetConvolutionBackwardDataAlgorithm_v7
);

search!(
    /// For the gradient of `w`, written to `w`.
    filter(x, y) -> w,
    cudnnConvolutionBwdFilterAlgo_t,
    cudnnConvolutionBwdFilterAlgoPerf_t,
    cudnnFindConvolutionBackwardFilterAlgorithmEx,
    cudnnGetConvolutionBackwardFilterAlgorithm_v7
);
