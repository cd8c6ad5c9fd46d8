//! How batches get from the workers to the consumer: slot states, order and early drop, and nothing
//! else.
//!
//! There are as many slots as batches that may exist, the one that the consumer works on included.
//! The batch with number `step` has the slot `step % slots`, and a slot goes round through three
//! states:
//!
//! ```text
//! Free --hand_out: a ticket leaves--> Out --the batch arrives--> Ready --take--> Free
//! ```
//!
//! The slot of the batch that was taken is handed out again when the consumer comes back for the
//! next, before it waits: so while it waits, every slot is at the workers' disposal, and while it
//! works, its batch is one of those that may exist.
//!
//! Only the consumer changes them, so they need neither lock nor atomic. Tickets and batches travel
//! in two channels with room for one message for each slot, so no send ever waits; workers wait for
//! tickets and the consumer waits for batches, and nobody waits in a circle. Dropping the consumer
//! ends the tickets and raises a flag that workers look at between samples.
//!
//! A wait can be stopped: nothing changes hands then, and the next call waits for the same batch.
//!
//! The channels come from the module `channel` beside this one: crossbeam's in the crate, loom's in
//! the model that tries every interleaving (`tests/loom`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::channel::{Flag, Receiver, Sender, Waited, bounded, recv_briefly};

/// State of a slot.
enum Slot<T> {
    /// Nothing is under way.
    Free,
    /// A worker has the ticket or will have it.
    Out,
    /// It was made and waits for its turn.
    Ready(T),
}

/// The wait for what is next was stopped.
#[derive(Debug)]
pub(crate) struct Stopped;

/// The side that takes what was made, in order.
pub(crate) struct Consumer<T> {
    slots: Box<[Slot<T>]>,
    /// What is taken next.
    next: u64,
    /// The ticket that leaves next.
    ticket: u64,
    end: u64,
    /// Whether the slot of the last that was taken is still to be handed out.
    held: bool,
    tickets: Sender<u64>,
    made: Receiver<(u64, T)>,
    cancelled: Arc<Flag>,
}

/// The side that makes; every worker has a clone.
pub(crate) struct Producer<T> {
    tickets: Receiver<u64>,
    made: Sender<(u64, T)>,
    cancelled: Arc<Flag>,
}

/// The two sides, for the numbers `first..end`; at most `slots` of them exist at once, as long as the
/// consumer drops each before it takes the next.
pub(crate) fn slots<T>(first: u64, end: u64, slots: usize) -> (Consumer<T>, Producer<T>) {
    let (ticket_sender, tickets) = bounded(slots);
    let (made_sender, made) = bounded(slots);
    let cancelled = Arc::new(Flag::new(false));
    let mut consumer = Consumer {
        slots: (0..slots).map(|_| Slot::Free).collect(),
        next: first,
        ticket: first,
        end,
        held: false,
        tickets: ticket_sender,
        made,
        cancelled: Arc::clone(&cancelled),
    };
    for _ in 0..slots {
        consumer.hand_out();
    }
    let producer = Producer {
        tickets,
        made: made_sender,
        cancelled,
    };
    (consumer, producer)
}

impl<T> Consumer<T> {
    /// Waits for the next in order; `None` after the last, and where no worker is left to make it.
    ///
    /// With `stop` it asks now and then whether to wait on. After a stop the next call takes what
    /// this one would have.
    pub(crate) fn take(&mut self, stop: Option<&dyn Fn() -> bool>) -> Result<Option<T>, Stopped> {
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
                None => self.made.recv().map_or(Waited::Closed, Waited::Arrived),
                Some(_) => recv_briefly(&self.made),
            };
            let (step, made) = match waited {
                Waited::Arrived(message) => message,
                Waited::InVain if stop.is_some_and(|stop| stop()) => return Err(Stopped),
                Waited::InVain => continue,
                Waited::Closed => return Ok(None),
            };
            let arrived = self.slot(step);
            let before = std::mem::replace(&mut self.slots[arrived], Slot::Ready(made));
            assert!(matches!(before, Slot::Out), "step {step} came unasked");
        };
        self.next += 1;
        self.held = true;
        let Slot::Ready(made) = taken else {
            unreachable!("the loop ends on a slot that is ready")
        };
        Ok(Some(made))
    }

    /// Lets the workers begin one more.
    fn hand_out(&mut self) {
        if self.ticket == self.end {
            return;
        }
        let slot = self.slot(self.ticket);
        let before = std::mem::replace(&mut self.slots[slot], Slot::Out);
        assert!(matches!(before, Slot::Free), "a slot is handed out twice");
        // Nobody takes the ticket if every worker is gone; `take` finds that out.
        let _ = self.tickets.send(self.ticket);
        self.ticket += 1;
    }

    fn slot(&self, step: u64) -> usize {
        (step % self.slots.len() as u64) as usize
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        // A worker that sees the flag late only makes what nobody takes.
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

impl<T> Producer<T> {
    /// Waits for the number of what is to be made; `None` when there is no more to do.
    pub(crate) fn ticket(&self) -> Option<u64> {
        let ticket = self.tickets.recv().ok()?;
        (!self.cancelled()).then_some(ticket)
    }

    /// Gives what was made for a ticket; whether somebody is still there to take it.
    pub(crate) fn give(&self, ticket: u64, made: T) -> bool {
        self.made.send((ticket, made)).is_ok()
    }

    /// Whether the consumer is gone, so that work under way may stop.
    pub(crate) fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

impl<T> Clone for Producer<T> {
    fn clone(&self) -> Self {
        Self {
            tickets: self.tickets.clone(),
            made: self.made.clone(),
            cancelled: Arc::clone(&self.cancelled),
        }
    }
}
