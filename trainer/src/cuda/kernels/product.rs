//! Matrix products of the fully connected layers, by cuBLAS.
//!
//! cuBLAS counts columns first: to it, a row-major `[rows, columns]` matrix is its transpose, so
//! `C = A B^T` is requested as `C^T = B A^T`, and so on.
//!
//! Contract: every function checks that the views hold the matrices before cuBLAS gets their pointers.

use std::ffi::{c_int, c_void};

use candle_core::cuda_backend::cudarc::cublas::result::gemm_ex;
use candle_core::cuda_backend::cudarc::cublas::sys::{
    cublasComputeType_t as Compute, cublasGemmAlgo_t as Algorithm, cublasOperation_t as Operation,
    cudaDataType_t as Type,
};

use crate::compute::Precision;
use crate::cuda::device::{CudaError, Device, Element, ErrorContext, View, ViewMut, make_current};
use crate::net::layer::LinearLayer;

/// One operand as cuBLAS sees it: `columns` values follow each other in memory.
struct Operand<'a> {
    view: View<'a>,
    columns: usize,
    transposed: bool,
}

impl<'a> Operand<'a> {
    /// A row-major matrix.
    fn new(view: View<'a>, rows: usize, columns: usize) -> Self {
        Self {
            view: view.head(rows * columns),
            columns,
            transposed: false,
        }
    }

    fn transposed(self) -> Self {
        let transposed = true;
        Self { transposed, ..self }
    }

    fn operation(&self) -> Operation {
        match self.transposed {
            true => Operation::CUBLAS_OP_T,
            false => Operation::CUBLAS_OP_N,
        }
    }
}

/// `output = input weight^T`: `[rows, inputs]`, `[outputs, inputs]`, `[rows, outputs]`.
pub(crate) fn product(
    device: &Device,
    layer: &LinearLayer,
    rows: usize,
    input: View<'_>,
    weight: View<'_>,
    output: ViewMut<'_>,
) -> Result<(), CudaError> {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let a = Operand::new(weight, outputs, inputs).transposed();
    let b = Operand::new(input, rows, inputs);
    multiply(device, [outputs, rows, inputs], a, b, output)
}

/// The gradient of the input: `[rows, inputs] = [rows, outputs] [outputs, inputs]`.
pub(crate) fn product_input(
    device: &Device,
    layer: &LinearLayer,
    rows: usize,
    gradient: View<'_>,
    weight: View<'_>,
    input_gradient: ViewMut<'_>,
) -> Result<(), CudaError> {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let a = Operand::new(weight, outputs, inputs);
    let b = Operand::new(gradient, rows, outputs);
    multiply(device, [inputs, rows, outputs], a, b, input_gradient)
}

/// The gradient of the weight: `[outputs, inputs] = [rows, outputs]^T [rows, inputs]`.
pub(crate) fn product_weight(
    device: &Device,
    layer: &LinearLayer,
    rows: usize,
    input: View<'_>,
    gradient: View<'_>,
    weight_gradient: ViewMut<'_>,
) -> Result<(), CudaError> {
    let (inputs, outputs) = (layer.inputs, layer.outputs);
    let a = Operand::new(input, rows, inputs);
    let b = Operand::new(gradient, rows, outputs).transposed();
    multiply(device, [inputs, outputs, rows], a, b, weight_gradient)
}

/// `c = a b` with `c` of `m` rows and `n` columns, columns first, and `k` summands; sums are f32.
fn multiply(
    device: &Device,
    [m, n, k]: [usize; 3],
    a: Operand<'_>,
    b: Operand<'_>,
    c: ViewMut<'_>,
) -> Result<(), CudaError> {
    let c = c.head(m * n);
    let size = |size: usize| c_int::try_from(size).expect("sizes of layers fit into 31 bits");
    let compute = match device.precision {
        Precision::Tf32 => Compute::CUBLAS_COMPUTE_32F_FAST_TF32,
        Precision::F32 | Precision::Bf16 => Compute::CUBLAS_COMPUTE_32F,
    };
    let (one, zero) = (1.0_f32, 0.0_f32);
    make_current(&device.stream)?;
    // SAFETY: the views hold matrices of these sizes (each was cut to its size above), their
    // memory is the GPU's, and the scalars are f32 as the compute type requires, read before the
    // call returns.
    unsafe {
        gemm_ex(
            *device.blas.handle(),
            a.operation(),
            b.operation(),
            size(m),
            size(n),
            size(k),
            (&raw const one).cast::<c_void>(),
            a.view.pointer as *const c_void,
            kind(a.view.element),
            size(a.columns),
            b.view.pointer as *const c_void,
            kind(b.view.element),
            size(b.columns),
            (&raw const zero).cast::<c_void>(),
            c.pointer as *mut c_void,
            kind(c.element),
            size(m),
            compute,
            Algorithm::CUBLAS_GEMM_DEFAULT,
        )
    }
    .context("multiply matrices")
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
