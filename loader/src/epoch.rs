//! One pass over a dataset: an iterator of batches.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::error::LoaderError;
use crate::fill::{EpochPlan, fill};
use crate::loader::{Plan, WorkerMemory};
use crate::prefetch::Prefetch;

/// The batches of one epoch, in order. Dropping it stops and joins its threads.
///
/// After an error the epoch is over.
pub struct Epoch {
    plan: Arc<Plan>,
    epoch_plan: Arc<EpochPlan>,
    next: u64,
    end: u64,
    source: Source,
    waited: Duration,
}

/// Who makes the batches. Threads start with the first batch, so seeking before costs nothing.
enum Source {
    Unstarted,
    Inline(Box<WorkerMemory>),
    Threads(Prefetch),
}

impl Epoch {
    pub(crate) fn new(plan: Arc<Plan>, epoch: u64) -> Self {
        let epoch_plan = EpochPlan {
            order: plan.sampler.order(epoch),
            philox: plan.augment_philox(epoch),
        };
        let end = plan.sampler.steps();
        Self {
            plan,
            epoch_plan: Arc::new(epoch_plan),
            next: 0,
            end,
            source: Source::Unstarted,
            waited: Duration::ZERO,
        }
    }

    /// Goes to the batch with number `step`, wherever the epoch is; beyond the last there is none.
    #[must_use]
    pub fn seek(mut self, step: u64) -> Self {
        self.source = Source::Unstarted;
        self.next = step.min(self.end);
        self
    }

    /// Time that [`next`](Iterator::next) kept its caller waiting so far.
    #[must_use]
    pub const fn waited(&self) -> Duration {
        self.waited
    }

    /// Number of the next batch.
    #[must_use]
    pub const fn step(&self) -> u64 {
        self.next
    }

    /// Bytes of all batches that are under way at once, at most, for batches of full size.
    #[must_use]
    pub fn buffer_bytes(&self) -> usize {
        self.plan.batch_bytes() * (self.plan.threads + self.plan.prefetch + 1)
    }

    fn produce(&mut self) -> Result<Batch, LoaderError> {
        if matches!(self.source, Source::Unstarted) {
            self.source = if self.plan.threads == 0 {
                Source::Inline(Box::new(self.plan.worker_memory()))
            } else {
                let (plan, epoch_plan) = (Arc::clone(&self.plan), Arc::clone(&self.epoch_plan));
                Source::Threads(Prefetch::start(plan, epoch_plan, self.next, self.end)?)
            };
        }
        match &mut self.source {
            Source::Inline(memory) => {
                let buffers = self.plan.pool.1.try_recv().unwrap_or_default();
                let never = AtomicBool::new(false);
                fill(
                    &self.plan,
                    &self.epoch_plan,
                    self.next,
                    buffers,
                    memory,
                    &never,
                )
                .expect("nobody cancels inline work")
            }
            Source::Threads(prefetch) => prefetch.next(self.next),
            Source::Unstarted => unreachable!("the source was started above"),
        }
    }
}

impl Iterator for Epoch {
    type Item = Result<Batch, LoaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let start = Instant::now();
        let batch = self.produce();
        self.waited += start.elapsed();
        if batch.is_ok() {
            self.next += 1;
        } else {
            self.next = self.end;
            self.source = Source::Unstarted;
        }
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Epoch {}
