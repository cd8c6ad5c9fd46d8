//! Parallel work whose results come in order.
//!
//! The thread that asks for the work hands out *tickets*, numbers of items, and never more than a window
//! of them, which bounds memory. A thread of the crew takes a ticket, does the work and sends the result
//! back; results that come early wait for their turn. Nobody waits for the slowest of a group.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, available_parallelism};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::error::PrepError;

/// Items under way for each thread: at most some tens of megabytes of results, whatever the size of
/// the data.
const WINDOW_PER_THREAD: usize = 16;

/// Most threads of a command; more is taken for this many.
pub const MOST_THREADS: usize = 1024;

/// Threads, and the memory `W` that each works in, which is kept from one piece of work to the next.
pub(crate) struct Crew<W> {
    threads: usize,
    idle: Mutex<Vec<W>>,
}

/// A result with its number, or what a panic left.
type Done<T> = (usize, Result<Result<T, PrepError>, Box<dyn Any + Send>>);

impl<W: Send> Crew<W> {
    /// A crew of `threads`, one for each core if 0, and never more than [`MOST_THREADS`].
    pub(crate) fn new(threads: usize) -> Self {
        let cores = || available_parallelism().map_or(1, usize::from);
        Self {
            threads: match threads {
                0 => cores(),
                _ => threads.min(MOST_THREADS),
            },
            idle: Mutex::new(Vec::new()),
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
    /// `take`.
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
            let (tickets, done) = (tickets, done);
            for i in 0..self.threads.min(items.len()) {
                let (tickets, done) = (ticket_receiver.clone(), done_sender.clone());
                thread::Builder::new()
                    .name(format!("prep-{i}"))
                    .spawn_scoped(scope, move || self.run(items, &tickets, &done, make, work))
                    .map_err(|error| PrepError::Threads {
                        threads: self.threads,
                        message: error.to_string(),
                    })?;
            }
            // Only the threads hold them now, so that none waits when this one ends early.
            drop((ticket_receiver, done_sender));
            let mut early = BTreeMap::new();
            let mut handed_out = 0;
            for turn in 0..items.len() {
                while handed_out < items.len().min(turn + window) {
                    // There is room for every ticket that is out.
                    let _ = tickets.send(handed_out);
                    handed_out += 1;
                }
                let result = loop {
                    if let Some(result) = early.remove(&turn) {
                        break result;
                    }
                    let (number, result) = done.recv().expect("a thread sends what it did");
                    early.insert(number, result);
                };
                take(result.unwrap_or_else(|panic| resume_unwind(panic))?)?;
            }
            Ok(())
        })
    }

    fn run<I, T>(
        &self,
        items: &[I],
        tickets: &Receiver<usize>,
        done: &Sender<Done<T>>,
        make: &(impl Fn() -> Result<W, PrepError> + Sync),
        work: &(impl Fn(&mut W, &I) -> Result<T, PrepError> + Sync),
    ) {
        let mut memory = None;
        for number in tickets {
            let one = || {
                if memory.is_none() {
                    let idle = self.idle().pop();
                    memory = Some(idle.map_or_else(make, Ok)?);
                }
                work(memory.as_mut().expect("it was just made"), &items[number])
            };
            // What a panic leaves behind is not used again: the thread ends after it.
            let result = catch_unwind(AssertUnwindSafe(one));
            let panicked = result.is_err();
            if done.send((number, result)).is_err() || panicked {
                return;
            }
        }
        self.idle().extend(memory);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<W>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares(threads: usize, items: &[u64], bad: Option<u64>) -> (Vec<u64>, bool) {
        let crew = Crew::<u64>::new(threads);
        let mut taken = Vec::new();
        let result = crew.in_order(
            items,
            || Ok(0),
            |seen, &item| {
                *seen += 1;
                thread::sleep(std::time::Duration::from_micros(item % 7 * 50));
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
}
