//! The threads that do the network's work, one set for a process.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};

/// Threads that decrypt and copy what arrives: one for every eight processors. Each carries several gigabits a
/// second, and machines with more processors have faster links.
fn threads() -> usize {
    available_parallelism().map_or(2, |n| (n.get() / 8).clamp(2, 16))
}

/// The process that started the threads, and their handle. They live as long as the process.
static RUNTIME: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);

/// Waits for a future, also in a thread that belongs to a runtime of the caller's.
pub(super) fn run<F>(future: F) -> F::Output
where
    F: Future + Send,
    F::Output: Send,
{
    if Handle::try_current().is_err() {
        return here().block_on(future);
    }
    // A runtime's thread may not wait for another future.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| here().block_on(future));
        waiting
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// This process's runtime. In a forked child it is a new one, since the parent's threads are not there.
fn here() -> &'static Runtime {
    let process = std::process::id();
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((started, runtime)) = *runtime
        && started == process
    {
        return runtime;
    }
    let made = Builder::new_multi_thread()
        .worker_threads(threads())
        .thread_name("object-store")
        .enable_all()
        .build()
        .expect("the system starts threads");
    let made: &'static Runtime = Box::leak(Box::new(made));
    *runtime = Some((process, made));
    made
}
