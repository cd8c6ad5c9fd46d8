//! Worker threads that make the next batches while the consumer works on this one.
//!
//! [`slots`] decides which worker makes which batch, and in which order batches come out. This file
//! has the threads, and turns a panic into an error.

use std::mem::{forget, take};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use shardmill_formats::panic_message;

use super::batch::Batch;
use super::feed::Feed;
use super::fill::fill;
use super::meter::{Meter, Stage, StageTimes};
use super::plan::{EpochPlan, Plan};
use super::pool::Pool;
use super::readahead::ReadAhead;
use super::slots::{Consumer, Producer, slots};
use crate::error::LoaderError;
use crate::process::Process;

/// What a worker sends for a ticket.
struct Finished {
    batch: Result<Batch, LoaderError>,
    times: StageTimes,
}

pub(crate) struct Prefetch {
    /// `None` only while the epoch is dropped.
    consumer: Option<Consumer<Finished>>,
    threads: Vec<JoinHandle<()>>,
    read_ahead: Option<ReadAhead>,
    /// The process that has the threads.
    process: Process,
}

impl Prefetch {
    /// Starts the plan's threads on these batches.
    pub(crate) fn start(
        plan: &Arc<Plan>,
        epoch: &Arc<EpochPlan>,
        feed: &Arc<Feed>,
        steps: Range<u64>,
    ) -> Result<Self, LoaderError> {
        let (consumer, producer) = slots(steps.start, steps.end, plan.threads + plan.prefetch + 1);
        let mut prefetch = Self {
            consumer: Some(consumer),
            threads: Vec::new(),
            read_ahead: ReadAhead::start(plan, epoch, feed, steps.start)?,
            process: Process::current(),
        };
        let pool = plan.pool.here();
        for i in 0..plan.threads {
            let worker = Worker {
                plan: Arc::clone(plan),
                epoch: Arc::clone(epoch),
                feed: Arc::clone(feed),
                producer: producer.clone(),
                pool: pool.clone(),
            };
            let builder = std::thread::Builder::new().name(format!("loader-{i}"));
            prefetch.threads.push(
                builder
                    .spawn(move || worker.run_wrapped())
                    .map_err(LoaderError::Thread)?,
            );
        }
        Ok(prefetch)
    }

    /// Waits for the next batch, which has the number `step`, or until `stop` says to stop.
    pub(crate) fn next(
        &mut self,
        step: u64,
        meter: &mut Meter,
        stop: Option<&dyn Fn() -> bool>,
    ) -> Result<Batch, LoaderError> {
        if !self.process.is_current() {
            return Err(LoaderError::Forked { step });
        }
        let finished = match &mut self.consumer {
            Some(consumer) => consumer.next(stop).map_err(|_| LoaderError::Stopped)?,
            None => None,
        };
        if let Some(read_ahead) = &mut self.read_ahead {
            read_ahead.advance(step);
        }
        let Some(Finished { batch, times }) = finished else {
            return Err(LoaderError::Panic {
                step,
                message: "every loader thread has ended".to_owned(),
            });
        };
        meter.accumulate(&times);
        batch
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        if !self.process.is_current() {
            // In a forked child the threads to join do not exist, and a lock that dropping the channels
            // takes may have been held by one of them.
            forget((
                self.consumer.take(),
                take(&mut self.threads),
                self.read_ahead.take(),
            ));
            return;
        }
        self.consumer = None;
        for thread in self.threads.drain(..) {
            // The consumer has already been given a worker's panic as an error.
            let _ = thread.join();
        }
    }
}

struct Worker {
    plan: Arc<Plan>,
    epoch: Arc<EpochPlan>,
    feed: Arc<Feed>,
    producer: Producer<Finished>,
    pool: Pool,
}

impl Worker {
    /// Works inside the function of [`around_threads`](crate::LoaderBuilder::around_threads), if there is one.
    fn run_wrapped(self) {
        let around = self.plan.around_threads.clone();
        let mut worker = Some(self);
        let mut work = || {
            if let Some(worker) = worker.take() {
                worker.run();
            }
        };
        match around {
            Some(around) => around(&mut work),
            None => work(),
        }
    }

    fn run(self) {
        let feed = Arc::clone(&self.feed);
        let mut memory = self.plan.worker_memory(self.pool.clone(), feed);
        let cancelled = || self.producer.cancelled();
        while let Some(step) = self.producer.ticket() {
            memory.clock.lap(Stage::Idle);
            let buffers = memory.pool.acquire();
            let work = || {
                fill(
                    &self.plan,
                    &self.epoch,
                    step,
                    buffers,
                    &mut memory,
                    &cancelled,
                )
            };
            // The thread ends after a panic, so what it leaves half changed is not used again.
            let outcome = catch_unwind(AssertUnwindSafe(work));
            let panicked = outcome.is_err();
            let batch = match outcome {
                Ok(Some(batch)) => batch,
                Ok(None) => return,
                Err(panic) => Err(LoaderError::Panic {
                    step,
                    message: panic_message(&*panic).unwrap_or("no message").to_owned(),
                }),
            };
            let times = memory.clock.drain();
            if !self.producer.send(step, Finished { batch, times }) || panicked {
                return;
            }
        }
    }
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
            plan.augmentation.policy = Policy::Center {
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
