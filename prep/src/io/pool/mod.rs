//! Parallel work whose results come in order.
//!
//! The thread that asks for the work hands out *tickets*, numbered items, and never more than a window
//! of them, which bounds memory. A thread of the crew takes a ticket, does the work and sends the result
//! back; results that come early wait for their turn. Nobody waits for the slowest of a group.
//!
//! [`Crew`] works on items that are all there; [`Stream`] on items that come one by one.

mod stream;

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::error::PrepError;
use crate::observe::Observer;
pub(crate) use stream::Stream;

/// Items under way for each thread: at most some tens of megabytes of results, whatever the size of
/// the data.
const WINDOW_PER_THREAD: usize = 16;

/// Most threads of a command; more is taken for this many.
pub const MOST_THREADS: usize = 1024;

/// Time between two looks at whether the work is to stop, while nothing is done.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Threads, and the memory `W` that each works in, which is kept from one piece of work to the next.
pub(crate) struct Crew<W> {
    threads: usize,
    idle: Mutex<Vec<W>>,
    observer: Observer,
}

/// An item with its number.
type Ticket<I> = (usize, I);

/// A result, or what a panic left.
type Outcome<T> = Result<Result<T, PrepError>, Box<dyn Any + Send>>;

/// One with its number.
type Done<T> = (usize, Outcome<T>);

/// Number of threads that is meant: one for each core if 0, and never more than [`MOST_THREADS`].
pub(crate) fn number_of(threads: usize) -> usize {
    match threads {
        0 => available_parallelism().map_or(1, usize::from),
        _ => threads.min(MOST_THREADS),
    }
}

impl<W: Send> Crew<W> {
    /// A crew of `threads`, one for each core if 0, and never more than [`MOST_THREADS`].
    pub(crate) fn new(threads: usize) -> Self {
        Self {
            threads: number_of(threads),
            idle: Mutex::new(Vec::new()),
            observer: Observer::default(),
        }
    }

    /// The same crew, whose work ends when `observer` says so.
    pub(crate) fn observed(self, observer: &Observer) -> Self {
        Self {
            observer: observer.clone(),
            ..self
        }
    }

    /// Number of its threads.
    pub(crate) const fn threads(&self) -> usize {
        self.threads
    }

    /// Does `work` on each item, in parallel, and gives the results to `take`, one after the
    /// other in the order of the items. `make` makes the memory of a thread.
    ///
    /// # Errors
    /// The error of the first item that has one, after the results before it were taken, or that of
    /// `take`; or that the observer wants the work to stop.
    pub(crate) fn in_order<I: Sync, T: Send>(
        &self,
        items: &[I],
        make: impl Fn() -> Result<W, PrepError> + Sync,
        work: impl Fn(&mut W, &I) -> Result<T, PrepError> + Sync,
        mut take: impl FnMut(T) -> Result<(), PrepError>,
    ) -> Result<(), PrepError> {
        let window = WINDOW_PER_THREAD * self.threads;
        let (tickets, ticket_receiver) = bounded(window);
        let (done_sender, done) = bounded(window);
        thread::scope(|scope| {
            let (make, work) = (&make, &work);
            // They go when this closure ends, however it ends, and no thread waits for them.
            let (tickets, mut turns) = (tickets, Turns::new(done));
            for i in 0..self.threads.min(items.len()) {
                let (tickets, done) = (ticket_receiver.clone(), done_sender.clone());
                thread::Builder::new()
                    .name(format!("prep-{i}"))
                    .spawn_scoped(scope, move || {
                        serve(&tickets, &done, &self.idle, make, work)
                    })
                    .map_err(|error| no_threads(self.threads, &error))?;
            }
            // Only the threads hold them now, so that none waits when this one ends early.
            drop((ticket_receiver, done_sender));
            let mut handed_out = 0;
            for turn in 0..items.len() {
                while handed_out < items.len().min(turn + window) {
                    // There is room for every ticket that is out.
                    let _ = tickets.send((handed_out, &items[handed_out]));
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

/// What a thread of a crew does: ticket after ticket, in memory that is taken from `idle` and given back.
fn serve<I, T, W>(
    tickets: &Receiver<Ticket<I>>,
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
        // What a panic leaves behind is not used again: the thread ends after it.
        let result = catch_unwind(AssertUnwindSafe(one));
        let panicked = result.is_err();
        if done.send((number, result)).is_err() || panicked {
            return;
        }
    }
    idle().extend(memory);
}

/// Results as they come, given out in the order of their numbers.
struct Turns<T> {
    done: Receiver<Done<T>>,
    early: BTreeMap<usize, Outcome<T>>,
    turn: usize,
}

impl<T> Turns<T> {
    const fn new(done: Receiver<Done<T>>) -> Self {
        Self {
            done,
            early: BTreeMap::new(),
            turn: 0,
        }
    }

    /// The next result, if it is there.
    fn ready(&mut self) -> Option<Result<T, PrepError>> {
        for (number, result) in self.done.try_iter() {
            self.early.insert(number, result);
        }
        let result = self.early.remove(&self.turn)?;
        self.turn += 1;
        Some(result.unwrap_or_else(|panic| resume_unwind(panic)))
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
                Ok((number, result)) => drop(self.early.insert(number, result)),
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
        let crew = Crew::<u64>::new(threads);
        let mut taken = Vec::new();
        let result = crew.in_order(
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
        let crew = Crew::<()>::new(3);
        let items: Vec<u32> = (0..1000).collect();
        let mut taken = 0;
        let result = crew.in_order(
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
    fn a_panic_goes_to_the_asker_and_nobody_hangs() {
        let crew = Crew::<()>::new(2);
        let items: Vec<u32> = (0..1000).collect();
        let work = |(): &mut (), &item: &u32| {
            assert_ne!(item, 77, "no luck with {item}");
            Ok(item)
        };
        let _ = crew.in_order(&items, || Ok(()), work, |_| Ok(()));
    }

    /// Says stop when told so.
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
        let crew = Crew::<()>::new(2).observed(&Observer::new(stop.clone()));
        let items = [5_000_u64; 10];
        let start = Instant::now();
        let work = |(): &mut (), &millis: &u64| {
            stop.0.store(true, SeqCst);
            // As long as an image takes that is under way when the work is stopped.
            thread::sleep(Duration::from_millis(millis.min(300)));
            Ok(())
        };
        let result = crew.in_order(&items, || Ok(()), work, |()| Ok(()));
        assert!(matches!(result, Err(PrepError::Stopped)), "{result:?}");
        // Ten items on two threads take 1.5 s.
        assert!(start.elapsed() < Duration::from_millis(900));
    }
}
