//! A split of a dataset.

use std::path::PathBuf;

use numpy::{IntoPyArray, PyArray1, PyArray3, PyArray4, PyArrayMethods};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use shardmill_loader::LoaderError;

use crate::errors::{detached, from_loader, plain};

/// A split of a dataset, mapped and validated; or a part of one.
#[pyclass(frozen, module = "shardmill._core")]
pub(crate) struct Dataset {
    pub(crate) inner: shardmill_loader::Dataset,
}

impl Dataset {
    fn check(&self, index: u64) -> PyResult<u64> {
        if index < self.inner.len() {
            return Ok(index);
        }
        Err(PyIndexError::new_err(format!(
            "there is no sample {index}: the dataset has {} samples",
            self.inner.len()
        )))
    }

    /// Decodes samples into consecutive memory, without the GIL.
    fn decode(&self, py: Python<'_>, indices: &[u64]) -> PyResult<Vec<u8>> {
        let bytes = self.inner.shape().bytes();
        detached(py, || {
            let mut pixels = vec![0; bytes * indices.len()];
            for (rgb, &index) in pixels.chunks_exact_mut(bytes).zip(indices) {
                self.inner.read(index, rgb)?;
            }
            Ok(pixels)
        })
    }

    fn axes(&self) -> [usize; 2] {
        let shape = self.inner.shape();
        [shape.height as usize, shape.width as usize]
    }
}

#[pymethods]
impl Dataset {
    #[new]
    fn new(py: Python<'_>, path: PathBuf, split: &str) -> PyResult<Self> {
        let inner = detached(py, || shardmill_loader::Dataset::open(&path, split))?;
        Ok(Self { inner })
    }

    fn __len__(&self) -> usize {
        // The index is in memory, so the number of samples fits into `usize`.
        self.inner.len() as usize
    }

    #[getter]
    fn split(&self) -> &str {
        self.inner.split()
    }

    #[getter]
    fn labelled(&self) -> bool {
        self.inner.is_labelled()
    }

    /// Rows and columns of a record.
    #[getter]
    fn sides(&self) -> (u32, u32) {
        let shape = self.inner.shape();
        (shape.height, shape.width)
    }

    #[getter]
    fn codec(&self) -> String {
        self.inner.codec().to_string()
    }

    /// Synset or folder name, and human-readable name, of each class.
    fn classes(&self) -> Vec<(&str, &str)> {
        let classes = self.inner.classes().iter();
        classes
            .map(|class| (class.synset.as_str(), class.name.as_str()))
            .collect()
    }

    /// The manifest as JSON.
    fn manifest(&self, py: Python<'_>) -> PyResult<String> {
        serde_json::to_string(self.inner.manifest())
            .map_err(|error| plain(py, "InternalError", &error.to_string()))
    }

    fn key(&self, index: u64) -> PyResult<&str> {
        Ok(self.inner.key(self.check(index)?))
    }

    fn keys(&self, indices: Vec<u64>) -> PyResult<Vec<&str>> {
        indices.into_iter().map(|index| self.key(index)).collect()
    }

    fn label(&self, index: u64) -> PyResult<i64> {
        Ok(self.inner.label(self.check(index)?))
    }

    /// Every label, int64.
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<i64>>> {
        let labels = detached(py, || {
            let labels = (0..self.inner.len()).map(|index| self.inner.label(index));
            Ok(labels.collect::<Vec<i64>>())
        });
        Ok(labels?.into_pyarray(py))
    }

    /// The indices of the samples in the whole split, uint64.
    fn origins<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<u64>>> {
        let origins = detached(py, || {
            let origins = (0..self.inner.len()).map(|index| self.inner.origin(index));
            Ok(origins.collect::<Vec<u64>>())
        });
        Ok(origins?.into_pyarray(py))
    }

    /// The stored bytes, after a check of their checksum.
    fn stored<'py>(&self, py: Python<'py>, index: u64) -> PyResult<Bound<'py, PyBytes>> {
        let stored = self.inner.stored(self.check(index)?);
        let stored = stored.map_err(|error| from_loader(py, &error))?;
        Ok(PyBytes::new(py, stored))
    }

    /// One decoded sample, uint8 `[height, width, 3]`.
    fn read<'py>(&self, py: Python<'py>, index: u64) -> PyResult<Bound<'py, PyArray3<u8>>> {
        let pixels = self.decode(py, &[self.check(index)?])?;
        let [height, width] = self.axes();
        pixels.into_pyarray(py).reshape([height, width, 3])
    }

    /// Decoded samples, uint8 `[samples, height, width, 3]`.
    fn read_many<'py>(
        &self,
        py: Python<'py>,
        indices: Vec<u64>,
    ) -> PyResult<Bound<'py, PyArray4<u8>>> {
        for &index in &indices {
            self.check(index)?;
        }
        let pixels = self.decode(py, &indices)?;
        let [height, width] = self.axes();
        pixels
            .into_pyarray(py)
            .reshape([indices.len(), height, width, 3])
    }

    fn select(&self, py: Python<'_>, indices: Vec<u64>) -> PyResult<Self> {
        let inner = self.inner.select(indices);
        inner
            .map(|inner| Self { inner })
            .map_err(|error: LoaderError| from_loader(py, &error))
    }

    fn filter_classes(&self, py: Python<'_>, classes: Vec<i64>) -> Self {
        let inner = py.detach(|| self.inner.filter_classes(&classes));
        Self { inner }
    }
}
