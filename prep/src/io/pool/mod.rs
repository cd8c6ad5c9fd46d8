//! Parallel work whose results come in order.
//!
//! The calling thread hands out *tickets*, numbered items, and never more than a window of them, which
//! bounds memory. A worker thread takes a ticket, does the work and sends the result back; results that
//! come early wait for their turn. No thread waits for the slowest of a group.
//!
//! [`OrderedPool`] works on a slice of items; [`OrderedStream`] on items that come one by one.

mod stream;

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::error::PrepError;
use crate::observe::Observer;
pub(crate) use stream::OrderedStream;

/// Items under way for each thread: at most some tens of megabytes of results, whatever the size of
/// the data.
const WINDOW_PER_THREAD: usize = 16;

/// Most threads of a command; a larger number means this many.
pub(crate) const MAX_THREADS: usize = 1024;

/// How often a waiting thread asks the observer whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Worker threads, and the memory `W` that each works in, which is kept from one call to the next.
pub(crate) struct OrderedPool<W> {
    threads: usize,
    idle: Mutex<Vec<W>>,
    observer: Observer,
}

/// An item and its number.
type Ticket<I> = (usize, I);

/// A result, or the payload of a panic.
type Outcome<T> = Result<Result<T, PrepError>, Box<dyn Any + Send>>;

/// An outcome and its number.
type Done<T> = (usize, Outcome<T>);

/// The number of threads that an option asks for: one for each core if 0, at most [`MAX_THREADS`].
pub(crate) fn number_of(threads: usize) -> usize {
    match threads {
        0 => available_parallelism().map_or(1, usize::from),
        _ => threads.min(MAX_THREADS),
    }
}

impl<W: Send> OrderedPool<W> {
    /// A pool of `threads`, one for each core if 0, at most [`MAX_THREADS`].
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads: number_of(threads),
            idle: Mutex::new(Vec::new()),
            observer: Observer::default(),
        }
    }

    /// The same pool, whose work ends when `observer` asks for it.
    pub(crate) fn observed(self, observer: &Observer) -> Self {
        Self {
            observer: observer.clone(),
            ..self
        }
    }

    /// Number of threads.
    pub(crate) const fn threads(&self) -> usize {
        self.threads
    }

    /// Calls `work` for each item, in parallel, and `take` with the results, one after another in the order
    /// of the items. `make` makes the memory of a thread.
    ///
    /// # Errors
    /// The error of the first item that fails, after the results before it were taken; an error of `take`;
    /// or [`PrepError::Stopped`] if the observer stops the work.
    pub(crate) fn in_order<I: Sync, T: Send>(
        &self,
        items: &[I],
        make: impl Fn() -> Result<W, PrepError> + Sync,
        work: impl Fn(&mut W, &I) -> Result<T, PrepError> + Sync,
        mut take: impl FnMut(T) -> Result<(), PrepError>,
    ) -> Result<(), PrepError> {
        let window = WINDOW_PER_THREAD * self.threads;
        // Tickets are numbers alone, so that the channel is compiled once for all kinds of items.
        let (tickets, ticket_receiver) = bounded::<usize>(window);
        let (done_sender, done) = bounded(window);
        thread::scope(|scope| {
            let (make, work) = (&make, &work);
            // Dropped when this closure ends, however it ends, so that no thread waits for them.
            let (tickets, mut turns) = (tickets, Turns::new(done));
            for i in 0..self.threads.min(items.len()) {
                let (tickets, done) = (ticket_receiver.clone(), done_sender.clone());
                thread::Builder::new()
                    .name(format!("prep-{i}"))
                    .spawn_scoped(scope, move || {
                        let tickets = tickets.iter().map(|number| (number, &items[number]));
                        serve(tickets, &done, &self.idle, make, work);
                    })
                    .map_err(|error| no_threads(self.threads, &error))?;
            }
            // Only the workers hold these ends now, so that none waits when this thread ends early.
            drop((ticket_receiver, done_sender));
            let mut handed_out = 0;
            for turn in 0..items.len() {
                while handed_out < items.len().min(turn + window) {
                    // The channel has room for the whole window.
                    let _ = tickets.send(handed_out);
                    handed_out += 1;
                }
                take(turns.wait(&self.observer)?)?;
            }
            Ok(())
        })
    }
}

fn no_threads(threads: usize, error: &std::io::Error) -> PrepError {
    PrepError::Threads {
        threads,
        message: error.to_string(),
    }
}

/// A worker thread: does ticket after ticket, in memory that it takes from `idle` and returns.
fn serve<I, T, W>(
    tickets: impl Iterator<Item = Ticket<I>>,
    done: &Sender<Done<T>>,
    idle: &Mutex<Vec<W>>,
    make: &impl Fn() -> Result<W, PrepError>,
    work: &impl Fn(&mut W, I) -> Result<T, PrepError>,
) {
    let idle = || idle.lock().unwrap_or_else(PoisonError::into_inner);
    let mut memory = None;
    for (number, item) in tickets {
        let one = || {
            if memory.is_none() {
                let idle = idle().pop();
                memory = Some(idle.map_or_else(make, Ok)?);
            }
            work(memory.as_mut().expect("it was just made"), item)
        };
        // Memory that a panic left half changed is not used again: the thread ends after it.
        let result = catch_unwind(AssertUnwindSafe(one));
        let panicked = result.is_err();
        if done.send((number, result)).is_err() || panicked {
            return;
        }
    }
    idle().extend(memory);
}

/// Results as they come, returned in the order of their numbers.
struct Turns<T> {
    done: Receiver<Done<T>>,
    /// From the next one on; `None` for those that have not come.
    early: VecDeque<Option<Outcome<T>>>,
    turn: usize,
}

impl<T> Turns<T> {
    const fn new(done: Receiver<Done<T>>) -> Self {
        Self {
            done,
            early: VecDeque::new(),
            turn: 0,
        }
    }

    /// The next result, if it has come.
    fn ready(&mut self) -> Option<Result<T, PrepError>> {
        while let Ok(done) = self.done.try_recv() {
            self.keep(done);
        }
        let result = self.early.front_mut()?.take()?;
        self.early.pop_front();
        self.turn += 1;
        Some(result.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    fn keep(&mut self, (number, outcome): Done<T>) {
        let place = number - self.turn;
        if self.early.len() <= place {
            self.early.resize_with(place + 1, || None);
        }
        self.early[place] = Some(outcome);
    }

    /// Waits for the next result, which must be under way.
    fn wait(&mut self, observer: &Observer) -> Result<T, PrepError> {
        loop {
            observer.check()?;
            if let Some(result) = self.ready() {
                return result;
            }
            let came = match observer.is_there() {
                true => self.done.recv_timeout(LOOK_EVERY),
                false => self.done.recv().map_err(RecvTimeoutError::from),
            };
            match came {
                Ok(done) => self.keep(done),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("a thread sends what it did"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::time::Instant;

    use super::*;
    use crate::observe::Observe;

    fn squares(threads: usize, items: &[u64], bad: Option<u64>) -> (Vec<u64>, bool) {
        let pool = OrderedPool::<u64>::new(threads);
        let mut taken = Vec::new();
        let result = pool.in_order(
            items,
            || Ok(0),
            |seen, &item| {
                *seen += 1;
                thread::sleep(Duration::from_micros(item % 7 * 50));
                if Some(item) == bad {
                    return Err(PrepError::NotAFolder("here".into()));
                }
                Ok(item * item)
            },
            |square| {
                taken.push(square);
                Ok(())
            },
        );
        (taken, result.is_ok())
    }

    #[test]
    fn results_come_in_order_whatever_takes_long() {
        let items: Vec<u64> = (0..300).collect();
        let wanted: Vec<u64> = items.iter().map(|item| item * item).collect();
        for threads in [1, 2, 5] {
            assert_eq!(squares(threads, &items, None), (wanted.clone(), true));
            assert_eq!(squares(threads, &[], None), (Vec::new(), true));
            let (taken, fine) = squares(threads, &items, Some(123));
            assert_eq!((taken.as_slice(), fine), (&wanted[..123], false));
        }
    }

    #[test]
    fn a_failed_taker_ends_the_work() {
        let pool = OrderedPool::<()>::new(3);
        let items: Vec<u32> = (0..1000).collect();
        let mut taken = 0;
        let result = pool.in_order(
            &items,
            || Ok(()),
            |(), &item| Ok(item),
            |item| {
                taken += 1;
                if item == 5 {
                    return Err(PrepError::NotAFolder("here".into()));
                }
                Ok(())
            },
        );
        assert!(result.is_err());
        assert_eq!(taken, 6);
    }

    #[test]
    #[should_panic(expected = "no luck with 77")]
    fn a_panic_reaches_the_caller_and_no_thread_hangs() {
        let pool = OrderedPool::<()>::new(2);
        let items: Vec<u32> = (0..1000).collect();
        let work = |(): &mut (), &item: &u32| {
            assert_ne!(item, 77, "no luck with {item}");
            Ok(item)
        };
        let _ = pool.in_order(&items, || Ok(()), work, |_| Ok(()));
    }

    /// Stops the work once the flag is set.
    #[derive(Default)]
    struct Stop(AtomicBool);

    impl Observe for Stop {
        fn progress(&self, _: &'static str, _: u64, _: Option<u64>) {}
        fn is_cancelled(&self) -> bool {
            self.0.load(SeqCst)
        }
    }

    #[test]
    fn an_observer_ends_the_work_while_nothing_is_done() {
        let stop = Arc::new(Stop::default());
        let pool = OrderedPool::<()>::new(2).observed(&Observer::new(stop.clone()));
        let items = [5_000_u64; 10];
        let start = Instant::now();
        let work = |(): &mut (), &millis: &u64| {
            stop.0.store(true, SeqCst);
            // As long as an image takes that is under way when the work is stopped.
            thread::sleep(Duration::from_millis(millis.min(300)));
            Ok(())
        };
        let result = pool.in_order(&items, || Ok(()), work, |()| Ok(()));
        assert!(matches!(result, Err(PrepError::Stopped)), "{result:?}");
        // Ten items on two threads take 1.5 s.
        assert!(start.elapsed() < Duration::from_millis(900));
    }
}
