//! One pass over a dataset: an iterator of batches.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::channel::POLL_INTERVAL;
use super::feed::Feed;
use super::fill::fill;
use super::meter::Meter;
use super::needs;
use super::plan::{EpochPlan, Plan, WorkerMemory};
use super::prefetch::Prefetch;
use crate::error::LoaderError;

/// The batches of one epoch, in order. Dropping it stops and joins its threads.
///
/// Every error but [`LoaderError::Stopped`] ends the epoch. After a `fork`, the threads of a running
/// epoch stay in the parent, and in the child its next batch is [`LoaderError::Forked`]. An epoch that
/// has given no batch yet, or that has no threads, works in both processes.
pub struct Epoch {
    plan: Arc<Plan>,
    epoch_plan: Arc<EpochPlan>,
    next: u64,
    end: u64,
    source: Source,
    /// What brings shards of object stores, once the source has started.
    feed: Option<Arc<Feed>>,
    meter: Meter,
    /// When the first batch was asked for.
    began: Option<Instant>,
    /// Whether every batch was read, from the epoch's first.
    whole: bool,
}

/// What makes the batches. Threads start with the first batch, so seeking before it costs nothing.
enum Source {
    Unstarted,
    Inline(Box<WorkerMemory>),
    Threads(Prefetch),
}

impl Epoch {
    /// From place `first` of the epoch's order on.
    pub(crate) fn new(plan: Arc<Plan>, epoch: u64, first: u64) -> Self {
        let first = first.min(plan.sampler.samples);
        let epoch_plan = EpochPlan {
            number: epoch,
            order: plan.sampler.epoch(epoch, &plan.mix),
            first,
            views: plan.augmentation.generators(plan.sampler.seed, epoch),
        };
        let end = plan.sampler.steps(first);
        let meter = Meter {
            threads: plan.threads,
            codec: Some(plan.mix.codec()),
            output: Some(plan.output),
            ..Meter::default()
        };
        Self {
            plan,
            epoch_plan: Arc::new(epoch_plan),
            next: 0,
            end,
            source: Source::Unstarted,
            feed: None,
            meter,
            began: None,
            whole: first == 0,
        }
    }

    /// Goes to the batch with number `step`, counted from where this epoch began. A number beyond the
    /// last batch ends the epoch.
    #[must_use]
    pub fn seek(mut self, step: u64) -> Self {
        self.stop();
        self.next = step.min(self.end);
        self.whole = false;
        self
    }

    /// Time that [`next`](Iterator::next) has made its caller wait so far.
    #[must_use]
    pub const fn waited(&self) -> Duration {
        self.meter.wait
    }

    /// Where the time has gone so far, and what limits the epoch.
    #[must_use]
    pub const fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Number of the next batch, counted from where this epoch began.
    #[must_use]
    pub const fn step(&self) -> u64 {
        self.next
    }

    /// Samples of the epoch, over all ranks, that come before the next batch: the number to keep for
    /// [`Loader::epoch_from`](crate::Loader::epoch_from). It includes those before the place where this
    /// epoch began, and no padding.
    #[must_use]
    pub fn samples_taken(&self) -> u64 {
        let first = self.epoch_plan.first;
        self.plan.sampler.before(first, self.next)
    }

    /// Most bytes of all batches that exist at once, for full batches.
    #[must_use]
    pub fn buffer_bytes(&self) -> usize {
        self.plan
            .batch_bytes()
            .saturating_mul(self.plan.batches_under_way())
    }

    /// [`next`](Iterator::next) for a caller that may be interrupted. While it waits it calls `stop`
    /// about every 25 ms, and returns [`LoaderError::Stopped`] once that returns `true`. The epoch is
    /// not over then: the next call gives the same batch. A batch that is ready is given without a
    /// call of `stop`.
    ///
    /// Without threads, `stop` is called between two samples. The next call begins a batch that was
    /// stopped again from its first sample.
    pub fn next_unless(&mut self, stop: &dyn Fn() -> bool) -> Option<Result<Batch, LoaderError>> {
        self.advance(Some(stop))
    }

    fn produce(&mut self, stop: Option<&dyn Fn() -> bool>) -> Result<Batch, LoaderError> {
        if matches!(self.source, Source::Unstarted) {
            let (plan, epoch_plan) = (&self.plan, &self.epoch_plan);
            let feed = Arc::new(needs::begin(plan, epoch_plan, self.next)?);
            self.feed = Some(Arc::clone(&feed));
            self.source = if plan.threads == 0 {
                Source::Inline(Box::new(plan.worker_memory(plan.pool.here(), feed)))
            } else {
                let steps = self.next..self.end;
                Source::Threads(Prefetch::start(plan, epoch_plan, &feed, steps)?)
            };
        }
        match &mut self.source {
            Source::Inline(memory) => {
                if !memory.feed.is_here() {
                    return Err(LoaderError::Forked { step: self.next });
                }
                memory.clock.restart();
                let buffers = memory.pool.acquire();
                let asked = Cell::new(Instant::now());
                let stopped = || {
                    stop.is_some_and(|stop| {
                        let due = asked.get().elapsed() >= POLL_INTERVAL;
                        due && {
                            asked.set(Instant::now());
                            stop()
                        }
                    })
                };
                let batch = fill(
                    &self.plan,
                    &self.epoch_plan,
                    self.next,
                    buffers,
                    memory,
                    &stopped,
                );
                self.meter.accumulate(&memory.clock.drain());
                batch.unwrap_or(Err(LoaderError::Stopped))
            }
            Source::Threads(prefetch) => prefetch.next(self.next, &mut self.meter, stop),
            Source::Unstarted => unreachable!("the source was started above"),
        }
    }

    /// Checks after the last batch that no shard was cut short since the last check.
    fn finish(&self, batch: Result<Batch, LoaderError>) -> Result<Batch, LoaderError> {
        for part in self.plan.mix.datasets() {
            part.check_lengths(true)?;
        }
        if self.whole {
            self.plan.warm.store(true, Ordering::Relaxed);
        }
        batch
    }

    /// Ends the threads, and then what brings their shards.
    fn stop(&mut self) {
        self.source = Source::Unstarted;
        if let Some(feed) = self.feed.take().and_then(Arc::into_inner) {
            feed.end(&self.plan.sessions);
        }
    }

    fn advance(&mut self, stop: Option<&dyn Fn() -> bool>) -> Option<Result<Batch, LoaderError>> {
        if self.next >= self.end {
            return None;
        }
        let start = Instant::now();
        let began = *self.began.get_or_insert(start);
        let mut batch = self.produce(stop);
        if batch.is_ok() && self.next + 1 == self.end {
            batch = self.finish(batch);
        }
        let now = Instant::now();
        self.meter.wait += now - start;
        self.meter.wall = now - began;
        match &batch {
            Ok(batch) => {
                self.next += 1;
                if let Some(feed) = &self.feed {
                    let first = self.epoch_plan.first;
                    feed.advance(self.plan.sampler.before(first, self.next));
                }
                self.meter.batches += 1;
                self.meter.samples += batch.len() as u64;
                self.meter.replaced += batch.replaced().len() as u64;
            }
            Err(LoaderError::Stopped) => {}
            Err(_) => {
                self.next = self.end;
                self.stop();
            }
        }
        Some(batch)
    }
}

impl Iterator for Epoch {
    type Item = Result<Batch, LoaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance(None)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Epoch {}

impl Drop for Epoch {
    fn drop(&mut self) {
        self.stop();
    }
}
