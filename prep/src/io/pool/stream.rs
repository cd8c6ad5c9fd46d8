//! Parallel work on items that come one by one.

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{Ticket, Turns, WINDOW_PER_THREAD, no_threads, number_of, serve};
use crate::error::PrepError;
use crate::observe::Observer;

/// Worker threads for items that are handed out one after another. Dropping it waits for the items under way
/// and no others.
pub(crate) struct OrderedStream<I, T> {
    /// `None` once it is being dropped.
    ends: Option<Ends<I, T>>,
    handed_out: usize,
    taken: usize,
    window: usize,
    threads: Vec<JoinHandle<()>>,
}

/// The calling thread's ends of the channels.
struct Ends<I, T> {
    tickets: Sender<Ticket<I>>,
    turns: Turns<T>,
}

impl<I: Send + 'static, T: Send + 'static> OrderedStream<I, T> {
    /// Starts `threads` threads, one for each core if 0. `make` makes the memory of a thread.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(crate) fn start<W: Send + 'static>(
        threads: usize,
        make: impl Fn() -> Result<W, PrepError> + Send + Sync + 'static,
        work: impl Fn(&mut W, I) -> Result<T, PrepError> + Send + Sync + 'static,
    ) -> Result<Self, PrepError> {
        let threads = number_of(threads);
        let window = WINDOW_PER_THREAD * threads;
        let (tickets, ticket_receiver): (Sender<Ticket<I>>, Receiver<Ticket<I>>) = bounded(window);
        let (done_sender, done) = bounded(window);
        let mut stream = Self {
            ends: Some(Ends {
                tickets,
                turns: Turns::new(done),
            }),
            handed_out: 0,
            taken: 0,
            window,
            threads: Vec::new(),
        };
        let shared = Arc::new((Mutex::new(Vec::new()), make, work));
        for i in 0..threads {
            let (tickets, done) = (ticket_receiver.clone(), done_sender.clone());
            let shared = shared.clone();
            let thread = thread::Builder::new()
                .name(format!("prep-{i}"))
                .spawn(move || {
                    let (idle, make, work) = &*shared;
                    serve(tickets.iter(), &done, idle, make, work);
                })
                .map_err(|error| no_threads(threads, &error))?;
            stream.threads.push(thread);
        }
        Ok(stream)
    }

    /// Number of items whose results have not been taken.
    pub(crate) const fn under_way(&self) -> usize {
        self.handed_out - self.taken
    }

    /// Whether there is room for another item; if not, take a result first.
    pub(crate) const fn has_room(&self) -> bool {
        self.under_way() < self.window
    }

    /// Hands out an item; there must be room for it.
    pub(crate) fn hand_out(&mut self, item: I) {
        assert!(self.has_room(), "take a result first");
        let ends = self.ends.as_ref().expect("it has not ended");
        let _ = ends.tickets.send((self.handed_out, item));
        self.handed_out += 1;
    }

    /// The next result, if it has come.
    pub(crate) fn ready(&mut self) -> Option<Result<T, PrepError>> {
        let result = self.turns().ready()?;
        self.taken += 1;
        Some(result)
    }

    /// Waits for the next result; `None` if no item is under way.
    pub(crate) fn wait(&mut self) -> Option<Result<T, PrepError>> {
        if self.under_way() == 0 {
            return None;
        }
        let result = self.turns().wait(&Observer::default());
        self.taken += 1;
        Some(result)
    }

    fn turns(&mut self) -> &mut Turns<T> {
        &mut self.ends.as_mut().expect("it has not ended").turns
    }
}

impl<I, T> Drop for OrderedStream<I, T> {
    fn drop(&mut self) {
        // Without channels no worker waits, and none begins another item once it cannot send its result.
        self.ends = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_order_however_they_are_taken() {
        for threads in [1, 2, 5] {
            let work = |(): &mut (), item: u64| {
                thread::sleep(Duration::from_micros(item % 7 * 50));
                Ok(item * item)
            };
            let mut stream = OrderedStream::start(threads, || Ok(()), work).unwrap();
            let mut taken = Vec::new();
            for item in 0..300 {
                if !stream.has_room() {
                    taken.push(stream.wait().unwrap().unwrap());
                }
                stream.hand_out(item);
                while let Some(result) = stream.ready() {
                    taken.push(result.unwrap());
                }
            }
            while let Some(result) = stream.wait() {
                taken.push(result.unwrap());
            }
            assert_eq!(
                taken,
                (0..300).map(|item| item * item).collect::<Vec<u64>>()
            );
        }
    }

    #[test]
    fn one_that_is_dropped_ends_after_the_items_under_way() {
        let done = Arc::new(AtomicUsize::new(0));
        let count = done.clone();
        let work = move |(): &mut (), (): ()| {
            thread::sleep(Duration::from_millis(20));
            count.fetch_add(1, SeqCst);
            Ok(())
        };
        let mut stream = OrderedStream::start(2, || Ok(()), work).unwrap();
        while stream.has_room() {
            stream.hand_out(());
        }
        drop(stream);
        // All threads have ended, most items were never begun.
        let ended = done.load(SeqCst);
        assert!(ended <= 8, "{ended}");
        thread::sleep(Duration::from_millis(60));
        assert_eq!(done.load(SeqCst), ended);
    }
}
