//! Lends the pixels of a batch to numpy, and to everything that imports DLPack.
//!
//! # Contract
//! The pixels of a [`Lent`] batch are never touched again by Rust: not read, not written, only dropped, which
//! gives their memory to a later batch of the loader. The batch is shared, and everything that points into
//! its memory has a share: a numpy array through its base, a DLPack capsule through its context. So the
//! memory is given back when the Python batch and the last array, view and tensor are gone, and not before.
//! The pixels are in pages of their own, which do not move when the batch moves, and the pointer was taken
//! from a unique borrow of them.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

use numpy::ndarray::{ArrayViewMutD, IxDyn};
use numpy::{Element, PyArrayDyn};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use shardmill_loader::Output;

/// A batch whose pixels are lent out.
pub(crate) struct Lent {
    batch: shardmill_loader::Batch,
    values: NonNull<u8>,
    /// Rows (or samples and views), then the three axes of an image.
    shape: Vec<usize>,
    output: Output,
}

// SAFETY: a batch may move to any thread. The pointer leads to memory that the batch owns and that Rust does
// not access; code that writes to it through numpy is responsible for races, as with any numpy array.
unsafe impl Send for Lent {}
// SAFETY: as above; a shared reference gives access only to the rest of the batch, for reading.
unsafe impl Sync for Lent {}

impl Lent {
    /// Takes the pixels of a batch; `shape` must have as many values as the batch.
    pub(crate) fn new(
        mut batch: shardmill_loader::Batch,
        shape: Vec<usize>,
        output: Output,
    ) -> Self {
        let bytes = batch.image_bytes_mut();
        assert_eq!(
            shape.iter().product::<usize>() * output.bytes(),
            bytes.len(),
            "the shape of a batch"
        );
        let values = NonNull::from(bytes).cast();
        Self {
            batch,
            values,
            shape,
            output,
        }
    }

    /// The batch, of which everything may be read except the pixels, which are lent.
    pub(crate) const fn rest(&self) -> &shardmill_loader::Batch {
        &self.batch
    }

    pub(crate) const fn output(&self) -> Output {
        self.output
    }
}

/// The pixels as a writable numpy array; bf16 as its bits, uint16.
pub(crate) fn array<'py>(py: Python<'py>, lent: &Arc<Lent>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match lent.output {
        Output::F32 => typed::<f32>(py, lent)?.into_any(),
        Output::F16 => typed::<half::f16>(py, lent)?.into_any(),
        Output::Bf16 => typed::<u16>(py, lent)?.into_any(),
        Output::U8 => typed::<u8>(py, lent)?.into_any(),
    })
}

/// The base of an array: keeps its memory.
#[pyclass(frozen, module = "shardmill._core")]
struct Share(#[expect(dead_code, reason = "held, not read")] Arc<Lent>);

fn typed<'py, T: Element>(
    py: Python<'py>,
    lent: &Arc<Lent>,
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    let base = Bound::new(py, Share(lent.clone()))?;
    assert_eq!(size_of::<T>(), lent.output.bytes(), "the type of a batch");
    // SAFETY: `new` checked that the memory holds as many values of this size; every bit pattern is a valid
    // value; pages are aligned for all of these types. No Rust reference into the memory is alive.
    let view = unsafe {
        ArrayViewMutD::from_shape_ptr(IxDyn(&lent.shape), lent.values.as_ptr().cast::<T>())
    };
    // SAFETY: the base has a share of the batch, whose memory stays where it is until the last share is
    // dropped.
    Ok(unsafe { PyArrayDyn::borrow_from_array(&view, base.into_any()) })
}

/// A batch in bfloat16, a type that numpy lacks: torch, JAX and others import it through DLPack.
#[pyclass(frozen, module = "shardmill._core")]
pub(crate) struct BFloat16Array {
    lent: Arc<Lent>,
}

impl BFloat16Array {
    pub(crate) const fn new(lent: Arc<Lent>) -> Self {
        Self { lent }
    }
}

#[pymethods]
impl BFloat16Array {
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyTuple>> {
        pyo3::types::PyTuple::new(py, &self.lent.shape)
    }

    /// The bits of the values, uint16, over the same memory.
    #[getter]
    fn bits<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        array(py, &self.lent)
    }

    /// On the CPU.
    fn __dlpack_device__(&self) -> (i32, i32) {
        (CPU, 0)
    }

    /// A DLPack capsule of a version before 1.0, which every consumer accepts. The protocol's other arguments make
    /// no difference on the CPU.
    #[pyo3(signature = (*, stream=None, max_version=None, dl_device=None, copy=None))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        stream: Option<Bound<'py, PyAny>>,
        max_version: Option<Bound<'py, PyAny>>,
        dl_device: Option<(i32, i32)>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = max_version;
        if stream.is_some() || copy == Some(true) || dl_device.is_some_and(|d| d != (CPU, 0)) {
            return Err(pyo3::exceptions::PyBufferError::new_err(
                "a batch is exported only on the CPU and without a copy: copy it or move it to a device afterwards",
            ));
        }
        capsule(py, &self.lent)
    }

    /// Without this, numpy would make an array of one object.
    #[pyo3(signature = (*_args, **_options))]
    fn __array__(
        &self,
        _args: &Bound<'_, pyo3::types::PyTuple>,
        _options: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        Err(pyo3::exceptions::PyTypeError::new_err(
            "numpy has no bfloat16: use .bits (uint16), torch.from_dlpack or JAX's from_dlpack, or output=\"float32\"",
        ))
    }

    fn __repr__(&self) -> String {
        format!("BFloat16Array(shape={:?})", self.lent.shape)
    }
}

/// DLPack's code for the CPU.
const CPU: i32 = 1;
/// DLPack's code for bfloat.
const BFLOAT: u8 = 4;
const NAME: &CStr = c"dltensor";

/// The structures of DLPack 0.8 (dlpack.h), as consumers read them.
#[repr(C)]
struct Tensor {
    data: *mut c_void,
    device_type: i32,
    device_id: i32,
    ndim: i32,
    code: u8,
    bits: u8,
    lanes: u16,
    shape: *mut i64,
    strides: *mut i64,
    byte_offset: u64,
}

#[repr(C)]
struct ManagedTensor {
    tensor: Tensor,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut ManagedTensor)>,
}

/// What a tensor points to: its shape, and the memory of its values.
struct Context {
    shape: Box<[i64]>,
    /// Dropped with the tensor.
    _lent: Arc<Lent>,
}

fn capsule<'py>(py: Python<'py>, lent: &Arc<Lent>) -> PyResult<Bound<'py, PyCapsule>> {
    let mut context = Box::new(Context {
        shape: lent.shape.iter().map(|&axis| axis as i64).collect(),
        _lent: lent.clone(),
    });
    let tensor = Tensor {
        data: lent.values.as_ptr().cast(),
        device_type: CPU,
        device_id: 0,
        ndim: context.shape.len() as i32,
        code: BFLOAT,
        bits: 16,
        lanes: 1,
        shape: context.shape.as_mut_ptr(),
        // Without strides the values are contiguous.
        strides: null_mut(),
        byte_offset: 0,
    };
    let managed = Box::into_raw(Box::new(ManagedTensor {
        tensor,
        context: Box::into_raw(context).cast(),
        deleter: Some(delete),
    }));
    // SAFETY: the pointer is not null, the name lives as long as the program, and the destructor fits what
    // the capsule holds.
    let made = unsafe {
        let raw = pyo3::ffi::PyCapsule_New(managed.cast(), NAME.as_ptr(), Some(abandon));
        Bound::from_owned_ptr_or_err(py, raw)
    };
    match made {
        Ok(capsule) => capsule.cast_into().map_err(PyErr::from),
        Err(error) => {
            // SAFETY: no capsule took the tensor.
            unsafe { delete(managed) };
            Err(error)
        }
    }
}

/// Frees a tensor: consumers call this once, on any thread, with or without the GIL.
///
/// # Safety
/// `managed` comes from [`capsule`] and has not been deleted.
unsafe extern "C" fn delete(managed: *mut ManagedTensor) {
    // SAFETY: `capsule` leaked both boxes, and this takes them back once.
    let context = unsafe {
        let managed = Box::from_raw(managed);
        Box::from_raw(managed.context.cast::<Context>())
    };
    // If the interpreter has exited, the object is gone already.
    let mut context = Some(context);
    if Python::try_attach(|_| drop(context.take())).is_none() {
        std::mem::forget(context);
    }
}

/// Frees the tensor of an unconsumed capsule; a consumer renames the capsule.
///
/// # Safety
/// The argument comes from [`capsule`].
unsafe extern "C" fn abandon(capsule: *mut pyo3::ffi::PyObject) {
    // SAFETY: the argument is a capsule, and its pointer is read only under the name of an unconsumed one.
    unsafe {
        if pyo3::ffi::PyCapsule_IsValid(capsule, NAME.as_ptr()) == 1 {
            delete(pyo3::ffi::PyCapsule_GetPointer(capsule, NAME.as_ptr()).cast());
        }
    }
}
