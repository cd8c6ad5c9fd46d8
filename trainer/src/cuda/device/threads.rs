//! One thread for each device, and work that all of them do.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Set by the first device that fails; those that wait for another device look at it.
#[derive(Debug, Default)]
pub(crate) struct FailureFlag(AtomicBool);

impl FailureFlag {
    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether a device has failed.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// An error of a device that works together with others.
pub(crate) trait DeviceError: Send + 'static {
    /// This device stopped because another one failed.
    fn stopped() -> Self;

    /// Whether the device only stopped because another one failed.
    fn is_stopped(&self) -> bool;

    /// The device's thread failed.
    fn of_thread(what: String) -> Self;

    /// The error of one of several devices, by its number.
    fn of_device(self, number: usize) -> Self;
}

/// Work for a device's thread.
type Task<D> = Box<dyn FnOnce(&mut D) + Send>;

/// What a thread answers, with its index among the threads.
type Answer<T, E> = (usize, Result<T, E>);

struct Worker<D> {
    /// The device's number.
    number: usize,
    /// `None` once the thread is to end.
    tasks: Option<Sender<Task<D>>>,
    thread: Option<JoinHandle<()>>,
}

/// The threads of several devices. A device is opened, used and closed on its own thread only.
///
/// When one fails, the failure flag is set and the others give up waiting for it.
pub(crate) struct DeviceThreads<D> {
    workers: Vec<Worker<D>>,
    failure: Arc<FailureFlag>,
    /// How long the other devices may take to stop after a failure.
    stop_timeout: Duration,
    has_failed: bool,
}

impl<D: 'static> DeviceThreads<D> {
    /// Starts a thread for each of these device numbers; `open` opens the device.
    ///
    /// # Errors
    /// The first device that cannot be opened.
    pub(crate) fn start<E: DeviceError>(
        numbers: impl Iterator<Item = usize>,
        failure: Arc<FailureFlag>,
        stop_timeout: Duration,
        open: impl Fn(usize) -> Result<D, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        let open = Arc::new(open);
        let (sender, answers) = mpsc::channel();
        let mut threads = Self {
            workers: Vec::new(),
            failure,
            stop_timeout,
            has_failed: false,
        };
        for (index, number) in numbers.enumerate() {
            let (tasks, queue) = mpsc::channel();
            let (open, sender) = (Arc::clone(&open), sender.clone());
            let failure = Arc::clone(&threads.failure);
            let thread = thread::Builder::new().name(format!("device {number}"));
            let thread = thread.spawn(move || {
                let opened = guarded(|| open(number), &failure);
                // What it captures is shared with the caller.
                drop(open);
                match opened {
                    Ok(device) => {
                        let _ = sender.send((index, Ok(())));
                        drop(sender);
                        serve(device, &queue);
                    }
                    Err(error) => drop(sender.send((index, Err(error)))),
                }
            });
            let thread = thread.map_err(|error| {
                E::of_thread(format!("cannot be started: {error}")).of_device(number)
            })?;
            threads.workers.push(Worker {
                number,
                tasks: Some(tasks),
                thread: Some(thread),
            });
        }
        drop((sender, open));
        threads.collect(&answers, threads.len())?;
        Ok(threads)
    }

    /// The number of devices.
    pub(crate) fn len(&self) -> usize {
        self.workers.len()
    }

    /// Runs `work` on all devices, each given its index, and waits for their answers. What `work`
    /// captures is dropped before this returns.
    ///
    /// # Errors
    /// The error of the first device that failed; the others have stopped.
    pub(crate) fn on_all<T: Send + 'static, E: DeviceError>(
        &mut self,
        work: impl Fn(usize, &mut D) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Vec<T>, E> {
        self.on_first(self.len(), work)
    }

    /// Runs `work` on the first `count` devices.
    pub(crate) fn on_first<T: Send + 'static, E: DeviceError>(
        &mut self,
        count: usize,
        work: impl Fn(usize, &mut D) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Vec<T>, E> {
        if self.has_failed {
            return Err(E::stopped().of_device(self.workers[0].number));
        }
        let work = Arc::new(work);
        let (sender, answers) = mpsc::channel();
        for (index, worker) in self.workers[..count].iter().enumerate() {
            let (work, sender) = (Arc::clone(&work), sender.clone());
            let failure = Arc::clone(&self.failure);
            let task: Task<D> = Box::new(move |device| {
                let answer = guarded(|| work(index, device), &failure);
                drop(work);
                let _ = sender.send((index, answer));
            });
            // A thread that has ended is noticed when the answers are counted.
            let _ = worker.tasks.as_ref().map(|tasks| tasks.send(task));
        }
        drop((sender, work));
        self.collect(&answers, count)
    }

    /// The answers in the devices' order, once all have arrived.
    fn collect<T, E: DeviceError>(
        &mut self,
        received: &Receiver<Answer<T, E>>,
        count: usize,
    ) -> Result<Vec<T>, E> {
        let mut answers: Vec<Option<T>> = (0..count).map(|_| None).collect();
        let mut failed: Option<(usize, E)> = None;
        let mut until = None;
        for _ in 0..count {
            let answer = match until {
                None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => {
                    received.recv_timeout(Instant::duration_since(&until, Instant::now()))
                }
            };
            match answer {
                Ok((index, Ok(answer))) => answers[index] = Some(answer),
                Ok((index, Err(error))) => {
                    until = until.or(Some(Instant::now() + self.stop_timeout));
                    // A device that only stopped does not know why.
                    if failed.as_ref().is_none_or(|(_, error)| error.is_stopped()) {
                        failed = Some((index, error));
                    }
                }
                Err(_) => break,
            }
        }
        let silent = answers.iter().position(Option::is_none);
        let silent = silent.map(|index| (index, E::of_thread("no longer answers".to_owned())));
        let Some((index, error)) = failed.or(silent) else {
            return Ok(answers.into_iter().flatten().collect());
        };
        self.failure.set();
        self.has_failed = true;
        Err(error.of_device(self.workers[index].number))
    }
}

impl<D> Drop for DeviceThreads<D> {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.tasks = None;
        }
        let until = Instant::now() + self.stop_timeout;
        for worker in &mut self.workers {
            let Some(thread) = worker.thread.take() else {
                continue;
            };
            // After a failure a driver may never answer: its thread is left to the program's end.
            while self.has_failed && !thread.is_finished() && Instant::now() < until {
                thread::sleep(Duration::from_millis(1));
            }
            if !self.has_failed || thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

/// Runs tasks until the sender is gone, then closes the device.
fn serve<D>(mut device: D, queue: &Receiver<Task<D>>) {
    for task in queue {
        task(&mut device);
    }
}

/// Runs `work` and sets the flag if it fails or panics.
fn guarded<T, E: DeviceError>(
    work: impl FnOnce() -> Result<T, E>,
    failure: &FailureFlag,
) -> Result<T, E> {
    let done = catch_unwind(AssertUnwindSafe(work));
    let done = done.unwrap_or_else(|panic| {
        let message = panic_message(panic.as_ref());
        Err(E::of_thread(format!("panicked: {message}")))
    });
    if done.is_err() {
        failure.set();
    }
    done
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests;
