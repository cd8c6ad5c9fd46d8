//! A split of a dataset.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;

use numpy::{IntoPyArray, PyArray1, PyArray3, PyArray4, PyArrayMethods};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use shardmill_loader::{CacheOptions, LoaderError};
use shardmill_store::{address, misspelt};

use crate::errors::{detached, from_loader, interruptible, plain};

/// A split of a dataset, mapped and validated; or a part of one.
#[pyclass(frozen, module = "shardmill._core")]
pub(crate) struct Dataset {
    pub(crate) inner: shardmill_loader::Dataset,
    /// Whether each record that is read is a request to a server.
    is_remote: bool,
}

/// Records that are fetched from an object store at once, since fetching one is little but waiting.
const FETCHED_AT_ONCE: usize = 16;

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
    fn decode(&self, py: Python<'_>, indices: Vec<u64>) -> PyResult<Vec<u8>> {
        if self.is_remote {
            let inner = self.inner.clone();
            return interruptible(py, move || fetch(&inner, &indices));
        }
        detached(py, || {
            let mut pixels = vec![0; self.inner.shape().bytes() * indices.len()];
            read(&self.inner, &indices, &mut pixels).map(|()| pixels)
        })
    }

    /// A part of this dataset.
    fn part(&self, inner: shardmill_loader::Dataset) -> Self {
        let is_remote = self.is_remote;
        Self { inner, is_remote }
    }

    fn axes(&self) -> [usize; 2] {
        let shape = self.inner.shape();
        [shape.height as usize, shape.width as usize]
    }
}

/// Decodes samples one after the other.
fn read(
    dataset: &shardmill_loader::Dataset,
    indices: &[u64],
    pixels: &mut [u8],
) -> Result<(), LoaderError> {
    let mut records = pixels
        .chunks_exact_mut(dataset.shape().bytes())
        .zip(indices);
    records.try_for_each(|(rgb, &index)| dataset.read(index, rgb))
}

/// Decodes samples of an object store, several at once.
fn fetch(dataset: &shardmill_loader::Dataset, indices: &[u64]) -> Result<Vec<u8>, LoaderError> {
    let bytes = dataset.shape().bytes();
    let mut pixels = vec![0; bytes * indices.len()];
    let each = indices.len().div_ceil(FETCHED_AT_ONCE).max(1);
    let parts = pixels.chunks_mut(each * bytes).zip(indices.chunks(each));
    thread::scope(|scope| {
        let threads: Vec<_> = parts
            .map(|(pixels, indices)| scope.spawn(move || read(dataset, indices, pixels)))
            .collect();
        let mut threads = threads.into_iter();
        threads.try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    Ok(pixels)
}

#[pymethods]
impl Dataset {
    /// `cache_dir` and `cache_bytes` are those of the cache for shards of an object store.
    #[new]
    #[pyo3(signature = (path, split, cache_dir, cache_bytes))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        split: &str,
        cache_dir: Option<PathBuf>,
        cache_bytes: Option<u64>,
    ) -> PyResult<Self> {
        let cache = CacheOptions {
            dir: cache_dir,
            bytes: cache_bytes,
        };
        let (is_remote, split) = (address(&path).is_some(), split.to_owned());
        let open = move || shardmill_loader::Dataset::open_cached(&path, &split, cache);
        let inner = if is_remote {
            interruptible(py, open)?
        } else {
            detached(py, open)?
        };
        Ok(Self { inner, is_remote })
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
        let index = self.check(index)?;
        if self.is_remote {
            let inner = self.inner.clone();
            let stored = move || Ok(inner.stored(index)?.to_vec());
            return Ok(PyBytes::new(py, &interruptible(py, stored)?));
        }
        let stored = detached(py, || self.inner.stored(index))?;
        Ok(PyBytes::new(py, &stored))
    }

    /// One decoded sample, uint8 `[height, width, 3]`.
    fn read<'py>(&self, py: Python<'py>, index: u64) -> PyResult<Bound<'py, PyArray3<u8>>> {
        let pixels = self.decode(py, vec![self.check(index)?])?;
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
        let count = indices.len();
        let pixels = self.decode(py, indices)?;
        let [height, width] = self.axes();
        pixels.into_pyarray(py).reshape([count, height, width, 3])
    }

    fn select(&self, py: Python<'_>, indices: Vec<u64>) -> PyResult<Self> {
        let inner = self.inner.select(indices);
        inner
            .map(|inner| self.part(inner))
            .map_err(|error: LoaderError| from_loader(py, &error))
    }

    fn filter_classes(&self, py: Python<'_>, classes: Vec<i64>) -> Self {
        self.part(py.detach(|| self.inner.filter_classes(&classes)))
    }
}

/// Whether a path is the address of an object store, or is spelt like one and means no folder: the compiled part
/// opens it, or says what is wrong with it.
#[pyfunction]
pub(crate) fn is_address(path: PathBuf) -> bool {
    address(&path).is_some() || (misspelt(&path).is_some() && !path.exists())
}
