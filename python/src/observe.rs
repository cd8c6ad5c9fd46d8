//! Long work with progress, which can be stopped.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use shardmill_formats::Causes;
use shardmill_prep::{Observe, Observer, PrepError};
use shardmill_store::address;

use crate::errors::{arguments, exception, from_panic, of_store, plain};

/// Time between two checks for Ctrl-C and two calls of the progress function.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) fn from_prep(py: Python<'_>, error: &PrepError) -> PyErr {
    let attributes = PyDict::new(py);
    // Setting a string in a new dictionary fails only if memory runs out; then the exception lacks the attribute.
    let set = |key: &str, value: String| {
        let _ = attributes.set_item(key, value);
    };
    let cause = match error {
        PrepError::Kept { source, .. } => source,
        other => other,
    };
    let name = match cause {
        PrepError::Stopped => "StoppedError",
        PrepError::Store(error) => of_store(error, &set),
        // An address is the source of nothing but finished datasets.
        PrepError::Source { path, .. } if address(path).is_some() => {
            set("path", path.display().to_string());
            "DatasetNotFoundError"
        }
        // Python users know arguments, not flags.
        PrepError::Option {
            option,
            found,
            expected,
        } => {
            let option = option.replace('-', "_");
            return plain(
                py,
                "SettingError",
                &format!("{option} is {found}: {expected}"),
            );
        }
        _ => "PrepareError",
    };
    exception(
        py,
        name,
        &arguments(&Causes(error).to_string()),
        &attributes,
    )
}

/// The progress of long work, and whether it is to stop.
#[derive(Default)]
struct Watch {
    /// Kind of work, amount done, total; the largest amount for the latest kind of work.
    latest: Mutex<Option<(&'static str, u64, Option<u64>)>>,
    is_cancelled: AtomicBool,
}

impl Observe for Watch {
    fn progress(&self, work: &'static str, done: u64, total: Option<u64>) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *latest {
            Some((same, before, _)) if *same == work && *before > done => {}
            other => *other = Some((work, done, total)),
        }
    }

    fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}

/// Does long work on a separate thread. Meanwhile this thread checks for Ctrl-C and calls `progress(work, done,
/// total)`; an exception from either stops the work and is raised once the work has ended.
pub(crate) fn observed<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(Observer) -> Result<T, PrepError> + Send + 'static,
) -> PyResult<T> {
    let watch = Arc::new(Watch::default());
    let observer = Observer::new(Arc::clone(&watch));
    let (sender, receiver) = channel();
    let thread = std::thread::Builder::new().name("prepare".to_owned());
    let thread = thread.spawn(move || {
        let done = catch_unwind(AssertUnwindSafe(|| work(observer)));
        // The receiver waits until this arrives.
        let _ = sender.send(done);
    });
    let thread = thread.map_err(|error| plain(py, "PrepareError", &error.to_string()))?;
    let mut raised = None;
    let mut receiver = Some(receiver);
    let done: Result<_, Box<dyn Any + Send>> = loop {
        let taken = receiver.take();
        // A receiver is not `Sync`, so it moves into the closure and back.
        let (back, next) = py.detach(move || {
            let next = taken.as_ref().map(|taken| taken.recv_timeout(LOOK_EVERY));
            (taken, next)
        });
        receiver = back;
        match next {
            Some(Ok(done)) => break done,
            Some(Err(RecvTimeoutError::Timeout)) => {}
            Some(Err(RecvTimeoutError::Disconnected)) | None => {
                break Err(Box::new("the thread ended without a result"));
            }
        }
        if raised.is_some() {
            continue;
        }
        if let Err(error) = py.check_signals().and_then(|()| tell(progress, &watch)) {
            watch.is_cancelled.store(true, Ordering::Relaxed);
            raised = Some(error);
        }
    };
    // It has already sent its result.
    let _ = py.detach(|| thread.join());
    if let Some(error) = raised {
        return Err(error);
    }
    match done {
        Ok(Ok(value)) => {
            tell(progress, &watch)?;
            Ok(value)
        }
        Ok(Err(error)) => Err(from_prep(py, &error)),
        Err(panic) => Err(from_panic(py, panic.as_ref())),
    }
}

fn tell(progress: Option<&Bound<'_, PyAny>>, watch: &Watch) -> PyResult<()> {
    let latest = *watch.latest.lock().unwrap_or_else(PoisonError::into_inner);
    if let (Some(progress), Some(latest)) = (progress, latest) {
        progress.call1(latest)?;
    }
    Ok(())
}
