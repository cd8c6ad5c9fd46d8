//! What carries tickets and batches between threads.

pub(crate) use std::sync::atomic::AtomicBool as Flag;

pub(crate) use crossbeam_channel::{Receiver, Sender, bounded};
