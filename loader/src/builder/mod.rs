//! The settings of a loader, and the loader that they make.

mod checks;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::augment::{Augmentation, ColorNoise};
use crate::data::{Advice, BadRecord, Mix, ShardRuns, Verify};
use crate::error::LoaderError;
use crate::loader::Loader;
use crate::order::{Order, Pattern, Sampler};
use crate::pipeline::{
    Around, Normalization, Plan, Pool, Sample, Sessions, Transform, check_memory,
};
use crate::process::available_memory;
use crate::settings::{ColorJitter, LastBatch, Layout, Normalize, Output, Policy};

/// Settings of a [`Loader`].
#[derive(Clone)]
#[must_use]
pub struct LoaderBuilder {
    mix: Mix,
    batch_size: usize,
    seed: u64,
    threads: usize,
    prefetch: usize,
    policy: Policy,
    draw_every: u64,
    views: usize,
    jitter: Option<ColorJitter>,
    normalize: Normalize,
    output: Output,
    layout: Layout,
    last: LastBatch,
    order: Order,
    verify: Verify,
    on_bad_record: BadRecord,
    advice: Advice,
    transform: Option<Transform>,
    around_threads: Option<Around>,
    rank: usize,
    ranks: usize,
    uneven: bool,
}

impl Loader {
    /// The settings of a loader of a dataset, or of a mix of several; [`LoaderBuilder::build`] makes
    /// the loader.
    pub fn builder(data: impl Into<Mix>) -> LoaderBuilder {
        LoaderBuilder::new(data.into())
    }
}

impl LoaderBuilder {
    fn new(mix: Mix) -> Self {
        Self {
            mix,
            batch_size: 128,
            seed: 0,
            threads: 1,
            prefetch: 1,
            policy: Policy::Train {
                crop: 224,
                flip: true,
                color_std: 0.1,
            },
            draw_every: 1,
            views: 1,
            jitter: None,
            normalize: Normalize::none(),
            output: Output::F32,
            layout: Layout::Nhwc,
            last: LastBatch::Keep,
            order: Order::Global,
            verify: Verify::FirstRead,
            on_bad_record: BadRecord::Stop,
            advice: Advice::Auto,
            transform: None,
            around_threads: None,
            rank: 0,
            ranks: 1,
            uneven: false,
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

    /// Worker threads; 1 unless set, and no more than an epoch has batches. With 0, the thread that
    /// asks for a batch makes it.
    pub const fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Batches that may be ready and waiting, besides those that threads work on; 1 unless set. A
    /// loader of two threads then holds at most four batches, including the consumer's.
    pub const fn prefetch(mut self, batches: usize) -> Self {
        self.prefetch = batches;
        self
    }

    /// How samples become rows: the paper's training augmentation with a window of 224 unless set.
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How many consecutive images of an epoch's order share a window and a reflection, for the
    /// training policies; 1 unless set, so that each sample has its own.
    ///
    /// With more, (seed, epoch, `p / images`) determine window and reflection of the image at place
    /// `p` of the epoch, over all ranks and batches. Colour noise and
    /// [`color_jitter`](Self::color_jitter) are still drawn for each sample. The run behind the AlexNet
    /// paper's figures drew once for 32 images.
    pub const fn draw_every(mut self, images: u64) -> Self {
        self.draw_every = images;
        self
    }

    /// How many independent augmentations of every sample a batch holds, for the training policies; 1
    /// unless set. Contrastive learning needs 2.
    ///
    /// The record is read, decoded and given to the [`transform`](Self::transform) once. The rows of
    /// sample `i` of a batch are `i * views` to `(i + 1) * views`; the first of them is the row that a
    /// loader with one view gives. (seed, epoch, sample, `k`) determine window, reflection, colour
    /// noise and [`color_jitter`](Self::color_jitter) of view `k`. With
    /// [`draw_every`](Self::draw_every), images that share a window share the window of each view.
    pub const fn views(mut self, views: usize) -> Self {
        self.views = views;
        self
    }

    /// Random changes of colour, for the training policies; none unless set.
    pub const fn color_jitter(mut self, jitter: ColorJitter) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// Mean and standard deviation; [`Normalize::none`] unless set.
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

    /// What happens to an incomplete last batch; [`LastBatch::Keep`] unless set.
    pub const fn last_batch(mut self, last: LastBatch) -> Self {
        self.last = last;
        self
    }

    /// How an epoch's order is drawn: [`Order::Global`] unless set.
    pub const fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Short for [`order`](Self::order): [`Order::Global`], or [`Order::Sequential`].
    pub const fn shuffle(self, shuffle: bool) -> Self {
        self.order(if shuffle {
            Order::Global
        } else {
            Order::Sequential
        })
    }

    /// Whether records are compared with their checksums; [`Verify::FirstRead`] unless set.
    pub const fn verify(mut self, verify: Verify) -> Self {
        self.verify = verify;
        self
    }

    /// What happens when a record is damaged; [`BadRecord::Stop`] unless set.
    pub const fn on_bad_record(mut self, choice: BadRecord) -> Self {
        self.on_bad_record = choice;
        self
    }

    /// When the system is asked to read the next records ahead; [`Advice::Auto`] unless set.
    pub const fn advice(mut self, advice: Advice) -> Self {
        self.advice = advice;
        self
    }

    /// Applies a function to every decoded sample, before window, reflection and colour. Several of the
    /// loader's threads call it at the same time. A batch stays a function of (dataset, settings, seed,
    /// epoch, step) as long as the function takes its randomness from [`Sample::random`] and keeps
    /// nothing from one sample to the next. A second call replaces the function.
    ///
    /// An error or a panic of the function ends the epoch with an error.
    ///
    /// ```no_run
    /// # use shardmill_loader::{Dataset, Loader};
    /// # let dataset = Dataset::open("shards", "train")?;
    /// let loader = Loader::builder(dataset)
    ///     .transform(|sample| {
    ///         if sample.random().below(10) == 0 {
    ///             sample.pixels().fill(128);
    ///         }
    ///         Ok(())
    ///     })
    ///     .build()?;
    /// # Ok::<(), shardmill_loader::LoaderError>(())
    /// ```
    pub fn transform(
        mut self,
        function: impl Fn(&mut Sample<'_>) -> Result<(), Box<dyn Error + Send + Sync>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.transform = Some(Arc::new(function));
        self
    }

    /// Runs the work of each worker thread inside a function, which has to call its argument once. It is
    /// for what a [`transform`](Self::transform) needs for the life of a thread, such as an
    /// interpreter's state. The thread that asks for batches is never wrapped, not even with 0
    /// [`threads`](Self::threads).
    pub fn around_threads(
        mut self,
        function: impl Fn(&mut (dyn FnMut() + Send)) + Send + Sync + 'static,
    ) -> Self {
        self.around_threads = Some(Arc::new(function));
        self
    }

    /// Gives slice `rank` of `ranks` of every global batch.
    pub const fn rank(mut self, rank: usize, ranks: usize) -> Self {
        self.rank = rank;
        self.ranks = ranks;
        self.uneven = false;
        self
    }

    /// Gives slice `rank` of `ranks` of every global batch, of whatever size: as many samples as the
    /// others have, or one more for the first ranks. The last batch is kept, and a rank may have an
    /// empty share of it; there are as many batches on every rank. It is for a program that weighs its
    /// ranks by their samples, as the mean over a batch asks for.
    pub const fn uneven_rank(mut self, rank: usize, ranks: usize) -> Self {
        self = self.rank(rank, ranks).last_batch(LastBatch::Keep);
        self.uneven = true;
        self
    }

    /// Checks the settings against the dataset and makes the loader.
    ///
    /// # Errors
    /// An empty split, a window larger than the records, a batch size of zero or one that the ranks
    /// cannot share, colour noise without statistics, random settings of a policy that draws nothing,
    /// or batches that do not fit into memory.
    pub fn build(self) -> Result<Loader, LoaderError> {
        self.check()?;
        let statistics = self.mix.first().manifest().statistics.as_ref();
        let noise = self
            .policy
            .color_std()
            .filter(|std| *std > 0.0)
            .zip(statistics);
        let noise = noise.map(|(std, entry)| ColorNoise::new(&entry.statistics, std));
        let sampler = Sampler {
            samples: self.mix.len(),
            batch_size: self.batch_size as u64,
            last: self.last,
            order: self.order,
            seed: self.seed,
            rank: self.rank as u64,
            ranks: self.ranks as u64,
            draw_every: self.draw_every,
            pattern: Pattern::of(&self.mix, self.seed).map(Arc::new),
            runs: self.shard_runs().map(Arc::new),
        };
        let bytes: u64 = self.mix.datasets().iter().map(|part| part.bytes()).sum();
        // More threads than batches would have no work.
        let (threads, prefetch) = (
            self.threads.min(sampler.most_batches()),
            self.prefetch.min(sampler.most_batches()),
        );
        let available = available_memory();
        let plan = Plan {
            mix: self.mix,
            sampler,
            threads,
            prefetch,
            augmentation: Augmentation {
                policy: self.policy,
                views: self.views,
                jitter: self.jitter,
                noise,
            },
            output: self.output,
            layout: self.layout,
            normalization: Normalization::new(self.normalize),
            // Room for every buffer in use: one for each thread, the ready ones, the consumer's, and one
            // more for a consumer that drops its batch only when it has the next, as Python's loops do.
            pool: Pool::new(threads + prefetch + 2),
            verify: self.verify,
            on_bad_record: self.on_bad_record,
            advice: self.advice,
            beyond_memory: available.is_some_and(|memory| bytes > memory),
            warm: AtomicBool::new(false),
            transform: self.transform,
            around_threads: self.around_threads,
            sessions: Sessions::default(),
        };
        check_memory(&plan, available)?;
        Ok(Loader {
            plan: Arc::new(plan),
        })
    }

    /// The samples of each shard, if the order follows shards or a cache has to know them.
    fn shard_runs(&self) -> Option<ShardRuns> {
        let dataset = self.mix.first();
        let follows = match self.order {
            Order::Shards { .. } => true,
            Order::Sequential => dataset.remote().is_some(),
            Order::Global | Order::Blocks { .. } => false,
        };
        (follows && self.mix.datasets().len() == 1).then(|| dataset.shard_runs())
    }
}
