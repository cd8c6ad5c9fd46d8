//! A thread for each of several devices, and work that all of them do.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Rung by the first that fails; whoever waits for another looks at it.
#[derive(Debug, Default)]
pub(crate) struct Alarm(AtomicBool);

impl Alarm {
    fn ring(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it has been rung.
    pub(crate) fn rings(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What can go wrong with a device of a crew.
pub(crate) trait Fault: Send + 'static {
    /// It stopped, since another one failed.
    fn stopped() -> Self;

    /// Whether that is all that is wrong with it.
    fn is_stopped(&self) -> bool;

    /// Something is wrong with its thread.
    fn of_thread(what: String) -> Self;
}

/// A device that failed, by its number.
#[derive(Debug)]
pub(crate) struct Failed<E> {
    pub(crate) number: usize,
    pub(crate) fault: E,
}

/// Work for a device's thread.
type Job<D> = Box<dyn FnOnce(&mut D) + Send>;

/// What a thread answers, with its place in the crew.
type Answer<T, E> = (usize, Result<T, E>);

struct Worker<D> {
    /// The device's number.
    number: usize,
    /// `None` once it is to end.
    jobs: Option<Sender<Job<D>>>,
    thread: Option<JoinHandle<()>>,
}

/// The threads of some devices. A device is opened, used and closed on its thread alone.
///
/// When one fails, the others stop: the alarm is rung, on which each gives up waiting for the rest.
pub(crate) struct Crew<D> {
    workers: Vec<Worker<D>>,
    alarm: Arc<Alarm>,
    /// How long the others may take to stop.
    grace: Duration,
    /// Whether one has failed.
    failed: bool,
}

impl<D: 'static> Crew<D> {
    /// Threads for the devices of these numbers, each of which `open` makes.
    ///
    /// # Errors
    /// The first that cannot be opened.
    pub(crate) fn start<E: Fault>(
        numbers: impl Iterator<Item = usize>,
        alarm: Arc<Alarm>,
        grace: Duration,
        open: impl Fn(usize) -> Result<D, E> + Send + Sync + 'static,
    ) -> Result<Self, Failed<E>> {
        let open = Arc::new(open);
        let (answers, heard) = mpsc::channel();
        let mut crew = Self {
            workers: Vec::new(),
            alarm,
            grace,
            failed: false,
        };
        for (place, number) in numbers.enumerate() {
            let (jobs, queue) = mpsc::channel();
            let (open, answers) = (Arc::clone(&open), answers.clone());
            let alarm = Arc::clone(&crew.alarm);
            let thread = thread::Builder::new().name(format!("device {number}"));
            let thread = thread.spawn(move || {
                let opened = guarded(|| open(number), &alarm);
                // What it holds is shared with the caller.
                drop(open);
                match opened {
                    Ok(device) => {
                        let _ = answers.send((place, Ok(())));
                        drop(answers);
                        serve(device, &queue);
                    }
                    Err(error) => drop(answers.send((place, Err(error)))),
                }
            });
            let thread = thread.map_err(|error| Failed {
                number,
                fault: E::of_thread(format!("cannot be started: {error}")),
            })?;
            crew.workers.push(Worker {
                number,
                jobs: Some(jobs),
                thread: Some(thread),
            });
        }
        drop((answers, open));
        crew.collect(&heard, crew.len())?;
        Ok(crew)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.workers.len()
    }

    /// The number of the device at a place.
    pub(crate) fn number(&self, place: usize) -> usize {
        self.workers[place].number
    }

    /// Has all devices do something, each given its place, and waits for their answers. What `work`
    /// holds is let go before this returns.
    ///
    /// # Errors
    /// What the first that failed reports, with its number; the others have stopped.
    pub(crate) fn all<T: Send + 'static, E: Fault>(
        &mut self,
        work: impl Fn(usize, &mut D) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Vec<T>, Failed<E>> {
        self.some(self.len(), work)
    }

    /// Has the first device do something.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub(crate) fn first<T: Send + 'static, E: Fault>(
        &mut self,
        work: impl Fn(&mut D) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<T, Failed<E>> {
        let mut answers = self.some(1, move |_, device| work(device))?;
        Ok(answers.remove(0))
    }

    fn some<T: Send + 'static, E: Fault>(
        &mut self,
        count: usize,
        work: impl Fn(usize, &mut D) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Vec<T>, Failed<E>> {
        if self.failed {
            let (number, fault) = (self.number(0), E::stopped());
            return Err(Failed { number, fault });
        }
        let work = Arc::new(work);
        let (answers, heard) = mpsc::channel();
        for (place, worker) in self.workers[..count].iter().enumerate() {
            let (work, answers) = (Arc::clone(&work), answers.clone());
            let alarm = Arc::clone(&self.alarm);
            let job: Job<D> = Box::new(move |device| {
                let answer = guarded(|| work(place, device), &alarm);
                drop(work);
                let _ = answers.send((place, answer));
            });
            // A thread that has ended is missed when the answers are counted.
            let _ = worker.jobs.as_ref().map(|jobs| jobs.send(job));
        }
        drop((answers, work));
        self.collect(&heard, count)
    }

    /// The answers in the devices' order, once all are there.
    fn collect<T, E: Fault>(
        &mut self,
        heard: &Receiver<Answer<T, E>>,
        count: usize,
    ) -> Result<Vec<T>, Failed<E>> {
        let mut answers: Vec<Option<T>> = (0..count).map(|_| None).collect();
        let mut failed: Option<(usize, E)> = None;
        let mut until = None;
        for _ in 0..count {
            let answer = match until {
                None => heard.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(until) => heard.recv_timeout(Instant::duration_since(&until, Instant::now())),
            };
            match answer {
                Ok((place, Ok(answer))) => answers[place] = Some(answer),
                Ok((place, Err(fault))) => {
                    until = until.or(Some(Instant::now() + self.grace));
                    // Those that only stopped say nothing about why.
                    if failed.as_ref().is_none_or(|(_, fault)| fault.is_stopped()) {
                        failed = Some((place, fault));
                    }
                }
                Err(_) => break,
            }
        }
        let silent = answers.iter().position(Option::is_none);
        let silent =
            silent.map(|place| (place, E::of_thread("does not answer any more".to_owned())));
        let Some((place, fault)) = failed.or(silent) else {
            return Ok(answers.into_iter().flatten().collect());
        };
        self.alarm.ring();
        self.failed = true;
        let number = self.number(place);
        Err(Failed { number, fault })
    }
}

impl<D> Drop for Crew<D> {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.jobs = None;
        }
        let until = Instant::now() + self.grace;
        for worker in &mut self.workers {
            let Some(thread) = worker.thread.take() else {
                continue;
            };
            // After a failure a driver may never answer: such a thread is left to the program's end.
            while self.failed && !thread.is_finished() && Instant::now() < until {
                thread::sleep(Duration::from_millis(1));
            }
            if !self.failed || thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

/// Does what it is given until nobody gives more, then closes the device.
fn serve<D>(mut device: D, queue: &Receiver<Job<D>>) {
    for job in queue {
        job(&mut device);
    }
}

/// Does something on a device's thread, and rings the alarm if it fails, a panic included.
fn guarded<T, E: Fault>(work: impl FnOnce() -> Result<T, E>, alarm: &Alarm) -> Result<T, E> {
    let done = catch_unwind(AssertUnwindSafe(work));
    let done = done.unwrap_or_else(|panic| {
        let message = message(panic.as_ref());
        Err(E::of_thread(format!("panicked: {message}")))
    });
    if done.is_err() {
        alarm.ring();
    }
    done
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

#[cfg(test)]
mod tests;
