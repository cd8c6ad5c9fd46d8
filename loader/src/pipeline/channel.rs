//! The channels between the consumer and the workers. `tests/loom` has its own in this place.

use std::time::Duration;

pub(crate) use std::sync::atomic::AtomicBool as Flag;

use crossbeam_channel::RecvTimeoutError;
pub(crate) use crossbeam_channel::{Receiver, Sender, bounded};

/// How often a wait that can be stopped asks whether to stop.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// The result of a wait with a time limit.
pub(crate) enum Received<T> {
    /// A message came.
    Message(T),
    /// No message came in time.
    TimedOut,
    /// No message can come any more: every sender is gone.
    Closed,
}

/// Waits for a message, but no longer than [`POLL_INTERVAL`].
pub(crate) fn receive_briefly<T>(receiver: &Receiver<T>) -> Received<T> {
    match receiver.recv_timeout(POLL_INTERVAL) {
        Ok(message) => Received::Message(message),
        Err(RecvTimeoutError::Timeout) => Received::TimedOut,
        Err(RecvTimeoutError::Disconnected) => Received::Closed,
    }
}
