//! A dataset, and what its batches look like.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shardmill_formats::{Decoder, Philox, Stream};

use crate::augment::kernel::Kernel;
use crate::augment::{Canvas, ColorNoise};
use crate::batch::Buffers;
use crate::builder::LoaderBuilder;
use crate::classes;
use crate::dataset::Dataset;
use crate::epoch::Epoch;
use crate::meter::Clock;
use crate::mix::Mix;
use crate::pool::Pool;
use crate::reading::{Advice, BadRecord, Verify};
use crate::sampler::Sampler;
use crate::settings::{ColorJitter, Layout, Output, Policy};
use crate::transform::{Around, Transform};

/// Batches from this size on, in bytes, are written around the caches: they would not stay in them
/// until the consumer comes.
const STREAMED: usize = 16 << 20;

/// Streams a dataset as batches, epoch after epoch.
///
/// The global batch at a step is a pure function of (dataset, settings, seed, epoch, step): the
/// number of threads changes only how soon it is there.
#[derive(Clone)]
pub struct Loader {
    pub(crate) plan: Arc<Plan>,
}

/// Everything that a batch depends on, and how to make it.
pub(crate) struct Plan {
    pub(crate) mix: Mix,
    pub(crate) sampler: Sampler,
    pub(crate) threads: usize,
    pub(crate) prefetch: usize,
    pub(crate) policy: Policy,
    /// Independent augmentations of every sample.
    pub(crate) views: usize,
    pub(crate) output: Output,
    pub(crate) layout: Layout,
    pub(crate) noise: Option<ColorNoise>,
    pub(crate) jitter: Option<ColorJitter>,
    pub(crate) pool: Pool,
    /// `1 / std` and `-mean / std`, in f64: rounded to f32 once, with the colour noise added.
    pub(crate) scale: [f64; 3],
    pub(crate) offset: [f64; 3],
    pub(crate) verify: Verify,
    pub(crate) on_bad_record: BadRecord,
    pub(crate) advice: Advice,
    /// Whether the shards are larger than the memory that is available.
    pub(crate) beyond_memory: bool,
    /// Whether an epoch was read from its first batch to its last.
    pub(crate) warm: AtomicBool,
    pub(crate) transform: Option<Transform>,
    pub(crate) around_threads: Option<Around>,
}

impl Loader {
    /// Begins a loader of a dataset or a mix of several; [`LoaderBuilder::build`] ends it.
    pub fn builder(data: impl Into<Mix>) -> LoaderBuilder {
        LoaderBuilder::new(data.into())
    }

    /// The batches of an epoch, from the first.
    #[must_use]
    pub fn epoch(&self, epoch: u64) -> Epoch {
        self.epoch_from(epoch, 0)
    }

    /// The batches of what is left of an epoch of which `samples` samples were handed out already,
    /// over all ranks, by any loader of the same dataset, order and seed: with another batch size or
    /// another number of ranks too. [`Batch::samples_after`](crate::Batch::samples_after) gives the
    /// number to keep.
    ///
    /// The first batch begins at place `samples` of the epoch's order. Batches and steps, those of
    /// [`seek`](Epoch::seek) too, count from there. Every sample looks as in the whole epoch, and the
    /// last batch is kept, dropped or padded by what is left: padding still comes from the beginning
    /// of the epoch's order. With as many samples as the epoch has, or more, there is no batch.
    #[must_use]
    pub fn epoch_from(&self, epoch: u64, samples: u64) -> Epoch {
        Epoch::new(Arc::clone(&self.plan), epoch, samples)
    }

    /// Number of batches of an epoch, the same for every rank.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps_from(0)
    }

    /// Number of batches of [`epoch_from`](Self::epoch_from), the same for every rank.
    #[must_use]
    pub fn steps_from(&self, samples: u64) -> u64 {
        self.plan.sampler.steps(samples)
    }

    /// Number of samples of an epoch, over all ranks.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.plan.sampler.samples
    }

    /// Threads that an epoch starts, beside one for [`Advice`]: as many as were asked for, but no more
    /// than a whole epoch has batches. 0 if batches are made by the thread that asks for them.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.plan.threads
    }

    /// Batches that exist at once, at most: those that threads work on, those that are ready, and the
    /// consumer's one. Batches that the consumer keeps beside the last come on top.
    #[must_use]
    pub fn batches_under_way(&self) -> usize {
        self.plan.batches_under_way()
    }

    /// Bytes of a full batch of this rank: values, colour shifts, areas, labels and indices.
    #[must_use]
    pub fn batch_bytes(&self) -> usize {
        self.plan.batch_bytes()
    }

    /// Rows of a batch for each sample: the policy's, times the [`views`](LoaderBuilder::views).
    #[must_use]
    pub fn rows_per_sample(&self) -> usize {
        self.plan.rows_per_sample()
    }

    /// The dataset; of a mix, the first.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        self.plan.mix.first()
    }

    /// The datasets as they are mixed; it says what an index in a batch stands for.
    #[must_use]
    pub fn mix(&self) -> &Mix {
        &self.plan.mix
    }

    /// The number of distinct classes that a batch of this epoch is expected to hold, over all
    /// ranks: what an order of blocks costs, beside the same loader's global order. `None` for a mix
    /// of several datasets. It reads the label of every sample.
    #[must_use]
    pub fn expected_classes(&self, epoch: u64) -> Option<f64> {
        let order = self.plan.sampler.epoch(epoch, &self.plan.mix);
        classes::expected(&self.plan.sampler, &order, |i| self.dataset().label(i))
    }
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader")
            .field("sampler", &self.plan.sampler)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// What each view of an epoch is drawn by.
    pub(crate) fn view_philox(&self, epoch: u64) -> Box<[Philox]> {
        let first = Philox::new(self.sampler.seed, Stream::Augment).derive(epoch);
        let view = |k: u64| if k == 0 { first } else { first.derive(k) };
        (0..self.views as u64).map(view).collect()
    }

    /// Rows of a batch for each sample.
    pub(crate) const fn rows_per_sample(&self) -> usize {
        self.policy.rows_per_sample() * self.views
    }

    /// Whether the system is told what comes next.
    pub(crate) fn wants_advice(&self) -> bool {
        match self.advice {
            Advice::Never => false,
            Advice::Always => true,
            Advice::Auto => self.beyond_memory || !self.warm.load(Ordering::Relaxed),
        }
    }

    /// Batches that are there at once, at most: one for each thread, those that are ready, and the
    /// consumer's.
    pub(crate) fn batches_under_way(&self) -> usize {
        let most = self.threads.saturating_add(self.prefetch).saturating_add(1);
        most.min(steps(&self.sampler))
    }

    /// Bytes of a full batch.
    pub(crate) fn batch_bytes(&self) -> usize {
        let places = self.sampler.places(0, 0);
        let samples = (places.end - places.start) as usize;
        let rows = samples.saturating_mul(self.rows_per_sample());
        let crop = self.policy.crop() as usize;
        Buffers::bytes(samples, rows, crop * crop * 3, self.output)
    }

    /// The memory of a thread that shares `pool` with others.
    pub(crate) fn worker_memory(&self, pool: Pool) -> WorkerMemory {
        let shape = self.mix.shape();
        WorkerMemory {
            decoder: Decoder::new(self.mix.codec(), shape),
            record: vec![0; shape.bytes()],
            canvas: Canvas::default(),
            kernel: Kernel::new(self.batch_bytes() >= STREAMED),
            clock: Clock::start(),
            pool,
        }
    }
}

/// Number of batches of an epoch, as a bound: at least 1.
pub(crate) fn steps(sampler: &Sampler) -> usize {
    usize::try_from(sampler.steps(0))
        .unwrap_or(usize::MAX)
        .max(1)
}

/// What a thread keeps from one sample to the next.
pub(crate) struct WorkerMemory {
    pub(crate) decoder: Decoder,
    pub(crate) record: Vec<u8>,
    pub(crate) canvas: Canvas,
    pub(crate) kernel: Kernel,
    pub(crate) clock: Clock,
    pub(crate) pool: Pool,
}
