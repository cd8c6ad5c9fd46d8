//! Asks the system to read the next records ahead, on a thread of its own, since asking may wait for
//! the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::feed::Feed;
use super::plan::{EpochPlan, Plan};
use crate::error::LoaderError;
use crate::order::SampleOrder;

/// Bytes of records that are requested beyond the batches that threads work on: enough to keep a disk
/// that reads several gigabytes a second busy through an interruption of a tenth of a second.
const BYTES_AHEAD: u64 = 256 << 20;

pub(crate) struct ReadAhead {
    /// `None` only while it is dropped.
    steps: Option<Sender<u64>>,
    distance: u64,
    cancelled: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ReadAhead {
    /// Starts requesting the records of the batches from `first` on, if the plan wants that.
    pub(crate) fn start(
        plan: &Arc<Plan>,
        epoch: &Arc<EpochPlan>,
        feed: &Arc<Feed>,
        first: u64,
    ) -> Result<Option<Self>, LoaderError> {
        if !plan.wants_advice() {
            return Ok(None);
        }
        let sampler = &plan.sampler;
        let shards: u64 = plan.mix.datasets().iter().map(|part| part.bytes()).sum();
        let samples: u64 = plan
            .mix
            .datasets()
            .iter()
            .map(|part| part.whole_len())
            .sum();
        let record = (shards / samples.max(1)).max(1);
        let batch = sampler.batch_size.min(sampler.samples);
        // A group is read as a whole, so the next one must be requested while this one is used.
        let window = match epoch.order.single() {
            Some(SampleOrder::Blocks(_)) => {
                2 * sampler.order.window(sampler.samples).div_ceil(batch)
            }
            _ => 0,
        };
        let working = (plan.threads + plan.prefetch) as u64;
        let distance = working + window.max((BYTES_AHEAD / (batch * record)).clamp(1, 64));
        let (steps, receiver) = bounded(distance as usize + 1);
        let cancelled = Arc::new(AtomicBool::new(false));
        let mut requests = Requests {
            plan: Arc::clone(plan),
            epoch: Arc::clone(epoch),
            feed: Arc::clone(feed),
            cancelled: Arc::clone(&cancelled),
            requested: 0,
        };
        let builder = std::thread::Builder::new().name("loader-ahead".to_owned());
        let thread = builder
            .spawn(move || requests.run(&receiver))
            .map_err(LoaderError::Thread)?;
        let mut ahead = Self {
            steps: Some(steps),
            distance,
            cancelled,
            thread: Some(thread),
        };
        for step in first..first + distance {
            ahead.send(step);
        }
        Ok(Some(ahead))
    }

    /// Says that the consumer has received the batch with number `step`.
    pub(crate) fn advance(&mut self, step: u64) {
        self.send(step + self.distance);
    }

    fn send(&mut self, step: u64) {
        if let Some(steps) = &self.steps {
            // If the thread lags behind, records are read later and nothing else happens.
            let _ = steps.try_send(step);
        }
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.steps = None;
        if let Some(thread) = self.thread.take() {
            // Reading ahead changes no batch, so a panic here is not reported as an error.
            let _ = thread.join();
        }
    }
}

struct Requests {
    plan: Arc<Plan>,
    epoch: Arc<EpochPlan>,
    feed: Arc<Feed>,
    cancelled: Arc<AtomicBool>,
    /// Places below this were requested: the end of the last group of blocks.
    requested: u64,
}

impl Requests {
    fn run(&mut self, steps: &Receiver<u64>) {
        for step in steps {
            let places = self.epoch.places(&self.plan, step);
            let end = places.end.min(self.epoch.order.samples());
            for place in places.start..end {
                if self.cancelled.load(Ordering::Relaxed) {
                    return;
                }
                self.request(place);
            }
        }
    }

    /// Requests the record at a place, or the whole group of blocks that it belongs to.
    fn request(&mut self, place: u64) {
        let order = &self.epoch.order;
        let Some(SampleOrder::Blocks(blocks)) = order.single() else {
            let draw = order.draw(place);
            let part = &self.plan.mix.datasets()[draw.part];
            part.will_need(draw.sample, 1, self.feed.part(draw.part));
            return;
        };
        if place < self.requested {
            return;
        }
        let group = blocks.group(place);
        self.requested = group.end;
        let dataset = self.plan.mix.first();
        for (first, len) in blocks.runs(group) {
            if self.cancelled.load(Ordering::Relaxed) {
                return;
            }
            dataset.will_need(first, len, self.feed.part(0));
        }
    }
}
