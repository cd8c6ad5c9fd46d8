//! A dataset, and what its batches look like.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use shardmill_formats::{Decoder, Philox, Stream};

use crate::augment::kernel::Kernel;
use crate::augment::{Canvas, ColorNoise};
use crate::batch::Buffers;
use crate::dataset::Dataset;
use crate::epoch::Epoch;
use crate::error::LoaderError;
use crate::sampler::Sampler;
use crate::settings::{ColorJitter, LastBatch, Layout, Normalize, Output, Policy};

/// Batches from this size on, in bytes, are written around the caches: they would not stay in them
/// until the consumer comes.
const STREAMED: usize = 16 << 20;

/// Largest side that windows are resized to, in pixels: 16 times what networks of today take.
const LARGEST_RESIZED: u32 = 8192;

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
    pub(crate) dataset: Dataset,
    pub(crate) sampler: Sampler,
    pub(crate) threads: usize,
    pub(crate) prefetch: usize,
    pub(crate) policy: Policy,
    pub(crate) output: Output,
    pub(crate) layout: Layout,
    pub(crate) noise: Option<ColorNoise>,
    pub(crate) jitter: Option<ColorJitter>,
    /// Buffers that no batch uses, kept from one epoch to the next.
    pub(crate) pool: (Sender<Buffers>, Receiver<Buffers>),
    /// `1 / std` and `-mean / std`, in f64: rounded to f32 once, with the colour noise added.
    pub(crate) scale: [f64; 3],
    pub(crate) offset: [f64; 3],
}

impl Loader {
    /// Begins a loader of `dataset`; [`LoaderBuilder::build`] ends it.
    pub fn builder(dataset: Dataset) -> LoaderBuilder {
        LoaderBuilder::new(dataset)
    }

    /// The batches of an epoch, from the first.
    #[must_use]
    pub fn epoch(&self, epoch: u64) -> Epoch {
        Epoch::new(Arc::clone(&self.plan), epoch)
    }

    /// Number of batches of an epoch, the same for every rank.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.plan.sampler.steps()
    }

    /// The dataset.
    #[must_use]
    pub fn dataset(&self) -> &Dataset {
        &self.plan.dataset
    }
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader")
            .field("sampler", &self.plan.sampler)
            .finish_non_exhaustive()
    }
}

/// Settings of a [`Loader`].
#[derive(Clone)]
#[must_use]
pub struct LoaderBuilder {
    dataset: Dataset,
    batch_size: usize,
    seed: u64,
    threads: usize,
    prefetch: usize,
    policy: Policy,
    jitter: Option<ColorJitter>,
    normalize: Normalize,
    output: Output,
    layout: Layout,
    last: LastBatch,
    shuffle: bool,
    rank: usize,
    ranks: usize,
}

impl LoaderBuilder {
    fn new(dataset: Dataset) -> Self {
        Self {
            dataset,
            batch_size: 128,
            seed: 0,
            threads: 1,
            prefetch: 2,
            policy: Policy::Train {
                crop: 224,
                flip: true,
                color_std: 0.1,
            },
            jitter: None,
            normalize: Normalize::none(),
            output: Output::F32,
            layout: Layout::Nhwc,
            last: LastBatch::Keep,
            shuffle: true,
            rank: 0,
            ranks: 1,
        }
    }

    /// Samples of the *global* batch, over all ranks. 128 unless set.
    pub const fn batch_size(mut self, samples: usize) -> Self {
        self.batch_size = samples;
        self
    }

    /// Seed of order and augmentation. 0 unless set.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Worker threads. With 0 a batch is made when it is asked for, by the thread that asks. 1
    /// unless set.
    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Batches that may be ready and waiting, beyond those that threads work on. 2 unless set.
    pub const fn prefetch(mut self, batches: usize) -> Self {
        self.prefetch = batches;
        self
    }

    /// How samples become rows: the paper's training augmentation with a window of 224 unless set.
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Random changes of colour, with the policies for training; none unless set.
    pub const fn color_jitter(mut self, jitter: ColorJitter) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// Mean and deviation; neither unless set.
    pub const fn normalize(mut self, normalize: Normalize) -> Self {
        self.normalize = normalize;
        self
    }

    /// Type of the values: f32 unless set.
    pub const fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// Order of the axes: NHWC unless set.
    pub const fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// What becomes of the last batch: kept, smaller, unless set.
    pub const fn last_batch(mut self, last: LastBatch) -> Self {
        self.last = last;
        self
    }

    /// Whether an epoch's order is drawn by the seed, or is the dataset's. Drawn unless set.
    pub const fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// Gives slice `rank` of `ranks` of every global batch.
    pub const fn rank(mut self, rank: usize, ranks: usize) -> Self {
        self.rank = rank;
        self.ranks = ranks;
        self
    }

    /// Checks the settings against the dataset.
    ///
    /// # Errors
    /// An empty split, a window larger than the records, a batch size of zero or one that the ranks
    /// cannot share, colour noise without statistics.
    pub fn build(self) -> Result<Loader, LoaderError> {
        let wrong = |what, found: String, advice: &str| {
            Err(LoaderError::Setting {
                what,
                found,
                advice: advice.to_owned(),
            })
        };
        let shape = self.dataset.shape();
        let (crop, smallest) = (self.policy.crop(), shape.height.min(shape.width));
        if self.dataset.is_empty() {
            return wrong(
                "the number of samples",
                "0".to_owned(),
                "nothing can be loaded from an empty split",
            );
        }
        let smallest = if self.policy.resizes() {
            LARGEST_RESIZED
        } else {
            smallest
        };
        if crop == 0 || crop > smallest {
            let advice = if self.policy.resizes() {
                format!("choose 1 to {smallest}")
            } else {
                format!("records are {shape}, so choose 1 to {smallest}")
            };
            return wrong("the window's side", crop.to_string(), &advice);
        }
        if self.batch_size == 0 {
            return wrong("the batch size", "0".to_owned(), "choose at least 1");
        }
        if self.ranks == 0 || self.rank >= self.ranks {
            return wrong(
                "the rank",
                format!("{} of {}", self.rank, self.ranks),
                "ranks count from 0 and end below their number",
            );
        }
        if !self.batch_size.is_multiple_of(self.ranks) {
            let advice = format!(
                "the global batch is shared by {} ranks, so choose a multiple of that",
                self.ranks
            );
            return wrong("the batch size", self.batch_size.to_string(), &advice);
        }
        if self.ranks > 1 && self.last == LastBatch::Keep {
            return wrong(
                "the last batch",
                "kept".to_owned(),
                "ranks need equal batches: drop or pad it",
            );
        }
        if let Some((what, found, advice)) = unusable(self.policy, self.jitter) {
            return wrong(what, found, advice);
        }
        let noise = match self.policy.color_std() {
            Some(color_std) if color_std > 0.0 => match &self.dataset.manifest().statistics {
                Some(entry) => Some(ColorNoise::new(&entry.statistics, color_std)),
                None => {
                    let advice = "the manifest has no colour statistics: set it to 0, or ingest a training split";
                    return wrong("the colour noise", color_std.to_string(), advice);
                }
            },
            _ => None,
        };
        let Normalize { mean, std } = self.normalize;
        if std.iter().any(|s| !s.is_finite() || *s == 0.0) {
            return wrong(
                "the standard deviation",
                format!("{std:?}"),
                "it divides, so it must be finite and not 0",
            );
        }
        let scale = std.map(|s| 1.0 / f64::from(s));
        let sampler = Sampler {
            samples: self.dataset.len(),
            batch_size: self.batch_size as u64,
            last: self.last,
            shuffle: self.shuffle,
            seed: self.seed,
            rank: self.rank as u64,
            ranks: self.ranks as u64,
        };
        let plan = Plan {
            dataset: self.dataset,
            sampler,
            threads: self.threads,
            prefetch: self.prefetch,
            policy: self.policy,
            output: self.output,
            layout: self.layout,
            noise,
            jitter: self.jitter,
            // Room for every buffer that can be under way: one a thread, the ready ones, the consumer's.
            pool: bounded(self.threads + self.prefetch + 1),
            scale,
            offset: std::array::from_fn(|c| -f64::from(mean[c]) * scale[c]),
        };
        Ok(Loader {
            plan: Arc::new(plan),
        })
    }
}

/// What is wrong with the bounds of random windows and colours: which, found, advice.
fn unusable(
    policy: Policy,
    jitter: Option<ColorJitter>,
) -> Option<(&'static str, String, &'static str)> {
    if let Policy::RandomResizedCrop { scale, ratio, .. } = policy {
        if !(0.0 < scale.0 && scale.0 <= scale.1 && scale.1 <= 1.0) {
            let advice = "give the least share of a record's area, then the largest, up to 1";
            return Some(("the window's scale", format!("{scale:?}"), advice));
        }
        if !(0.0 < ratio.0 && ratio.0 <= ratio.1 && ratio.1.is_finite()) {
            let advice = "give the least ratio of width to height, then the largest";
            return Some(("the window's ratio", format!("{ratio:?}"), advice));
        }
    }
    let jitter = jitter?;
    if policy.color_std().is_none() {
        let advice = "it is for the policies for training: leave it out";
        return Some(("the colour jitter", "set".to_owned(), advice));
    }
    let factors = [jitter.brightness, jitter.contrast, jitter.saturation];
    if !factors.iter().all(|by| (0.0..f64::INFINITY).contains(by))
        || !(0.0..=0.5).contains(&jitter.hue)
    {
        let advice = "choose 0 or more for each part, and at most 0.5 for the hue";
        return Some(("the colour jitter", format!("{jitter:?}"), advice));
    }
    None
}

impl Plan {
    pub(crate) fn augment_philox(&self, epoch: u64) -> Philox {
        Philox::new(self.sampler.seed, Stream::Augment).derive(epoch)
    }

    /// Bytes of a full batch.
    pub(crate) fn batch_bytes(&self) -> usize {
        let places = self.sampler.places(0);
        let samples = (places.end - places.start) as usize;
        let rows = samples * self.policy.rows_per_sample();
        let crop = self.policy.crop() as usize;
        Buffers::bytes(samples, rows, crop * crop * 3, self.output)
    }

    pub(crate) fn worker_memory(&self) -> WorkerMemory {
        let shape = self.dataset.shape();
        WorkerMemory {
            decoder: Decoder::new(self.dataset.codec(), shape),
            record: vec![0; shape.bytes()],
            canvas: Canvas::default(),
            kernel: Kernel::new(self.batch_bytes() >= STREAMED),
        }
    }
}

/// What a thread keeps from one sample to the next.
pub(crate) struct WorkerMemory {
    pub(crate) decoder: Decoder,
    pub(crate) record: Vec<u8>,
    pub(crate) canvas: Canvas,
    pub(crate) kernel: Kernel,
}
