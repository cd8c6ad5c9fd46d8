//! A Python function of every decoded sample, called by the loader's threads.

use std::error::Error;

use numpy::{PyArray1, PyArray3, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use shardmill_loader::Sample;

/// The function: it takes the pixels and a `shardmill.Sample`, and changes the pixels in place or gives
/// others of the same shape.
pub(crate) struct Transform {
    function: Py<PyAny>,
}

impl Transform {
    pub(crate) fn new(function: Py<PyAny>) -> Self {
        Self { function }
    }

    /// Calls the function with a copy of the pixels, so that it may keep the array.
    pub(crate) fn apply(
        &self,
        sample: &mut Sample<'_>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let called = Python::try_attach(|py| self.call(py, sample));
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
        let given = self.function.bind(py).call1((&pixels, about))?;
        let changed = if given.is_none() {
            pixels
        } else {
            let wrong = |found: String| {
                let text = format!(
                    "a transform gives uint8 of shape {shape:?}, or None where it changed the pixels in place, and not {found}"
                );
                PyTypeError::new_err(text)
            };
            match given.cast_into::<PyArray3<u8>>() {
                Ok(array) if array.shape() == shape => array,
                Ok(array) => return Err(wrong(format!("of shape {:?}", array.shape()))),
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
