//! What carries tickets and batches between threads.

use std::time::Duration;

pub(crate) use std::sync::atomic::AtomicBool as Flag;

use crossbeam_channel::RecvTimeoutError;
pub(crate) use crossbeam_channel::{Receiver, Sender, bounded};

/// Time between two questions of a wait that can be stopped.
pub(crate) const PATIENCE: Duration = Duration::from_millis(25);

/// What became of a wait that does not last for ever.
pub(crate) enum Waited<T> {
    /// A message came.
    Arrived(T),
    /// None came in time.
    InVain,
    /// None will ever come.
    Closed,
}

/// Waits for a message, but no longer than [`PATIENCE`].
pub(crate) fn recv_briefly<T>(receiver: &Receiver<T>) -> Waited<T> {
    match receiver.recv_timeout(PATIENCE) {
        Ok(message) => Waited::Arrived(message),
        Err(RecvTimeoutError::Timeout) => Waited::InVain,
        Err(RecvTimeoutError::Disconnected) => Waited::Closed,
    }
}
