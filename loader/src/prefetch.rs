//! Worker threads that make the next batches while the consumer works on this one.
//!
//! The consumer hands out *tickets*, each the number of a batch; never more than `threads +
//! prefetch` are out, which bounds memory. A worker takes a ticket, makes the batch and sends it
//! back; the few that come early wait in the consumer's window. No thread can wait for another one
//! that waits for it: workers wait for tickets only, and there is room for every result.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::batch::Batch;
use crate::error::LoaderError;
use crate::fill::{EpochPlan, fill};
use crate::loader::Plan;

type Made = (u64, Result<Batch, LoaderError>);

pub(crate) struct Prefetch {
    tickets: Option<Sender<u64>>,
    made: Receiver<Made>,
    /// Batches that came before their turn.
    early: BTreeMap<u64, Result<Batch, LoaderError>>,
    next_ticket: u64,
    end: u64,
    cancelled: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Prefetch {
    /// Starts the plan's threads on the batches `first..end`.
    pub(crate) fn start(
        plan: Arc<Plan>,
        epoch: Arc<EpochPlan>,
        first: u64,
        end: u64,
    ) -> Result<Self, LoaderError> {
        let window = plan.threads + plan.prefetch;
        let (ticket_sender, ticket_receiver) = bounded(window);
        let (made_sender, made) = bounded(window);
        let mut prefetch = Self {
            tickets: Some(ticket_sender),
            made,
            early: BTreeMap::new(),
            next_ticket: first,
            end,
            cancelled: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        for i in 0..plan.threads {
            let worker = Worker {
                plan: Arc::clone(&plan),
                epoch: Arc::clone(&epoch),
                tickets: ticket_receiver.clone(),
                made: made_sender.clone(),
                cancelled: Arc::clone(&prefetch.cancelled),
            };
            let builder = std::thread::Builder::new().name(format!("loader-{i}"));
            prefetch.threads.push(
                builder
                    .spawn(move || worker.run())
                    .map_err(LoaderError::Thread)?,
            );
        }
        for _ in 0..window {
            prefetch.hand_out();
        }
        Ok(prefetch)
    }

    /// Waits for the batch with number `step`.
    pub(crate) fn next(&mut self, step: u64) -> Result<Batch, LoaderError> {
        let batch = loop {
            if let Some(batch) = self.early.remove(&step) {
                break batch;
            }
            let lost = || LoaderError::Panic {
                step,
                message: "every loader thread is gone".to_owned(),
            };
            let (made, batch) = self.made.recv().map_err(|_| lost())?;
            self.early.insert(made, batch);
        };
        self.hand_out();
        batch
    }

    /// Lets the workers begin one batch more. The channel has room for every ticket that is out.
    fn hand_out(&mut self) {
        if self.next_ticket < self.end {
            if let Some(tickets) = &self.tickets {
                let _ = tickets.send(self.next_ticket);
            }
            self.next_ticket += 1;
        }
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.tickets = None;
        for thread in self.threads.drain(..) {
            // A worker's panic was already given to the consumer as an error.
            let _ = thread.join();
        }
    }
}

struct Worker {
    plan: Arc<Plan>,
    epoch: Arc<EpochPlan>,
    tickets: Receiver<u64>,
    made: Sender<Made>,
    cancelled: Arc<AtomicBool>,
}

impl Worker {
    fn run(self) {
        let mut memory = self.plan.worker_memory();
        for step in &self.tickets {
            let buffers = self.plan.pool.1.try_recv().unwrap_or_default();
            let work = || {
                fill(
                    &self.plan,
                    &self.epoch,
                    step,
                    buffers,
                    &mut memory,
                    &self.cancelled,
                )
            };
            // What a panic leaves behind is not used again: the thread ends after it.
            let outcome = catch_unwind(AssertUnwindSafe(work));
            let panicked = outcome.is_err();
            let batch = match outcome {
                Ok(Some(batch)) => batch,
                Ok(None) => return,
                Err(panic) => Err(LoaderError::Panic {
                    step,
                    message: words(panic.as_ref()),
                }),
            };
            if self.made.send((step, batch)).is_err() || panicked {
                return;
            }
        }
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use shardmill_formats::Codec;

    use super::*;
    use crate::{Dataset, Loader, Policy, kit};

    /// A window that the builder would refuse makes the kernel's slices panic.
    #[test]
    fn a_workers_panic_is_an_error_and_ends_the_epoch() {
        let folder = tempfile::tempdir().unwrap();
        kit::write(folder.path(), Codec::Raw);
        let dataset = Dataset::open(folder.path(), "train").unwrap();
        for threads in [1, 3] {
            let builder = Loader::builder(dataset.clone()).batch_size(4);
            let policy = Policy::Center { crop: 16 };
            let mut loader = builder.policy(policy).threads(threads).build().unwrap();
            let plan = Arc::get_mut(&mut loader.plan).unwrap();
            plan.policy = Policy::Center {
                crop: kit::SHAPE.height + 1,
            };
            let mut epoch = loader.epoch(0);
            let error = epoch.next().unwrap().unwrap_err();
            assert!(
                matches!(error, LoaderError::Panic { step: 0, .. }),
                "{error}"
            );
            assert!(error.to_string().contains("range"), "{error}");
            assert!(epoch.next().is_none());
        }
    }
}
