//! An ingest whose shards other processes make.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use shardmill_prep::ingest::{SharedIngest as Shared, SharedStart};

use crate::errors::plain;
use crate::observe::observed;
use crate::prepare::{IngestArgs, MakeArgs, options};

/// Lists and plans a source, hands out tasks, and completes the dataset.
#[pyclass(frozen, module = "shardmill._core")]
pub(crate) struct SharedIngest {
    /// `None` after it was completed, or if the dataset was complete before.
    inner: Mutex<Option<Box<Shared>>>,
    /// The summary as JSON, if the dataset was complete before.
    complete: Option<String>,
}

impl SharedIngest {
    /// Does something with the ingest, while it is unfinished.
    fn with<T>(&self, py: Python<'_>, work: impl FnOnce(&mut Shared) -> T) -> PyResult<T> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match inner.as_mut() {
            Some(shared) => Ok(work(shared)),
            None => Err(finished(py)),
        }
    }
}

fn finished(py: Python<'_>) -> PyErr {
    plain(py, "PrepareError", "this ingest is complete already")
}

#[pymethods]
impl SharedIngest {
    #[new]
    #[pyo3(signature = (source, out, make, args, progress))]
    fn new(
        py: Python<'_>,
        source: PathBuf,
        out: PathBuf,
        make: MakeArgs,
        args: IngestArgs,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let mut options = options(py, source, out, &make, &args)?;
        let start = observed(py, progress.as_ref(), move |observer| {
            options.observer = observer;
            Shared::begin(&options)
        })?;
        let (inner, complete) = match start {
            SharedStart::Complete(summary) => (None, Some(summary.to_json())),
            SharedStart::Unfinished(shared) => (Some(shared), None),
        };
        Ok(Self {
            inner: Mutex::new(inner),
            complete,
        })
    }

    /// The summary as JSON, if the dataset was complete before.
    #[getter]
    fn complete(&self) -> Option<&str> {
        self.complete.as_deref()
    }

    /// The number of images of each shard to make.
    fn images(&self, py: Python<'_>) -> PyResult<Vec<usize>> {
        self.with(py, |shared| {
            (0..shared.tasks()).map(|i| shared.images(i)).collect()
        })
    }

    /// The number of shards that an earlier run finished.
    #[getter]
    fn finished_before(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, |shared| shared.finished_before())
    }

    /// What `make_shard` needs for every shard.
    fn plan<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.with(py, |shared| PyBytes::new(py, shared.plan()))
    }

    /// A task for `make_shard`.
    fn task<'py>(&self, py: Python<'py>, number: usize) -> PyResult<Bound<'py, PyBytes>> {
        let task = self.with(py, |shared| {
            (number < shared.tasks()).then(|| shared.task(number))
        })?;
        match task {
            Some(task) => Ok(PyBytes::new(py, &task)),
            None => Err(plain(py, "PrepareError", "there is no such task")),
        }
    }

    /// Records what `make_shard` returned.
    fn record(&self, py: Python<'_>, line: &str) -> PyResult<()> {
        let recorded = self.with(py, |shared| shared.record(line))?;
        recorded.map_err(|error| crate::observe::from_prep(py, &error))
    }

    /// Leaves the ingest as it is, for a later run to resume. Has no effect on one that is finished.
    fn abandon(&self, py: Python<'_>) {
        py.detach(|| {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.take();
        });
    }

    /// Completes the dataset, once every shard is recorded; returns the summary as JSON.
    fn finish(&self, py: Python<'_>) -> PyResult<String> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = inner.take().ok_or_else(|| finished(py))?;
        observed(py, None, move |_| {
            shared.complete().map(|summary| summary.to_json())
        })
    }
}

/// Makes one shard of a shared ingest; returns what `SharedIngest.record` takes.
#[pyfunction]
#[pyo3(signature = (source, out, make, args, plan, task, progress))]
fn make_shard(
    py: Python<'_>,
    source: PathBuf,
    out: PathBuf,
    make: MakeArgs,
    args: IngestArgs,
    plan: Vec<u8>,
    task: Vec<u8>,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<String> {
    let mut options = options(py, source, out, &make, &args)?;
    observed(py, progress.as_ref(), move |observer| {
        options.observer = observer;
        shardmill_prep::ingest::make_shard(&options, &plan, &task)
    })
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SharedIngest>()?;
    module.add_function(wrap_pyfunction!(make_shard, module)?)
}
