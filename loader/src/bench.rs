//! How fast a dataset can be loaded on this machine.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::augment::MemoryLimits;
use crate::error::LoaderError;
use crate::loader::Loader;
use crate::usage::{cpu_time, peak_rss};

/// A measurement; one JSON object.
#[derive(Clone, Debug, Serialize)]
pub struct BenchReport {
    /// Images a second: the median over the passes.
    pub images_per_second: f64,
    /// Bytes of pixels a second, written to batches.
    pub bytes_per_second: f64,
    /// Bytes a second that memory takes from as many threads (from one, if there is none), measured
    /// in the same run: the limit of what a loader can write.
    pub store_limit: f64,
    /// Bytes a second that as many threads copy.
    pub copy_limit: f64,
    /// Slowest pass.
    pub min: f64,
    /// Fastest pass.
    pub max: f64,
    /// Number of passes.
    pub passes: usize,
    /// Processor time for each image, all threads together, in milliseconds.
    pub cpu_ms_per_image: Option<f64>,
    /// Most memory resident at once, mapped shards included, in megabytes.
    pub peak_rss_mb: Option<u64>,
    /// Share of the time that the consumer, which does nothing else, spent waiting.
    pub data_wait: f64,
    /// Images in each pass.
    pub images: u64,
    /// Bytes of the batches under way.
    pub buffer_bytes: usize,
}

/// Reads whole epochs for at least `duration` and at least three times, after one that is not
/// counted. The consumer touches one value of each batch.
///
/// # Errors
/// Whatever a batch's error is.
pub fn bench(loader: &Loader, duration: Duration) -> Result<BenchReport, LoaderError> {
    let io = |source| LoaderError::Memory {
        bytes: loader.plan.batch_bytes(),
        source,
    };
    let limits = MemoryLimits::measure(loader.plan.threads.max(1)).map_err(io)?;
    let mut total = 0.0;
    let mut bytes = 0;
    let mut pass = |epoch| -> Result<(u64, f64, f64), LoaderError> {
        let start = Instant::now();
        let mut images = 0;
        let mut batches = loader.epoch(epoch);
        for batch in &mut batches {
            let batch = batch?;
            images += batch.len() as u64;
            bytes = batch.image_bytes().len() / batch.len();
            total += batch.image_bytes().first().copied().map_or(0.0, f64::from);
        }
        Ok((
            images,
            start.elapsed().as_secs_f64(),
            batches.waited().as_secs_f64(),
        ))
    };
    pass(0)?;
    let (start, cpu) = (Instant::now(), cpu_time());
    let mut rates = Vec::new();
    let (mut images, mut seconds, mut waited) = (0, 0.0, 0.0);
    while rates.len() < 3 || start.elapsed() < duration {
        let (count, taken, wait) = pass(1 + rates.len() as u64)?;
        rates.push(count as f64 / taken);
        (images, seconds, waited) = (images + count, seconds + taken, waited + wait);
    }
    std::hint::black_box(total);
    let used = cpu.and_then(|before| Some(cpu_time()?.saturating_sub(before)));
    rates.sort_by(f64::total_cmp);
    let rate = rates[rates.len() / 2];
    Ok(BenchReport {
        images_per_second: rate,
        bytes_per_second: rate * bytes as f64,
        store_limit: limits.store,
        copy_limit: limits.copy,
        min: rates[0],
        max: rates[rates.len() - 1],
        passes: rates.len(),
        cpu_ms_per_image: used.map(|used| used.as_secs_f64() * 1e3 / images as f64),
        peak_rss_mb: peak_rss().map(|bytes| bytes >> 20),
        data_wait: waited / seconds,
        images: images / rates.len() as u64,
        buffer_bytes: loader.epoch(0).buffer_bytes(),
    })
}
