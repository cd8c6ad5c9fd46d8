//! Measures one row: whole epochs, warm, cold, or with a slow consumer.

use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use crate::process::{anonymous_rss, cpu_time};
use crate::{Dataset, Loader, Meter, Normalize};
use anyhow::{Context, Result, bail};
use shardmill_formats::errln;
use shardmill_kernels::MemoryLimits;

use super::args::{BenchArgs, Row, USUAL_THREADS};
use super::disk;
use super::remote::{Fetched, Watch};

/// Smallest number of passes.
const PASSES: usize = 3;
/// How often the memory bandwidth is measured during the passes; a measurement takes longer than a pass
/// over a small dataset.
const BETWEEN: u32 = 4;
/// Number of batches between two readings of the memory in use, which take time.
const LOOK: u64 = 8;

/// The result of the passes of a row.
pub(crate) struct Measured {
    pub(crate) codec: shardmill_formats::Codec,
    pub(crate) crop: u32,
    /// Images per second of each pass; this and all lists here are in ascending order.
    pub(crate) rates: Vec<f64>,
    pub(crate) images: u64,
    /// Bytes of an image in a batch.
    pub(crate) image_bytes: usize,
    pub(crate) cpu: Option<Duration>,
    /// Most memory beyond the page cache, in bytes.
    pub(crate) memory: Option<u64>,
    pub(crate) buffer_bytes: usize,
    /// Bytes per second that memory copies, the median of all measurements, and that it stores.
    pub(crate) copy_limit: f64,
    pub(crate) store_limits: Vec<f64>,
    /// Each pass's bytes as a share of the stores that memory reached in the last measurement before
    /// it and the first after it.
    pub(crate) shares: Vec<f64>,
    /// The sum over the counted passes.
    pub(crate) meter: Meter,
    /// Shard bytes per second of each pass, and of plain reading.
    pub(crate) disk: Option<(Vec<f64>, Vec<f64>)>,
    /// What came from an object store.
    pub(crate) fetched: Option<Fetched>,
}

pub(crate) fn measure(args: &BenchArgs, row: &Row) -> Result<Measured> {
    let duration = Duration::try_from_secs_f64(args.seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .context("--seconds: give a time above zero")?;
    let pause = args
        .consumer_ms
        .map(|ms| Duration::try_from_secs_f64(ms / 1e3));
    let pause = pause
        .transpose()
        .context("--consumer-ms: give a time of zero or more")?;
    let mut watch = Watch::open(&row.shards, &args.split, &args.cache.options())?;
    if args.cold && watch.is_some() {
        bail!(
            "--cold is for a dataset in a folder: for one in an object store, give an empty --cache-dir"
        );
    }
    let mut dataset = Dataset::open_cached(&row.shards, &args.split, args.cache.options())?;
    if let Some(pause) = pause {
        dataset = lengthened(&dataset, args.batch_size, pause, duration)?;
    }
    let (codec, shape) = (dataset.codec(), dataset.shape());
    let crop = args
        .crop
        .unwrap_or_else(|| shape.height.min(shape.width).min(224));
    let loader = build(args, row, dataset.clone(), crop)?;
    let steps = loader.steps();
    if row.threads as u64 > steps && row.threads > USUAL_THREADS {
        let (batches, threads) = if steps == 1 {
            ("1 batch".to_owned(), "1 thread is".to_owned())
        } else {
            (format!("{steps} batches"), format!("{steps} threads are"))
        };
        errln!(
            "note: an epoch has {batches}, so {threads} started instead of {}",
            row.threads
        );
    }
    let mut bench = Bench::new(pause.unwrap_or(Duration::ZERO), row.threads);
    let mut disk = None;
    let buffer_bytes = loader.epoch(0).buffer_bytes();
    if args.cold {
        drop((loader, dataset));
        let files = disk::files(&row.shards, &args.split)?;
        let (mut plain, mut shards) = (Vec::new(), Vec::new());
        bench.limit()?;
        while shards.len() < PASSES || bench.time < duration {
            disk::drop_cache(&files)?;
            plain.push(disk::read(&files, row.threads)?);
            disk::drop_cache(&files)?;
            // Opened again, so that nothing is mapped while the cache is dropped.
            let dataset = Dataset::open_cached(&row.shards, &args.split, args.cache.options())?;
            let loader = build(args, row, dataset, crop)?;
            let seconds = bench.pass(&loader, shards.len() as u64)?;
            shards.push(disk::bytes(&files)? as f64 / seconds);
            drop(loader);
            bench.limit()?;
        }
        disk = Some((ascending(shards), ascending(plain)));
    } else {
        let mut first = Bench::new(Duration::ZERO, row.threads);
        let seconds = first.pass(&loader, 0)?;
        if let Some(watch) = &mut watch {
            watch.pass(first.images, seconds)?;
        }
        bench.limit()?;
        let passes = if pause.is_some() { 1 } else { PASSES };
        let mut measured = Duration::ZERO;
        loop {
            let before = bench.images;
            let seconds = bench.pass(&loader, 1 + bench.rates.len() as u64)?;
            if let Some(watch) = &mut watch {
                watch.pass(bench.images - before, seconds)?;
            }
            let ended = bench.rates.len() >= passes && bench.time >= duration;
            if ended || bench.time - measured >= duration / BETWEEN {
                bench.limit()?;
                measured = bench.time;
            }
            if ended {
                break;
            }
        }
    }
    let of = |value: fn(&MemoryLimits) -> f64| ascending(bench.limits.iter().map(value).collect());
    let copies = of(|limits| limits.copy);
    Ok(Measured {
        codec,
        crop,
        copy_limit: copies[copies.len() / 2],
        store_limits: of(|limits| limits.store),
        shares: ascending(bench.shares()),
        rates: ascending(bench.rates),
        images: bench.images,
        image_bytes: bench.image_bytes,
        cpu: bench.cpu,
        memory: bench.memory,
        buffer_bytes,
        meter: bench.meter,
        disk,
        fetched: watch.map(|watch| watch.finish(duration)).transpose()?,
    })
}

fn build(args: &BenchArgs, row: &Row, dataset: Dataset, crop: u32) -> Result<Loader> {
    let has_statistics = dataset.manifest().statistics.is_some();
    let color_std = if has_statistics { 0.1 } else { 0.0 };
    let mut builder = Loader::builder(dataset)
        .batch_size(args.batch_size)
        .threads(row.threads)
        .policy(row.policy.policy(crop, color_std))
        .normalize(Normalize {
            mean: [123.675, 116.28, 103.53],
            std: [58.395, 57.12, 57.375],
        })
        .output(row.output.into())
        .layout(row.layout.into())
        .order(row.order)
        .verify(row.verify.into())
        .advice(row.advice.into());
    if let Some(jitter) = row.jitter() {
        builder = builder.color_jitter(jitter);
    }
    Ok(builder.build()?)
}

/// The dataset repeated until an epoch lasts `duration`: in a short epoch the wait for the first batch,
/// which cannot be avoided, would count too much.
fn lengthened(
    dataset: &Dataset,
    batch_size: usize,
    pause: Duration,
    duration: Duration,
) -> Result<Dataset> {
    let batches = (duration.as_secs_f64() / pause.as_secs_f64().max(1e-3)).ceil();
    let samples = batches as u64 * batch_size as u64;
    let len = dataset.len();
    if len == 0 || samples <= len {
        return Ok(dataset.clone());
    }
    Ok(dataset.select((0..samples).map(|i| i % len))?)
}

fn ascending(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The passes so far.
struct Bench {
    pause: Duration,
    threads: usize,
    /// Total time of the passes.
    time: Duration,
    /// Measured before the first pass, after the last, and a few times between them: the memory of some
    /// machines has a faster and a slower state and changes between them within seconds.
    limits: Vec<MemoryLimits>,
    rates: Vec<f64>,
    /// How often the limits were measured before each pass.
    after: Vec<usize>,
    images: u64,
    image_bytes: usize,
    cpu: Option<Duration>,
    memory: Option<u64>,
    meter: Meter,
}

impl Bench {
    fn new(pause: Duration, threads: usize) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            pause,
            // More threads than cores write no more to memory, and need more of it.
            threads: threads.clamp(1, cores),
            time: Duration::ZERO,
            limits: Vec::new(),
            rates: Vec::new(),
            after: Vec::new(),
            images: 0,
            image_bytes: 0,
            cpu: Some(Duration::ZERO),
            memory: None,
            meter: Meter::default(),
        }
    }

    /// Reads an epoch; the consumer reads each batch and then pauses. Returns the seconds.
    fn pass(&mut self, loader: &Loader, epoch: u64) -> Result<f64> {
        let (start, cpu) = (Instant::now(), cpu_time());
        let mut batches = loader.epoch(epoch);
        let mut images = 0;
        for batch in &mut batches {
            let batch = batch?;
            images += batch.len() as u64;
            self.image_bytes = batch.image_bytes().len() / batch.len().max(1);
            std::hint::black_box(batch.image_bytes().first());
            if batch.step() % LOOK == 0 {
                self.memory = self.memory.max(anonymous_rss());
            }
            std::thread::sleep(self.pause);
        }
        let time = start.elapsed();
        self.time += time;
        let seconds = time.as_secs_f64();
        let used = cpu.and_then(|before| Some(cpu_time()?.saturating_sub(before)));
        self.cpu = self.cpu.zip(used).map(|(sum, used)| sum + used);
        self.rates.push(images as f64 / seconds);
        self.after.push(self.limits.len());
        self.images += images;
        self.meter.merge(batches.meter());
        Ok(seconds)
    }

    /// Measures the memory bandwidth on the same number of threads.
    fn limit(&mut self) -> Result<()> {
        let limits =
            MemoryLimits::measure(self.threads).context("cannot measure the memory bandwidth")?;
        self.limits.push(limits);
        Ok(())
    }

    fn shares(&self) -> Vec<f64> {
        let shares = self.rates.iter().zip(&self.after).map(|(rate, &after)| {
            let [before, behind] = [after - 1, after].map(|i| self.limits[i].store);
            rate * self.image_bytes as f64 / f64::midpoint(before, behind)
        });
        shares.collect()
    }
}
