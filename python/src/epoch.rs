//! The batches of one epoch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use shardmill_loader::{LoaderError, Meter, Output};

use crate::batch::Batch;
use crate::errors::{from_loader, from_panic, plain};

/// An epoch under way. One thread at a time may use it.
#[pyclass(frozen, module = "shardmill._core")]
pub(crate) struct Epoch {
    /// `None` once it was closed.
    inner: Mutex<Option<shardmill_loader::Epoch>>,
    /// Where the threads are.
    process: u32,
    closing: AtomicBool,
    /// Whether it ended with an error.
    failed: AtomicBool,
    views: usize,
    output: Output,
}

impl Epoch {
    pub(crate) fn new(inner: shardmill_loader::Epoch, views: usize, output: Output) -> Self {
        Self {
            inner: Mutex::new(Some(inner)),
            process: std::process::id(),
            closing: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            views,
            output,
        }
    }

    /// The epoch, if no other thread has it.
    fn lock(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Option<shardmill_loader::Epoch>>> {
        if self.process != std::process::id() {
            let text = "this process was forked after the iteration had begun, and the loader's threads stayed in the parent: make the Loader in the child, or use num_workers=0 (the loader's own threads replace worker processes); for a DataLoader with workers give it a shardmill.Dataset";
            return Err(plain(py, "ForkedError", text));
        }
        match self.inner.try_lock() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                let text = "another thread is waiting for a batch of this iteration: give each thread a Loader of its own, or put a lock around next()";
                Err(plain(py, "ConcurrentUseError", text))
            }
        }
    }
}

#[pymethods]
impl Epoch {
    /// The next batch; `None` after the last.
    fn next(&self, py: Python<'_>) -> PyResult<Option<Batch>> {
        let mut guard = self.lock(py)?;
        let Some(epoch) = guard.as_mut() else {
            let text = "this iteration was closed: begin another with iter(loader)";
            return Err(plain(py, "ClosedError", text));
        };
        if self.failed.load(Ordering::Relaxed) {
            let text = "this iteration ended with an error: begin another with iter(loader)";
            return Err(plain(py, "ClosedError", text));
        }
        let taken = py.detach(|| {
            let signal = Mutex::new(None);
            // Ctrl-C is noticed while nothing but the wait goes on.
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
            (taken, signal.into_inner().unwrap_or_else(PoisonError::into_inner))
        });
        match taken {
            (_, Some(signal)) => Err(signal),
            (Err(panic), _) => {
                self.failed.store(true, Ordering::Relaxed);
                Err(from_panic(py, panic.as_ref()))
            }
            (Ok(None), _) => Ok(None),
            (Ok(Some(Err(LoaderError::Stopped))), _) => {
                let text = "the loader was closed while a batch was waited for";
                Err(plain(py, "ClosedError", text))
            }
            (Ok(Some(Err(error))), _) => {
                self.failed.store(true, Ordering::Relaxed);
                Err(from_loader(py, &error))
            }
            (Ok(Some(Ok(batch))), _) => {
                let last = epoch.len() == 0;
                Ok(Some(Batch::new(batch, self.views, self.output, last)))
            }
        }
    }

    /// Batches that are left.
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

    /// Ends the iteration: joins its threads. A thread that waits for a batch gets an error.
    fn close(&self, py: Python<'_>) {
        if self.process != std::process::id() {
            return;
        }
        self.closing.store(true, Ordering::Relaxed);
        py.detach(|| {
            let mut guard = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            drop(guard.take());
        });
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(epoch) = inner.take() else {
            return;
        };
        // Threads that are joined may be waiting for the GIL, in a transform of the user's.
        let mut epoch = Some(epoch);
        let _ = Python::try_attach(|py| py.detach(|| drop(epoch.take())));
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
