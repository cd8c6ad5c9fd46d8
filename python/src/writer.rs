//! Datasets made from a program's own images.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use numpy::{PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;
use shardmill_prep::{DatasetWriter, Image, PrepError, Sample, WriteOptions, class_list};

use crate::errors::{from_panic, plain};
use crate::observe::from_prep;
use crate::prepare::{MakeArgs, parsed};

/// Builds a dataset sample by sample.
#[pyclass(frozen, module = "shardmill._core")]
pub(crate) struct Writer {
    /// `None` after it was finished or abandoned.
    inner: Mutex<Option<DatasetWriter>>,
    /// A forked child has no threads and must not remove the files.
    process: u32,
}

impl Writer {
    /// Runs work on the writer without the GIL.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Option<DatasetWriter>) -> Result<T, PrepError> + Send,
    ) -> PyResult<T> {
        if self.process != std::process::id() {
            let text = "this process was forked while the dataset was being written: write it in one process";
            return Err(plain(py, "ForkedError", text));
        }
        let done = py.detach(|| {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            catch_unwind(AssertUnwindSafe(|| work(&mut inner)))
        });
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(from_prep(py, &error)),
            Err(panic) => Err(from_panic(py, panic.as_ref())),
        }
    }

    fn push(
        &self,
        py: Python<'_>,
        split: &str,
        image: Image,
        label: i64,
        key: Option<String>,
    ) -> PyResult<()> {
        let sample = Sample { image, label, key };
        self.with(py, |writer| match writer {
            Some(writer) => writer.push(split, sample),
            None => Err(PrepError::WriterStopped),
        })
    }
}

#[pymethods]
impl Writer {
    #[new]
    fn new(py: Python<'_>, out: PathBuf, classes: Vec<String>, make: MakeArgs) -> PyResult<Self> {
        let classes = class_list(&classes).map_err(|error| from_prep(py, &error))?;
        let mut options = WriteOptions::new(classes);
        options.codec = parsed(py, "codec", &make.codec)?;
        options.quality = make.quality.unwrap_or(options.quality);
        options.size = make.size;
        options.decode = make.decode.options(py)?;
        options.on_error = parsed(py, "on_error", &make.on_error)?;
        options.shard_records = make.shard_records;
        options.threads = make.threads;
        options.decode_memory = make.decode_memory;
        let writer = DatasetWriter::create(out, options).map_err(|error| from_prep(py, &error))?;
        Ok(Self {
            inner: Mutex::new(Some(writer)),
            process: std::process::id(),
        })
    }

    /// Adds a sample from the bytes of an image file.
    #[pyo3(signature = (split, image, label, key))]
    fn push_encoded(
        &self,
        py: Python<'_>,
        split: &str,
        image: &[u8],
        label: i64,
        key: Option<String>,
    ) -> PyResult<()> {
        self.push(py, split, Image::Encoded(image.to_vec()), label, key)
    }

    /// Adds a sample from pixels: `[height, width]` or `[height, width, channels]`.
    #[pyo3(signature = (split, image, label, key))]
    fn push_pixels(
        &self,
        py: Python<'_>,
        split: &str,
        image: &Bound<'_, PyArrayDyn<u8>>,
        label: i64,
        key: Option<String>,
    ) -> PyResult<()> {
        let axis = |at: usize| u32::try_from(*image.shape().get(at).unwrap_or(&1)).ok();
        let (height, width, channels) = (axis(0), axis(1), axis(2));
        let channels = channels.and_then(|channels| u8::try_from(channels).ok());
        let (Some(height), Some(width), Some(channels @ 1..=4), 2..=3) =
            (height, width, channels, image.ndim())
        else {
            let text = format!(
                "an image has shape {:?}; give uint8 [height, width] or [height, width, channels] with 1 to 4 channels",
                image.shape()
            );
            return Err(plain(py, "SettingError", &text));
        };
        let image = image.readonly();
        let image = image.as_array();
        let image = Image::Pixels {
            width,
            height,
            channels,
            pixels: image.iter().copied().collect(),
        };
        self.push(py, split, image, label, key)
    }

    /// Writes the manifest; returns the summary as JSON.
    fn finish(&self, py: Python<'_>) -> PyResult<String> {
        self.with(py, |writer| match writer.take() {
            Some(writer) => writer.finish().map(|summary| summary.to_json()),
            None => Err(PrepError::WriterStopped),
        })
    }

    /// Removes what was written; does nothing in a forked child.
    fn abandon(&self, py: Python<'_>) -> PyResult<()> {
        if self.process != std::process::id() {
            return Ok(());
        }
        self.with(py, |writer| {
            drop(writer.take());
            Ok(())
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = inner.take() else {
            return;
        };
        if self.process == std::process::id() {
            drop(writer);
        } else {
            std::mem::forget(writer);
        }
    }
}
