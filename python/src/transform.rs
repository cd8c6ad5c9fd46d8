//! A Python function that the loader's threads call for every decoded sample.

use std::cell::Cell;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use numpy::{PyArray1, PyArray3, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};
use shardmill_loader::Sample;

thread_local! {
    /// Whether this thread is inside the function.
    static IS_CALLING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a transform. Then it must not wait for the threads of a loader, since it may be one
/// of them.
pub(crate) fn is_calling() -> bool {
    IS_CALLING.get()
}

/// Runs the work of a loader's thread with an interpreter thread state that lasts as long as the thread. A state for
/// each call would be made and deleted under a lock of the interpreter, and a process that is forked meanwhile would
/// wait for that lock forever.
pub(crate) fn keep_attached(work: &mut (dyn FnMut() + Send)) {
    let attached = Python::try_attach(|py| py.detach(&mut *work));
    if attached.is_none() {
        // The interpreter is exiting, which the transform reports.
        work();
    }
}

/// The function: it takes the pixels and a `shardmill.Sample`, and changes the pixels in place or returns others of
/// the same shape.
///
/// The loader's threads and the Python object of the loader share one reference to it. That object exposes it to the
/// garbage collector, which may clear it: a loader may be an attribute of the object whose method its transform is.
#[derive(Clone)]
pub(crate) struct Transform {
    function: Arc<Mutex<Option<Py<PyAny>>>>,
}

impl Transform {
    pub(crate) fn new(function: Py<PyAny>) -> Self {
        Self {
            function: Arc::new(Mutex::new(Some(function))),
        }
    }

    /// Shows the function to the garbage collector. The lock is held only briefly, by threads that hold the GIL.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.function.try_lock() {
            Ok(function) => visit.call(&*function),
            Err(_) => Ok(()),
        }
    }

    /// Drops the function.
    pub(crate) fn clear(&self) {
        let mut function = self.function.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = function.take();
        drop(function);
        // This may run any Python code, so the lock is released first.
        drop(taken);
    }

    fn function(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let function = self.function.lock().unwrap_or_else(PoisonError::into_inner);
        let function = function.as_ref().map(|function| function.clone_ref(py));
        function.ok_or_else(|| PyRuntimeError::new_err("the loader is gone"))
    }

    /// Calls the function with a copy of the pixels, so that it may keep the array.
    pub(crate) fn apply(
        &self,
        sample: &mut Sample<'_>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let before = IS_CALLING.replace(true);
        let called = Python::try_attach(|py| self.call(py, sample));
        IS_CALLING.set(before);
        called.unwrap_or_else(|| Err(PyRuntimeError::new_err("the interpreter is ending")))?;
        Ok(())
    }

    fn call(&self, py: Python<'_>, sample: &mut Sample<'_>) -> PyResult<()> {
        let shape = sample.shape();
        let shape = [shape.height as usize, shape.width as usize, 3];
        let pixels = PyArray1::from_slice(py, sample.pixels()).reshape(shape)?;
        let about = PyDict::new(py);
        about.set_item("label", sample.label())?;
        about.set_item("key", sample.key())?;
        about.set_item("index", sample.index())?;
        about.set_item("epoch", sample.epoch())?;
        let random = sample.random();
        let [low, high] = [random.next_u32(), random.next_u32()].map(u64::from);
        about.set_item("seed", high << 32 | low)?;
        let class = py.import("shardmill.augment")?.getattr("Sample")?;
        let about = class.call((), Some(&about))?;
        let given = self.function(py)?.bind(py).call1((&pixels, about))?;
        let given = match given.is_none() {
            // The function may have changed its shape, too.
            true => pixels.into_any(),
            false => given,
        };
        let changed = {
            let wrong = |found: String| {
                let text = format!(
                    "a transform must return uint8 of shape {shape:?}, or None if it changed the pixels in place, but it returned {found}"
                );
                PyTypeError::new_err(text)
            };
            match given.cast_into::<PyArray3<u8>>() {
                Ok(array) if array.shape() == shape => array,
                Ok(array) => return Err(wrong(format!("shape {:?}", array.shape()))),
                Err(error) => return Err(wrong(error.into_inner().repr()?.to_string())),
            }
        };
        let changed = changed.readonly();
        let changed = changed.as_array();
        for (to, from) in sample.pixels().iter_mut().zip(changed.iter()) {
            *to = *from;
        }
        Ok(())
    }
}
