//! The batches of one epoch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};
use shardmill_loader::{LoaderError, Meter, Output};

use crate::batch::Batch;
use crate::errors::{check_not_ending, from_loader, from_panic, plain};
use crate::transform::is_calling;

/// A running epoch. One thread at a time may use it.
#[pyclass(frozen, module = "shardmill._core")]
pub(crate) struct Epoch {
    /// `None` after it was closed.
    inner: Mutex<Option<shardmill_loader::Epoch>>,
    /// The process that has the threads.
    process: u32,
    closing: AtomicBool,
    /// Whether it ended with an error.
    failed: AtomicBool,
    views: usize,
    output: Output,
    /// The loader: shows what the threads hold to the garbage collector.
    loader: Py<PyAny>,
}

impl Epoch {
    pub(crate) fn new(
        inner: shardmill_loader::Epoch,
        views: usize,
        output: Output,
        loader: Py<PyAny>,
    ) -> Self {
        Self {
            inner: Mutex::new(Some(inner)),
            process: std::process::id(),
            closing: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            views,
            output,
            loader,
        }
    }

    /// The epoch, unless another thread is using it.
    fn lock(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Option<shardmill_loader::Epoch>>> {
        if self.process != std::process::id() {
            let text = "this process was forked after the iteration had started, and the loader's threads stayed in the parent: make the Loader in the child, or use num_workers=0 (the loader's own threads replace worker processes); for a DataLoader with workers, use a shardmill.Dataset";
            return Err(plain(py, "ForkedError", text));
        }
        match self.inner.try_lock() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                let text = "another thread is waiting for a batch of this iteration: give each thread its own Loader, or put a lock around next()";
                Err(plain(py, "ConcurrentUseError", text))
            }
        }
    }
}

#[pymethods]
impl Epoch {
    /// The next batch; `None` after the last.
    fn next(&self, py: Python<'_>) -> PyResult<Option<Batch>> {
        check_not_ending(py)?;
        let mut guard = self.lock(py)?;
        let Some(epoch) = guard.as_mut() else {
            let text = "this iteration is closed: start another with iter(loader)";
            return Err(plain(py, "ClosedError", text));
        };
        if self.failed.load(Ordering::Relaxed) {
            let text = "this iteration ended with an error: start another with iter(loader)";
            return Err(plain(py, "ClosedError", text));
        }
        let mut is_last = false;
        let taken = py.detach(|| {
            let signal = Mutex::new(None);
            // Checks for Ctrl-C while this thread waits.
            let stop = || {
                if self.closing.load(Ordering::Relaxed) {
                    return true;
                }
                let checked = Python::try_attach(|py| py.check_signals());
                match checked {
                    Some(Ok(())) => false,
                    Some(Err(error)) => {
                        *signal.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        true
                    }
                    None => true,
                }
            };
            let taken = catch_unwind(AssertUnwindSafe(|| epoch.next_unless(&stop)));
            is_last = epoch.len() == 0;
            (
                taken,
                signal.into_inner().unwrap_or_else(PoisonError::into_inner),
            )
        });
        if self.closing.load(Ordering::Relaxed)
            && let Some(epoch) = guard.take()
        {
            end(py, epoch);
        }
        match taken {
            (_, Some(signal)) => Err(signal),
            (Err(panic), _) => {
                self.failed.store(true, Ordering::Relaxed);
                Err(from_panic(py, panic.as_ref()))
            }
            (Ok(None), _) => Ok(None),
            (Ok(Some(Err(LoaderError::Stopped))), _) => {
                let text = "the loader was closed while this thread waited for a batch";
                Err(plain(py, "ClosedError", text))
            }
            (Ok(Some(Err(error))), _) => {
                self.failed.store(true, Ordering::Relaxed);
                Err(from_loader(py, &error))
            }
            (Ok(Some(Ok(batch))), _) => {
                Ok(Some(Batch::new(batch, self.views, self.output, is_last)))
            }
        }
    }

    /// Remaining batches.
    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.lock(py)?.as_ref().map_or(0, ExactSizeIterator::len))
    }

    /// Where the time went.
    fn meter<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        match self.lock(py)?.as_ref() {
            None => Ok(None),
            Some(epoch) => meter(py, epoch.meter()).map(Some),
        }
    }

    /// Ends the iteration and its threads. If a thread is waiting for a batch, that thread ends the iteration, with
    /// an error. It may be this very thread, if a signal handler calls `close`.
    fn close(&self, py: Python<'_>) {
        if self.process != std::process::id() {
            return;
        }
        self.closing.store(true, Ordering::Relaxed);
        let taken = match self.inner.try_lock() {
            Ok(mut guard) => guard.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(epoch) = taken {
            end(py, epoch);
        }
    }

    /// Whether the threads have ended.
    #[getter]
    fn closed(&self) -> bool {
        match self.inner.try_lock() {
            Ok(guard) => guard.is_none(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().is_none(),
            Err(TryLockError::WouldBlock) => false,
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.loader)
    }
}

/// Joins the threads of an epoch. They may be waiting for the GIL to run a user's transform, so this releases it.
/// A thread that is inside a transform may be one of them, so it leaves the joining to another thread.
fn end(py: Python<'_>, epoch: shardmill_loader::Epoch) {
    if !is_calling() {
        py.detach(|| drop(epoch));
        return;
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("loader-end".to_owned());
    let started = thread.spawn(move || drop(receiver.recv()));
    match started {
        Ok(_) => drop(sender.send(epoch)),
        // If no thread can be started, the loader's threads are leaked, which is better than a thread that joins
        // itself.
        Err(_) => std::mem::forget(epoch),
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(epoch) = inner.take() {
            let mut epoch = Some(epoch);
            let _ = Python::try_attach(|py| epoch.take().map(|epoch| end(py, epoch)));
        }
    }
}

/// The meter's figures: seconds of each stage, counts, and the verdict.
fn meter<'py>(py: Python<'py>, meter: &Meter) -> PyResult<Bound<'py, PyDict>> {
    let figures = PyDict::new(py);
    for (name, time) in meter.stages() {
        figures.set_item(name, time.as_secs_f64())?;
    }
    figures.set_item("wait", meter.wait.as_secs_f64())?;
    figures.set_item("wall", meter.wall.as_secs_f64())?;
    figures.set_item("threads", meter.threads)?;
    figures.set_item("batches", meter.batches)?;
    figures.set_item("samples", meter.samples)?;
    figures.set_item("replaced", meter.replaced)?;
    figures.set_item("samples_per_second", meter.samples_per_second())?;
    let verdict = meter.verdict();
    figures.set_item("bottleneck", verdict.bottleneck.name())?;
    figures.set_item("verdict", verdict.to_string())?;
    Ok(figures)
}
