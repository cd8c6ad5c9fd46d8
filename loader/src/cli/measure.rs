//! Measures one row: whole epochs, warm, cold, or beside a consumer that takes its time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use shardmill_loader::{
    Dataset, Loader, MemoryLimits, Meter, Normalize, Policy, anonymous_rss, cpu_time,
};

use super::args::{BenchArgs, Row};
use super::disk;

/// Passes that are made at least.
const PASSES: usize = 3;
/// Batches after which memory is looked at again, since that takes a moment.
const LOOK: u64 = 8;

/// What the passes of a row gave.
pub(crate) struct Measured {
    pub(crate) codec: shardmill_formats::Codec,
    pub(crate) crop: u32,
    /// Images a second of each pass, in ascending order.
    pub(crate) rates: Vec<f64>,
    pub(crate) images: u64,
    /// Bytes of pixels of an image in a batch.
    pub(crate) image_bytes: usize,
    pub(crate) cpu: Option<Duration>,
    /// Most memory beyond the page cache, in bytes.
    pub(crate) memory: Option<u64>,
    pub(crate) buffer_bytes: usize,
    pub(crate) limits: MemoryLimits,
    /// The counted passes together.
    pub(crate) meter: Meter,
    /// Shards' bytes a second of each pass, and of plain reading, in ascending order.
    pub(crate) disk: Option<(Vec<f64>, Vec<f64>)>,
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
    let mut dataset = Dataset::open(&row.shards, &args.split)?;
    if let Some(pause) = pause {
        dataset = lengthened(&dataset, args.batch_size, pause, duration)?;
    }
    let (codec, shape) = (dataset.codec(), dataset.shape());
    let crop = args
        .crop
        .unwrap_or_else(|| shape.height.min(shape.width).min(224));
    let loader = build(args, row, dataset.clone(), crop)?;
    let limits = MemoryLimits::measure(row.threads.max(1)).context("the memory's limits")?;
    let mut bench = Bench::new(pause.unwrap_or(Duration::ZERO));
    let mut disk = None;
    let buffer_bytes = loader.epoch(0).buffer_bytes();
    if args.cold {
        drop((loader, dataset));
        let files = disk::files(&row.shards, &args.split)?;
        let (mut plain, mut shards) = (Vec::new(), Vec::new());
        let start = Instant::now();
        while shards.len() < PASSES || start.elapsed() < duration {
            disk::drop_cache(&files)?;
            plain.push(disk::read(&files, row.threads)?);
            disk::drop_cache(&files)?;
            // Opened anew, so that nothing is mapped while the cache is dropped.
            let dataset = Dataset::open(&row.shards, &args.split)?;
            let loader = build(args, row, dataset, crop)?;
            let seconds = bench.pass(&loader, shards.len() as u64)?;
            shards.push(disk::bytes(&files)? as f64 / seconds);
        }
        plain.sort_by(f64::total_cmp);
        shards.sort_by(f64::total_cmp);
        disk = Some((shards, plain));
    } else {
        let mut first = Bench::new(Duration::ZERO);
        first.pass(&loader, 0)?;
        let start = Instant::now();
        let passes = if pause.is_some() { 1 } else { PASSES };
        while bench.rates.len() < passes || start.elapsed() < duration {
            bench.pass(&loader, 1 + bench.rates.len() as u64)?;
        }
    }
    bench.rates.sort_by(f64::total_cmp);
    Ok(Measured {
        codec,
        crop,
        rates: bench.rates,
        images: bench.images,
        image_bytes: bench.image_bytes,
        cpu: bench.cpu,
        memory: bench.memory,
        buffer_bytes,
        limits,
        meter: bench.meter,
        disk,
    })
}

fn build(args: &BenchArgs, row: &Row, dataset: Dataset, crop: u32) -> Result<Loader> {
    let has_statistics = dataset.manifest().statistics.is_some();
    let loader = Loader::builder(dataset)
        .batch_size(args.batch_size)
        .threads(row.threads)
        .policy(Policy::Train {
            crop,
            flip: true,
            color_std: if has_statistics { 0.1 } else { 0.0 },
        })
        .normalize(Normalize {
            mean: [123.675, 116.28, 103.53],
            std: [58.395, 57.12, 57.375],
        })
        .output(row.output.into())
        .layout(row.layout.into())
        .order(row.order.into())
        .verify(row.verify.into())
        .advice(row.advice.into())
        .build()?;
    Ok(loader)
}

/// The dataset as often as an epoch takes that lasts `duration`: a short one would show little but
/// its first batch, for which nobody can help waiting.
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

/// The passes so far.
struct Bench {
    pause: Duration,
    rates: Vec<f64>,
    images: u64,
    image_bytes: usize,
    cpu: Option<Duration>,
    memory: Option<u64>,
    meter: Meter,
}

impl Bench {
    fn new(pause: Duration) -> Self {
        Self {
            pause,
            rates: Vec::new(),
            images: 0,
            image_bytes: 0,
            cpu: Some(Duration::ZERO),
            memory: None,
            meter: Meter::default(),
        }
    }

    /// Reads an epoch; the consumer looks at each batch and waits for the pause. Gives the seconds.
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
        let seconds = start.elapsed().as_secs_f64();
        let used = cpu.and_then(|before| Some(cpu_time()?.saturating_sub(before)));
        self.cpu = self.cpu.zip(used).map(|(sum, used)| sum + used);
        self.rates.push(images as f64 / seconds);
        self.images += images;
        self.meter.merge(batches.meter());
        Ok(seconds)
    }
}
