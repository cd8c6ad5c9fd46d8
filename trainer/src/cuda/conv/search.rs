//! Which of cuDNN's algorithms does a pass of a convolution.
//!
//! Without `--deterministic` cuDNN times every algorithm on the real buffers, once for each shape.
//! With it the first deterministic algorithm of cuDNN's own ranking is taken, which is the same every
//! time.
//!
//! Contract: the three searches write to the output of their pass, so they run before a step does, and
//! every view holds a tensor of the plan's descriptors.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;

use candle_core::cuda_backend::cudarc::cudnn::sys;

use crate::cuda::conv::{SearchRequest, SearchResult};
use crate::cuda::device::{View, ViewMut};

/// Algorithms asked for; there are fewer of each kind.
const MAX_ANSWERS: usize = 16;

impl SearchRequest {
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

/// Calls one of cuDNN's searches with room for its answers and returns the first that the request
/// allows: they come best first.
macro_rules! first {
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
            .find(|a| $request.allows(a.status, a.memory, a.determinism, a.mathType))
            .map(|a| SearchResult {
                algorithm: a.algo,
                workspace: a.memory,
                math: a.mathType,
            })
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
            request: SearchRequest,
            $a: View<'_>,
            $b: View<'_>,
            $output: ViewMut<'_>,
            workspace: &mut ViewMut<'_>,
        ) -> Option<SearchResult<sys::$algorithm>> {
            // SAFETY: descriptors and views belong together (see the file's head); there is room for
            // `MAX_ANSWERS` answers.
            let timed = || first!(request, sys::$answer, |count, answers| unsafe {
                sys::$timed(
                    request.handle,
                    request.$a,
                    $a.pointer as *const c_void,
                    request.$b,
                    $b.pointer as *const c_void,
                    request.convolution,
                    request.$output,
                    $output.pointer as *mut c_void,
                    MAX_ANSWERS as c_int,
                    count,
                    answers,
                    workspace.pointer as *mut c_void,
                    request.workspace,
                )
            });
            // SAFETY: the descriptors are alive; there is room for `MAX_ANSWERS` answers.
            let ranked = || first!(request, sys::$answer, |count, answers| unsafe {
                sys::$ranked(
                    request.handle,
                    request.$a,
                    request.$b,
                    request.convolution,
                    request.$output,
                    MAX_ANSWERS as c_int,
                    count,
                    answers,
                )
            });
            let timed = (!request.deterministic).then(timed).flatten();
            timed.or_else(ranked)
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
