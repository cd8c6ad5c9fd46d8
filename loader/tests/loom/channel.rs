//! A bounded channel of loom's parts, in which a send that would have to wait is a failure: the
//! slots promise that there is always room.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::{Condvar, Mutex};

pub(crate) use loom::sync::atomic::AtomicBool as Flag;

struct Channel<T> {
    /// `None` when every receiver is gone.
    messages: Mutex<Option<VecDeque<T>>>,
    arrived: Condvar,
    room: usize,
    /// How many there are. Not loom's atomics: only the last to go does anything that others see,
    /// and it does that under the lock.
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

pub(crate) struct Sender<T>(Arc<Channel<T>>);
pub(crate) struct Receiver<T>(Arc<Channel<T>>);

pub(crate) fn bounded<T>(room: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel {
        messages: Mutex::new(Some(VecDeque::new())),
        arrived: Condvar::new(),
        room,
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(1),
    });
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

impl<T> Sender<T> {
    pub(crate) fn send(&self, message: T) -> Result<(), T> {
        let mut messages = self.0.messages.lock().unwrap();
        let Some(messages) = messages.as_mut() else {
            return Err(message);
        };
        assert!(messages.len() < self.0.room, "a send would wait");
        messages.push_back(message);
        self.0.arrived.notify_one();
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub(crate) fn recv(&self) -> Result<T, ()> {
        let mut messages = self.0.messages.lock().unwrap();
        loop {
            if let Some(message) = messages.as_mut().and_then(VecDeque::pop_front) {
                return Ok(message);
            }
            if self.0.senders.load(Ordering::SeqCst) == 0 {
                return Err(());
            }
            messages = self.0.arrived.wait(messages).unwrap();
        }
    }
}

/// The result of a wait with a time limit.
pub(crate) enum Received<T> {
    Message(T),
    TimedOut,
    Closed,
}

/// A wait of no length: it times out wherever the message has not come yet, and loom tries every
/// order in which it may come. Other threads get their turn before the next look.
pub(crate) fn receive_briefly<T>(receiver: &Receiver<T>) -> Received<T> {
    let mut messages = receiver.0.messages.lock().unwrap();
    if let Some(message) = messages.as_mut().and_then(VecDeque::pop_front) {
        return Received::Message(message);
    }
    if receiver.0.senders.load(Ordering::SeqCst) == 0 {
        return Received::Closed;
    }
    drop(messages);
    loom::thread::yield_now();
    Received::TimedOut
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.0.receivers.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.0.senders.load(Ordering::SeqCst) > 1 {
            self.0.senders.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        // Under the lock, or a receiver could look before and wait after.
        let _messages = self.0.messages.lock().unwrap();
        self.0.senders.fetch_sub(1, Ordering::SeqCst);
        self.0.arrived.notify_all();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if self.0.receivers.fetch_sub(1, Ordering::SeqCst) == 1 {
            // As crossbeam does: what nobody can receive any more is dropped, after the lock.
            let lost = self.0.messages.lock().unwrap().take();
            drop(lost);
        }
    }
}
