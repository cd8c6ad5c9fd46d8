//! Which of cuDNN's algorithms does a pass of a convolution.
//!
//! Without `--deterministic` cuDNN times every algorithm on the real buffers, once for each shape.
//! With it cuDNN's own ranking counts, which is the same every time, and of that only what is
//! deterministic.
//!
//! Contract: the three searches write to the output of their pass, so they run before a step does, and
//! every view holds a tensor of the plan's descriptors.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;

use candle_core::cuda_backend::cudarc::cudnn::sys;

use crate::cuda::device::error::CudaError;
use crate::cuda::device::memory::{View, ViewMut};

/// Algorithms asked for; there are fewer of each kind.
const MOST: usize = 16;

/// An algorithm that would do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<A> {
    pub(crate) algorithm: A,
    /// Bytes of its workspace.
    pub(crate) workspace: usize,
    pub(crate) math: sys::cudnnMathType_t,
}

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// Bytes of the workspace there is.
    pub(crate) workspace: usize,
    pub(crate) deterministic: bool,
    /// Whether only multiplications of f32 will do.
    pub(crate) strict: bool,
}

impl Wish {
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

/// Calls one of cuDNN's searches with room for its answers and gives the first that is allowed: they
/// come best first.
macro_rules! first {
    ($wish:expr, $answer:ty, $call:expr) => {{
        let mut answers = [const { MaybeUninit::<$answer>::uninit() }; MOST];
        let mut count: c_int = 0;
        let status = $call(&raw mut count, answers.as_mut_ptr().cast());
        let count = usize::try_from(count).unwrap_or(0).min(MOST);
        let count = if status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS {
            count
        } else {
            0
        };
        answers[..count]
            .iter()
            // SAFETY: cuDNN has written as many answers as it says.
            .map(|answer| unsafe { answer.assume_init_ref() })
            .find(|a| $wish.allows(a.status, a.memory, a.determinism, a.mathType))
            .map(|a| Found {
                algorithm: a.algo,
                workspace: a.memory,
                math: a.mathType,
            })
    }};
}

/// The tensors of a convolution, as cuDNN knows them.
#[derive(Clone, Copy)]
pub(crate) struct Problem {
    pub(crate) handle: sys::cudnnHandle_t,
    pub(crate) x: sys::cudnnTensorDescriptor_t,
    pub(crate) w: sys::cudnnFilterDescriptor_t,
    pub(crate) y: sys::cudnnTensorDescriptor_t,
    pub(crate) convolution: sys::cudnnConvolutionDescriptor_t,
}

fn read(view: View<'_>) -> *const c_void {
    view.pointer as *const c_void
}

fn write(view: &ViewMut<'_>) -> *mut c_void {
    view.pointer as *mut c_void
}

/// For `y = x * w`.
pub(crate) fn forward(
    p: Problem,
    wish: Wish,
    x: View<'_>,
    w: View<'_>,
    y: ViewMut<'_>,
    workspace: &mut ViewMut<'_>,
) -> Option<Found<sys::cudnnConvolutionFwdAlgo_t>> {
    if !wish.deterministic {
        let timed = first!(
            wish,
            sys::cudnnConvolutionFwdAlgoPerf_t,
            |count, answers| {
                // SAFETY: descriptors and views belong together (see the file's head); there is room for
                // `MOST` answers.
                unsafe {
                    sys::cudnnFindConvolutionForwardAlgorithmEx(
                        p.handle,
                        p.x,
                        read(x),
                        p.w,
                        read(w),
                        p.convolution,
                        p.y,
                        write(&y),
                        MOST as c_int,
                        count,
                        answers,
                        write(workspace),
                        wish.workspace,
                    )
                }
            }
        );
        if timed.is_some() {
            return timed;
        }
    }
    first!(
        wish,
        sys::cudnnConvolutionFwdAlgoPerf_t,
        |count, answers| {
            // SAFETY: the descriptors are alive; there is room for `MOST` answers.
            unsafe {
                sys::cudnnGetConvolutionForwardAlgorithm_v7(
                    p.handle,
                    p.x,
                    p.w,
                    p.convolution,
                    p.y,
                    MOST as c_int,
                    count,
                    answers,
                )
            }
        }
    )
}

/// For the gradient of `x`, into `x`.
pub(crate) fn data(
    p: Problem,
    wish: Wish,
    w: View<'_>,
    y: View<'_>,
    x: ViewMut<'_>,
    workspace: &mut ViewMut<'_>,
) -> Option<Found<sys::cudnnConvolutionBwdDataAlgo_t>> {
    if !wish.deterministic {
        let timed = first!(
            wish,
            sys::cudnnConvolutionBwdDataAlgoPerf_t,
            |count, answers| {
                // SAFETY: as in `forward`.
                unsafe {
                    sys::cudnnFindConvolutionBackwardDataAlgorithmEx(
                        p.handle,
                        p.w,
                        read(w),
                        p.y,
                        read(y),
                        p.convolution,
                        p.x,
                        write(&x),
                        MOST as c_int,
                        count,
                        answers,
                        write(workspace),
                        wish.workspace,
                    )
                }
            }
        );
        if timed.is_some() {
            return timed;
        }
    }
    first!(
        wish,
        sys::cudnnConvolutionBwdDataAlgoPerf_t,
        |count, answers| {
            // SAFETY: as in `forward`.
            unsafe {
                sys::cudnnGetConvolutionBackwardDataAlgorithm_v7(
                    p.handle,
                    p.w,
                    p.y,
                    p.convolution,
                    p.x,
                    MOST as c_int,
                    count,
                    answers,
                )
            }
        }
    )
}

/// For the gradient of `w`, into `w`.
pub(crate) fn filter(
    p: Problem,
    wish: Wish,
    x: View<'_>,
    y: View<'_>,
    w: ViewMut<'_>,
    workspace: &mut ViewMut<'_>,
) -> Option<Found<sys::cudnnConvolutionBwdFilterAlgo_t>> {
    if !wish.deterministic {
        let timed = first!(
            wish,
            sys::cudnnConvolutionBwdFilterAlgoPerf_t,
            |count, answers| {
                // SAFETY: as in `forward`.
                unsafe {
                    sys::cudnnFindConvolutionBackwardFilterAlgorithmEx(
                        p.handle,
                        p.x,
                        read(x),
                        p.y,
                        read(y),
                        p.convolution,
                        p.w,
                        write(&w),
                        MOST as c_int,
                        count,
                        answers,
                        write(workspace),
                        wish.workspace,
                    )
                }
            }
        );
        if timed.is_some() {
            return timed;
        }
    }
    first!(
        wish,
        sys::cudnnConvolutionBwdFilterAlgoPerf_t,
        |count, answers| {
            // SAFETY: as in `forward`.
            unsafe {
                sys::cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                    p.handle,
                    p.x,
                    p.y,
                    p.convolution,
                    p.w,
                    MOST as c_int,
                    count,
                    answers,
                )
            }
        }
    )
}

/// The error where nothing was found.
pub(crate) fn none(pass: &'static str, shape: String, precision: &'static str) -> CudaError {
    CudaError::NoAlgorithm {
        // SAFETY: asks the library for a number.
        version: unsafe { sys::cudnnGetVersion() },
        pass,
        shape,
        precision,
    }
}
