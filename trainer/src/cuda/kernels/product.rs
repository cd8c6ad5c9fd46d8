//! Matrix products of the fully connected layers, by cuBLAS.
//!
//! cuBLAS counts columns first: a row-major `[rows, columns]` matrix is its transpose to it, so
//! `C = A B^T` is asked for as `C^T = B A^T`, and so on.
//!
//! Contract: every entry checks that the views hold the matrices before cuBLAS sees their pointers.

use std::ffi::{c_int, c_void};

use candle_core::cuda_backend::cudarc::cublas::result::gemm_ex;
use candle_core::cuda_backend::cudarc::cublas::sys::{
    cublasComputeType_t as Compute, cublasGemmAlgo_t as Algorithm, cublasOperation_t as Operation,
    cudaDataType_t as Type,
};

use crate::compute::Precision;
use crate::cuda::device::error::{CudaError, Doing};
use crate::cuda::device::gpu::Gpu;
use crate::cuda::device::memory::{Element, View, ViewMut};

/// One operand as cuBLAS sees it.
struct Operand<'a> {
    view: View<'a>,
    operation: Operation,
    leading: usize,
}

impl Gpu {
    /// `output = input weight^T`: `[rows, inputs]`, `[outputs, inputs]`, `[rows, outputs]`.
    pub(crate) fn product(
        &self,
        (rows, inputs, outputs): (usize, usize, usize),
        input: View<'_>,
        weight: View<'_>,
        output: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let a = Operand {
            view: weight.head(outputs * inputs),
            operation: Operation::CUBLAS_OP_T,
            leading: inputs,
        };
        let b = Operand {
            view: input.head(rows * inputs),
            operation: Operation::CUBLAS_OP_N,
            leading: inputs,
        };
        self.multiply((outputs, rows, inputs), a, b, output)
    }

    /// The gradient of the input: `[rows, inputs] = [rows, outputs] [outputs, inputs]`.
    pub(crate) fn product_input(
        &self,
        (rows, inputs, outputs): (usize, usize, usize),
        gradient: View<'_>,
        weight: View<'_>,
        input_gradient: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let a = Operand {
            view: weight.head(outputs * inputs),
            operation: Operation::CUBLAS_OP_N,
            leading: inputs,
        };
        let b = Operand {
            view: gradient.head(rows * outputs),
            operation: Operation::CUBLAS_OP_N,
            leading: outputs,
        };
        self.multiply((inputs, rows, outputs), a, b, input_gradient)
    }

    /// The gradient of the weight: `[outputs, inputs] = [rows, outputs]^T [rows, inputs]`.
    pub(crate) fn product_weight(
        &self,
        (rows, inputs, outputs): (usize, usize, usize),
        input: View<'_>,
        gradient: View<'_>,
        weight_gradient: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let a = Operand {
            view: input.head(rows * inputs),
            operation: Operation::CUBLAS_OP_N,
            leading: inputs,
        };
        let b = Operand {
            view: gradient.head(rows * outputs),
            operation: Operation::CUBLAS_OP_T,
            leading: outputs,
        };
        self.multiply((inputs, outputs, rows), a, b, weight_gradient)
    }

    /// `c = a b` with `c` of `m` rows and `n` columns, columns first; sums are f32.
    fn multiply(
        &self,
        (m, n, k): (usize, usize, usize),
        a: Operand<'_>,
        b: Operand<'_>,
        c: ViewMut<'_>,
    ) -> Result<(), CudaError> {
        let c = c.head(m * n);
        let size = |size: usize| c_int::try_from(size).expect("sizes of layers fit into 31 bits");
        let compute = match self.precision {
            Precision::Tf32 => Compute::CUBLAS_COMPUTE_32F_FAST_TF32,
            Precision::F32 | Precision::Bf16 => Compute::CUBLAS_COMPUTE_32F,
        };
        let (one, zero) = (1.0_f32, 0.0_f32);
        self.context
            .bind_to_thread()
            .doing("use the card on this thread")?;
        // SAFETY: the views hold matrices of these sizes (each was cut to its size above), their
        // memory is the card's, and the scalars are f32 as the compute type wants, read before the
        // call returns.
        unsafe {
            gemm_ex(
                *self.blas.handle(),
                a.operation,
                b.operation,
                size(m),
                size(n),
                size(k),
                (&raw const one).cast::<c_void>(),
                a.view.pointer as *const c_void,
                kind(a.view.element),
                size(a.leading),
                b.view.pointer as *const c_void,
                kind(b.view.element),
                size(b.leading),
                (&raw const zero).cast::<c_void>(),
                c.pointer as *mut c_void,
                kind(c.element),
                size(m),
                compute,
                Algorithm::CUBLAS_GEMM_DEFAULT,
            )
        }
        .doing("multiply matrices")
    }
}

/// cuBLAS's name of a type.
fn kind(element: Element) -> Type {
    match element {
        Element::F32 => Type::CUDA_R_32F,
        Element::Bf16 => Type::CUDA_R_16BF,
        Element::U8 | Element::U32 | Element::I64 | Element::F64 => {
            unreachable!("products are of f32 or bf16 values")
        }
    }
}
