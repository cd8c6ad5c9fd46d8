//! Converts the crates' errors to the exceptions in `shardmill.errors`.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use shardmill_formats::{Causes, ShardError};
use shardmill_loader::LoaderError;
use shardmill_store::StoreError;

/// The content of `shardmill.errors`, kept so that it is still available when the interpreter exits.
static ERRORS: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// Loads `shardmill.errors`.
pub(crate) fn load(py: Python<'_>) -> PyResult<()> {
    let module = py.import("shardmill.errors")?;
    let _ = ERRORS.set(py, module.dict().copy()?.unbind());
    Ok(())
}

/// Makes the exception of this name in `shardmill.errors`, with attributes.
pub(crate) fn exception(
    py: Python<'_>,
    name: &str,
    text: &str,
    attributes: &Bound<'_, PyDict>,
) -> PyErr {
    let known = ERRORS.get(py).expect("the module was loaded");
    let made = known
        .bind(py)
        .as_any()
        .get_item(name)
        .and_then(|class| class.call((text,), Some(attributes)));
    match made {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

/// Makes an exception without attributes.
pub(crate) fn plain(py: Python<'_>, name: &str, text: &str) -> PyErr {
    exception(py, name, text, &PyDict::new(py))
}

/// Replaces the program's flags in a text by arguments: `--shard-records` by `shard_records`.
pub(crate) fn arguments(text: &str) -> String {
    let word = |word: &str| -> String {
        let at = word.find("--").filter(|at| {
            let before = word[..*at].chars().next_back();
            before.is_none_or(|c| matches!(c, '(' | '"' | '`' | '\''))
        });
        match at.map(|at| word.split_at(at)) {
            Some((before, flag)) if flag[2..].starts_with(|c: char| c.is_ascii_lowercase()) => {
                format!("{before}{}", flag[2..].replace('-', "_"))
            }
            _ => word.to_owned(),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The argument of `shardmill.Loader` that sets a setting of the Rust loader.
fn argument(what: &str) -> Option<&'static str> {
    let known = [
        ("the window's side", "crop"),
        ("the window's scale", "scale"),
        ("the window's ratio", "ratio"),
        ("the batch size", "batch_size"),
        ("the rank", "rank"),
        ("the last batch", "last_batch"),
        ("the order of blocks", "order"),
        ("the order of shards", "order"),
        ("the dataset's address", "path"),
        ("the cache's folder", "cache_dir"),
        ("the images of one draw", "draw_every"),
        ("the number of views", "views"),
        ("the colour jitter", "color_jitter"),
        ("the colour noise", "color_std"),
        ("the standard deviation", "normalize"),
        ("a weight", "data"),
        ("the sum of the weights", "data"),
    ];
    let found = known.iter().find(|(setting, _)| *setting == what);
    found.map(|(_, argument)| *argument)
}

/// Converts the loader's error to an exception. Its text is the whole chain; if the chain ends in a Python
/// exception from a transform, that is its `__cause__`.
pub(crate) fn from_loader(py: Python<'_>, error: &LoaderError) -> PyErr {
    let attributes = PyDict::new(py);
    // Setting a string in a new dictionary fails only if memory runs out; then the exception lacks the attribute.
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
        LoaderError::Store(error) => of_store(error, &set),
        LoaderError::Fetch { shard, .. } => {
            set("shard", shard.clone());
            "StoreError"
        }
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
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<PyErr>());
    let cause = cause.map(|cause| cause.clone_ref(py));
    // Ctrl-C within a transform is not an error of the transform.
    if let Some(cause) = &cause
        && !cause.is_instance_of::<PyException>(py)
    {
        return cause.clone_ref(py);
    }
    let mut text = Causes(error).to_string();
    if let LoaderError::Store(_) | LoaderError::Fetch { .. } = error {
        // Python users know arguments, not flags.
        text = arguments(&text.replace("--order shards", "order=\"shards\""));
    }
    if let LoaderError::NotADataset(_) = error {
        text += " (in Python: shardmill.ingest or shardmill.write)";
    }
    if let LoaderError::Setting { what, .. } = error
        && let Some(argument) = argument(what)
    {
        text = format!("{argument}: {text}");
    }
    let raised = exception(py, name, &text, &attributes);
    if cause.is_some() {
        raised.set_cause(py, cause);
    }
    raised
}

/// The exception for an error of an object store or of its cache; `set` sets its attributes.
pub(crate) fn of_store(error: &StoreError, set: &dyn Fn(&str, String)) -> &'static str {
    match error {
        StoreError::Denied { address, .. } | StoreError::NoCredentials { address, .. } => {
            set("address", address.clone());
            "StoreAccessError"
        }
        StoreError::Failed { address, .. }
        | StoreError::Refused { address, .. }
        | StoreError::Certificate { address, .. }
        | StoreError::Exists(address)
        | StoreError::Ranges(address) => {
            set("address", address.clone());
            "StoreError"
        }
        StoreError::Missing(address) => {
            set("path", address.clone());
            "DatasetNotFoundError"
        }
        StoreError::Length { address, .. } | StoreError::Damaged { address, .. } => {
            set("shard", address.clone());
            "DamagedShardError"
        }
        StoreError::Address { .. } | StoreError::NotBuilt(_) => "SettingError",
        StoreError::Cache(_) => "CacheError",
        StoreError::Io { path, .. } => {
            set("path", path.display().to_string());
            "ReadError"
        }
        StoreError::Stopped => "ClosedError",
        _ => "InternalError",
    }
}

/// What a panic said, as an exception: none may cross into Python's own frames.
pub(crate) fn from_panic(py: Python<'_>, panic: &(dyn Any + Send)) -> PyErr {
    let text = shardmill_formats::panic_message(panic).unwrap_or("no message");
    let text = format!("a fault of Shardmill itself, please report it: {text}");
    plain(py, "InternalError", &text)
}

/// Whether the interpreter is exiting, so that numpy may be gone.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Records that the interpreter is exiting.
#[pyfunction]
pub(crate) fn end() {
    IS_ENDING.store(true, Ordering::Relaxed);
}

/// Fails if the interpreter is exiting: work started now would outlive it.
pub(crate) fn check_not_ending(py: Python<'_>) -> PyResult<()> {
    match IS_ENDING.load(Ordering::Relaxed) {
        true => Err(plain(py, "ClosedError", "the interpreter is exiting")),
        false => Ok(()),
    }
}

/// Runs work of the crates without the GIL; panics and errors become exceptions.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, LoaderError> + Send,
) -> PyResult<T> {
    check_not_ending(py)?;
    match py.detach(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(from_loader(py, &error)),
        Err(panic) => Err(from_panic(py, panic.as_ref())),
    }
}

/// Time between two checks for Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs work that waits for a server, in a thread of its own. Ctrl-C ends the wait, and the thread is left to end by
/// itself: every request does.
pub(crate) fn interruptible<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, LoaderError> + Send + 'static,
) -> PyResult<T> {
    check_not_ending(py)?;
    let (sender, receiver) = sync_channel(1);
    let thread = std::thread::Builder::new().name("dataset".to_owned());
    let started = thread.spawn(move || {
        let done = catch_unwind(AssertUnwindSafe(work));
        // Nobody is there to take it after Ctrl-C.
        let _ = sender.send(done);
    });
    started.map_err(|error| from_loader(py, &LoaderError::Thread(error)))?;
    let receiver = Mutex::new(receiver);
    loop {
        let taken = py.detach(|| {
            let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
            receiver.recv_timeout(LOOK_EVERY)
        });
        match taken {
            Ok(Ok(done)) => return done.map_err(|error| from_loader(py, &error)),
            Ok(Err(panic)) => return Err(from_panic(py, panic.as_ref())),
            Err(_) => py.check_signals()?,
        }
    }
}
