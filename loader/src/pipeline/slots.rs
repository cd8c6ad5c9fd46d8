//! How batches get from the workers to the consumer: the states of the slots, the order of the
//! batches, and early drop.
//!
//! There are as many slots as batches may exist at once, the consumer's own included. The batch with
//! number `step` has the slot `step % slots`. A slot has three states:
//!
//! ```text
//! Free --hand_out: a ticket is sent--> Out --the batch arrives--> Ready --next--> Free
//! ```
//!
//! When the consumer asks for the next batch, the slot of its last one is handed out first, before it
//! waits. So while the consumer waits, the workers have every slot; while it works, its batch counts
//! as one of those that may exist.
//!
//! Only the consumer changes the states, so they need neither a lock nor atomics. Tickets and batches
//! travel in two channels that have room for one message for each slot, so no send ever waits. Workers
//! wait for tickets and the consumer waits for batches, so no cycle of waits can form. Dropping the
//! consumer closes the channel of tickets and sets a flag that workers check between samples.
//!
//! A wait can be stopped. Nothing changes hands then, and the next call waits for the same batch.
//!
//! The channels come from the module `channel` beside this one: crossbeam's in the crate, loom's in
//! the model that tries every interleaving (`tests/loom`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::channel::{Flag, Received, Receiver, Sender, bounded, receive_briefly};

/// State of a slot.
enum Slot<T> {
    /// No ticket is out for it.
    Free,
    /// A ticket was sent; a worker has it or will get it.
    Out,
    /// The result has arrived and waits for its turn.
    Ready(T),
}

/// The caller stopped the wait.
#[derive(Debug)]
pub(crate) struct Stopped;

/// A result and the number of its ticket.
struct Numbered<T> {
    step: u64,
    result: T,
}

/// The receiving side: it gives the results in order.
pub(crate) struct Consumer<T> {
    slots: Box<[Slot<T>]>,
    /// The number of the next result.
    next: u64,
    /// The next ticket to send.
    ticket: u64,
    end: u64,
    /// Whether the slot of the last result still has to be handed out.
    held: bool,
    tickets: Sender<u64>,
    results: Receiver<Numbered<T>>,
    cancelled: Arc<Flag>,
}

/// The workers' side; each has a clone.
pub(crate) struct Producer<T> {
    tickets: Receiver<u64>,
    results: Sender<Numbered<T>>,
    cancelled: Arc<Flag>,
}

/// Both sides for the numbers `first..end`. At most `slots` results exist at once, as long as the
/// consumer drops each before it asks for the next.
pub(crate) fn slots<T>(first: u64, end: u64, slots: usize) -> (Consumer<T>, Producer<T>) {
    let (ticket_sender, tickets) = bounded(slots);
    let (result_sender, results) = bounded(slots);
    let cancelled = Arc::new(Flag::new(false));
    let mut consumer = Consumer {
        slots: (0..slots).map(|_| Slot::Free).collect(),
        next: first,
        ticket: first,
        end,
        held: false,
        tickets: ticket_sender,
        results,
        cancelled: Arc::clone(&cancelled),
    };
    for _ in 0..slots {
        consumer.hand_out();
    }
    let producer = Producer {
        tickets,
        results: result_sender,
        cancelled,
    };
    (consumer, producer)
}

impl<T> Consumer<T> {
    /// Waits for the next result in order; `None` after the last one, or if no worker is left.
    ///
    /// With `stop` it asks regularly whether to stop waiting. After a stop, the next call waits for
    /// the same result.
    pub(crate) fn next(&mut self, stop: Option<&dyn Fn() -> bool>) -> Result<Option<T>, Stopped> {
        if self.next == self.end {
            return Ok(None);
        }
        if std::mem::take(&mut self.held) {
            self.hand_out();
        }
        let slot = self.slot(self.next);
        let taken = loop {
            if let Slot::Ready(_) = self.slots[slot] {
                break std::mem::replace(&mut self.slots[slot], Slot::Free);
            }
            let waited = match stop {
                None => self
                    .results
                    .recv()
                    .map_or(Received::Closed, Received::Message),
                Some(_) => receive_briefly(&self.results),
            };
            let Numbered { step, result } = match waited {
                Received::Message(message) => message,
                Received::TimedOut if stop.is_some_and(|stop| stop()) => return Err(Stopped),
                Received::TimedOut => continue,
                Received::Closed => return Ok(None),
            };
            let arrived = self.slot(step);
            let before = std::mem::replace(&mut self.slots[arrived], Slot::Ready(result));
            assert!(
                matches!(before, Slot::Out),
                "step {step} arrived without a ticket"
            );
        };
        self.next += 1;
        self.held = true;
        let Slot::Ready(result) = taken else {
            unreachable!("the loop ends on a slot that is ready")
        };
        Ok(Some(result))
    }

    /// Sends the next ticket.
    fn hand_out(&mut self) {
        if self.ticket == self.end {
            return;
        }
        let slot = self.slot(self.ticket);
        let before = std::mem::replace(&mut self.slots[slot], Slot::Out);
        assert!(matches!(before, Slot::Free), "a slot was handed out twice");
        // If every worker is gone, the ticket is lost; `next` notices that.
        let _ = self.tickets.send(self.ticket);
        self.ticket += 1;
    }

    fn slot(&self, step: u64) -> usize {
        (step % self.slots.len() as u64) as usize
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        // A worker that sees the flag late does work that is thrown away, and no harm.
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

impl<T> Producer<T> {
    /// Waits for the number of the next piece of work; `None` if there is none left.
    pub(crate) fn ticket(&self) -> Option<u64> {
        let ticket = self.tickets.recv().ok()?;
        (!self.cancelled()).then_some(ticket)
    }

    /// Sends the result of a ticket; `false` if the consumer is gone.
    pub(crate) fn send(&self, ticket: u64, result: T) -> bool {
        let step = ticket;
        self.results.send(Numbered { step, result }).is_ok()
    }

    /// Whether the consumer is gone, so that work in progress can stop.
    pub(crate) fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

impl<T> Clone for Producer<T> {
    fn clone(&self) -> Self {
        Self {
            tickets: self.tickets.clone(),
            results: self.results.clone(),
            cancelled: Arc::clone(&self.cancelled),
        }
    }
}
