//! Errors of the crates as the exceptions of `shardmill.errors`.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use shardmill_formats::{Causes, ShardError};
use shardmill_loader::LoaderError;

/// The exception of this name in `shardmill.errors`, with attributes.
pub(crate) fn exception(
    py: Python<'_>,
    name: &str,
    text: &str,
    attributes: &Bound<'_, PyDict>,
) -> PyErr {
    let made = py
        .import("shardmill.errors")
        .and_then(|module| module.getattr(name))
        .and_then(|class| class.call((text,), Some(attributes)));
    match made {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// An exception without attributes of its own.
pub(crate) fn plain(py: Python<'_>, name: &str, text: &str) -> PyErr {
    exception(py, name, text, &PyDict::new(py))
}

/// The loader's error as an exception: its text is the whole chain, and a Python exception at the end of
/// the chain, a transform's, is its `__cause__`.
pub(crate) fn from_loader(py: Python<'_>, error: &LoaderError) -> PyErr {
    let attributes = PyDict::new(py);
    // Setting a string in a new dictionary fails only without memory, and then the exception lacks it.
    let set = |key: &str, value: String| {
        let _ = attributes.set_item(key, value);
    };
    let name = match error {
        LoaderError::NotADataset(_) => "DatasetNotFoundError",
        LoaderError::Io { path, source } => {
            set("path", path.display().to_string());
            match source.kind() {
                std::io::ErrorKind::NotFound => "DatasetNotFoundError",
                _ => "ReadError",
            }
        }
        LoaderError::UnknownSplit { .. } => "UnknownSplitError",
        LoaderError::Record {
            shard, record, key, ..
        } => {
            set("shard", shard.clone());
            set("key", key.clone());
            let _ = attributes.set_item("record", record);
            "DamagedRecordError"
        }
        LoaderError::Shard { shard, source } => {
            set("shard", shard.clone());
            match source {
                ShardError::Checksum { record, key, .. } => {
                    let _ = attributes.set_item("record", record);
                    set("key", key.clone());
                    "DamagedRecordError"
                }
                _ => "DamagedShardError",
            }
        }
        LoaderError::Manifest { .. } | LoaderError::Mismatch { .. } => "DamagedShardError",
        LoaderError::Truncated { path, .. } => {
            set("path", path.display().to_string());
            "TruncatedShardError"
        }
        LoaderError::Transform { key, .. } => {
            set("key", key.clone());
            "TransformError"
        }
        LoaderError::Setting { .. } => "SettingError",
        LoaderError::Memory { .. } | LoaderError::Room { .. } => "BatchMemoryError",
        LoaderError::Forked { .. } => "ForkedError",
        LoaderError::Stopped => "ClosedError",
        _ => "InternalError",
    };
    let cause = error.source().and_then(|source| source.downcast_ref::<PyErr>());
    let cause = cause.map(|cause| cause.clone_ref(py));
    // Ctrl-C within a transform is no fault of the transform.
    if let Some(cause) = &cause
        && !cause.is_instance_of::<PyException>(py)
    {
        return cause.clone_ref(py);
    }
    let raised = exception(py, name, &Causes(error).to_string(), &attributes);
    if cause.is_some() {
        raised.set_cause(py, cause);
    }
    raised
}

/// What a panic said, as an exception: none may cross into Python's own frames.
pub(crate) fn from_panic(py: Python<'_>, panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    let text = format!("a fault of Shardmill itself, please report it: {text}");
    plain(py, "InternalError", &text)
}

/// Runs work of the crates without the GIL; its panics and errors become exceptions.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, LoaderError> + Send,
) -> PyResult<T> {
    match py.detach(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(from_loader(py, &error)),
        Err(panic) => Err(from_panic(py, panic.as_ref())),
    }
}
