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

fn read(view: View<'_>) -> *const c_void {
    view.pointer as *const c_void
}

fn write(view: &ViewMut<'_>) -> *mut c_void {
    view.pointer as *mut c_void
}

/// For `y = x * w`.
pub(super) fn forward(
    request: SearchRequest,
    x: View<'_>,
    w: View<'_>,
    y: ViewMut<'_>,
    workspace: &mut ViewMut<'_>,
) -> Option<SearchResult<sys::cudnnConvolutionFwdAlgo_t>> {
    if !request.deterministic {
        let timed = first!(
            request,
            sys::cudnnConvolutionFwdAlgoPerf_t,
            |count, answers| {
                // SAFETY: descriptors and views belong together (see the file's head); there is room for
                // `MAX_ANSWERS` answers.
                unsafe {
                    sys::cudnnFindConvolutionForwardAlgorithmEx(
                        request.handle,
                        request.x,
                        read(x),
                        request.w,
                        read(w),
                        request.convolution,
                        request.y,
                        write(&y),
                        MAX_ANSWERS as c_int,
                        count,
                        answers,
                        write(workspace),
                        request.workspace,
                    )
                }
            }
        );
        if timed.is_some() {
            return timed;
        }
    }
    first!(
        request,
        sys::cudnnConvolutionFwdAlgoPerf_t,
        |count, answers| {
            // SAFETY: the descriptors are alive; there is room for `MAX_ANSWERS` answers.
            unsafe {
                sys::cudnnGetConvolutionForwardAlgorithm_v7(
                    request.handle,
                    request.x,
                    request.w,
                    request.convolution,
                    request.y,
                    MAX_ANSWERS as c_int,
                    count,
                    answers,
                )
            }
        }
    )
}

/// For the gradient of `x`, into `x`.
pub(super) fn data(
    request: SearchRequest,
    w: View<'_>,
    y: View<'_>,
    x: ViewMut<'_>,
    workspace: &mut ViewMut<'_>,
) -> Option<SearchResult<sys::cudnnConvolutionBwdDataAlgo_t>> {
    if !request.deterministic {
        let timed = first!(
            request,
            sys::cudnnConvolutionBwdDataAlgoPerf_t,
            |count, answers| {
                // SAFETY: as in `forward`.
                unsafe {
                    sys::cudnnFindConvolutionBackwardDataAlgorithmEx(
                        request.handle,
                        request.w,
                        read(w),
                        request.y,
                        read(y),
                        request.convolution,
                        request.x,
                        write(&x),
                        MAX_ANSWERS as c_int,
                        count,
                        answers,
                        write(workspace),
                        request.workspace,
                    )
                }
            }
        );
        if timed.is_some() {
            return timed;
        }
    }
    first!(
        request,
        sys::cudnnConvolutionBwdDataAlgoPerf_t,
        |count, answers| {
            // SAFETY: as in `forward`.
            unsafe {
                sys::cudnnGetConvolutionBackwardDataAlgorithm_v7(
                    request.handle,
                    request.w,
                    request.y,
                    request.convolution,
                    request.x,
                    MAX_ANSWERS as c_int,
                    count,
                    answers,
                )
            }
        }
    )
}

/// For the gradient of `w`, into `w`.
pub(super) fn filter(
    request: SearchRequest,
    x: View<'_>,
    y: View<'_>,
    w: ViewMut<'_>,
    workspace: &mut ViewMut<'_>,
) -> Option<SearchResult<sys::cudnnConvolutionBwdFilterAlgo_t>> {
    if !request.deterministic {
        let timed = first!(
            request,
            sys::cudnnConvolutionBwdFilterAlgoPerf_t,
            |count, answers| {
                // SAFETY: as in `forward`.
                unsafe {
                    sys::cudnnFindConvolutionBackwardFilterAlgorithmEx(
                        request.handle,
                        request.x,
                        read(x),
                        request.y,
                        read(y),
                        request.convolution,
                        request.w,
                        write(&w),
                        MAX_ANSWERS as c_int,
                        count,
                        answers,
                        write(workspace),
                        request.workspace,
                    )
                }
            }
        );
        if timed.is_some() {
            return timed;
        }
    }
    first!(
        request,
        sys::cudnnConvolutionBwdFilterAlgoPerf_t,
        |count, answers| {
            // SAFETY: as in `forward`.
            unsafe {
                sys::cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                    request.handle,
                    request.x,
                    request.y,
                    request.convolution,
                    request.w,
                    MAX_ANSWERS as c_int,
                    count,
                    answers,
                )
            }
        }
    )
}
