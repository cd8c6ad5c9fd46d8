//! What a loader makes batches from, and what an epoch and a thread add to it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shardmill_formats::{Decoder, Philox};
use shardmill_kernels::{Affine, Canvas, Kernel, Resize};

use super::buffers::Buffers;
use super::feed::{Feed, Sessions};
use super::meter::Clock;
use super::pool::Pool;
use super::transform::{Around, Transform};
use crate::augment::{Augmentation, View};
use crate::data::{Advice, BadRecord, Mix, Verify};
use crate::order::{EpochOrder, Sampler};
use crate::settings::{Layout, Normalize, Output};

/// Batches of at least this many bytes are written around the caches, since they would not stay in
/// them until the consumer reads them.
const STREAMED: usize = 16 << 20;

/// Everything that a batch depends on, and how to make it.
pub(crate) struct Plan {
    pub(crate) mix: Mix,
    pub(crate) sampler: Sampler,
    pub(crate) threads: usize,
    pub(crate) prefetch: usize,
    pub(crate) augmentation: Augmentation,
    pub(crate) output: Output,
    pub(crate) layout: Layout,
    pub(crate) pool: Pool,
    pub(crate) normalization: Normalization,
    pub(crate) verify: Verify,
    pub(crate) on_bad_record: BadRecord,
    pub(crate) advice: Advice,
    /// Whether the shards are larger than the available memory.
    pub(crate) beyond_memory: bool,
    /// Whether an epoch has been read from its first batch to its last.
    pub(crate) warm: AtomicBool,
    pub(crate) transform: Option<Transform>,
    pub(crate) around_threads: Option<Around>,
    /// Of the caches that bring shards of object stores.
    pub(crate) sessions: Sessions,
}

impl Plan {
    /// Whether the system is asked to read the next records ahead.
    pub(crate) fn wants_advice(&self) -> bool {
        match self.advice {
            Advice::Never => false,
            Advice::Always => true,
            Advice::Auto => self.beyond_memory || !self.warm.load(Ordering::Relaxed),
        }
    }

    /// Most batches that exist at once: one for each thread, those that are ready, and the consumer's.
    pub(crate) fn batches_under_way(&self) -> usize {
        let most = self.threads.saturating_add(self.prefetch).saturating_add(1);
        most.min(self.sampler.most_batches())
    }

    /// Bytes of a full batch.
    pub(crate) fn batch_bytes(&self) -> usize {
        let places = self.sampler.places(0, 0);
        let samples = (places.end - places.start) as usize;
        let rows = samples.saturating_mul(self.augmentation.rows_per_sample());
        let crop = self.augmentation.policy.crop() as usize;
        Buffers::bytes(samples, rows, crop * crop * 3, self.output)
    }

    /// The memory of a thread that shares `pool` and `feed` with others.
    pub(crate) fn worker_memory(&self, pool: Pool, feed: Arc<Feed>) -> WorkerMemory {
        let shape = self.mix.shape();
        WorkerMemory {
            decoder: Decoder::new(self.mix.codec(), shape),
            record: vec![0; shape.bytes()],
            views: Vec::new(),
            row: RowMemory {
                canvas: Canvas::default(),
                resize: Resize::default(),
                kernel: Kernel::new(self.batch_bytes() >= STREAMED),
            },
            clock: Clock::start(),
            pool,
            feed,
        }
    }
}

/// What a worker keeps from one sample to the next.
pub(crate) struct WorkerMemory {
    pub(crate) decoder: Decoder,
    pub(crate) record: Vec<u8>,
    /// What is shown of the sample under way.
    pub(crate) views: Vec<View>,
    pub(crate) row: RowMemory,
    pub(crate) clock: Clock,
    pub(crate) pool: Pool,
    pub(crate) feed: Arc<Feed>,
}

/// What a worker keeps from one row to the next.
pub(crate) struct RowMemory {
    pub(crate) canvas: Canvas,
    pub(crate) resize: Resize,
    pub(crate) kernel: Kernel,
}

/// How values are normalised: `1 / std` and `-mean / std`, in f64, since they are rounded to f32 once,
/// with the colour noise added.
pub(crate) struct Normalization {
    scale: [f64; 3],
    offset: [f64; 3],
}

impl Normalization {
    pub(crate) fn new(normalize: Normalize) -> Self {
        let Normalize { mean, std } = normalize;
        let scale = std.map(|s| 1.0 / f64::from(s));
        Self {
            scale,
            offset: std::array::from_fn(|c| -f64::from(mean[c]) * scale[c]),
        }
    }

    /// A shift on the 0-255 scale as one of normalised values.
    pub(crate) fn shift(&self, shift: [f64; 3]) -> [f64; 3] {
        std::array::from_fn(|c| shift[c] * self.scale[c])
    }

    /// What the kernel does, `shift` of [`shift`](Self::shift) included.
    pub(crate) fn affine(&self, shift: [f64; 3]) -> Affine {
        Affine {
            scale: self.scale.map(|s| s as f32),
            offset: std::array::from_fn(|c| (self.offset[c] + shift[c]) as f32),
        }
    }
}

/// One epoch's randomness.
pub(crate) struct EpochPlan {
    pub(crate) number: u64,
    pub(crate) order: EpochOrder,
    /// Place in the order at which the first batch begins.
    pub(crate) first: u64,
    /// The random numbers of each view of a sample.
    pub(crate) views: Box<[Philox]>,
}

impl EpochPlan {
    /// Places in the order of this rank's share of a batch.
    pub(crate) fn places(&self, plan: &Plan, step: u64) -> Range<u64> {
        plan.sampler.places(self.first, step)
    }
}
