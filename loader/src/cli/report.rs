//! A row as a line of the table, or as a JSON object.

use crate::Meter;
use serde::Serialize;
use shardmill_formats::Codec;

use super::args::{BenchArgs, Row};
use super::measure::Measured;
use super::remote::Fetched;

/// What was measured, and how. Rates are in images or gigabytes (10^9 bytes) per second.
#[derive(Serialize)]
pub(crate) struct Report {
    /// The median over the passes.
    images_per_second: f64,
    min: f64,
    max: f64,
    passes: usize,
    /// Pixels written to batches.
    gigabytes_per_second: f64,
    /// What the same number of threads, but no more than cores, write to memory, and what they copy.
    store_limit: f64,
    store_limit_min: f64,
    store_limit_max: f64,
    copy_limit: f64,
    /// How often that was measured: before, between and after the passes.
    limits_measured: usize,
    /// Each pass as a share of the store limits measured next to it: median, smallest and largest.
    share_of_store_limit: f64,
    share_min: f64,
    share_max: f64,
    cpu_seconds_per_1000_images: Option<f64>,
    /// Most memory in addition to the page cache, in megabytes.
    peak_memory_mb: Option<f64>,
    batches_under_way_mb: f64,
    /// Share of the time that the consumer waited.
    data_wait: f64,
    time: Time,
    verdict: String,
    /// Only with `--cold`.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<Disk>,
    /// Only for a dataset in an object store.
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched: Option<Fetched>,
    #[serde(flatten)]
    row: Row,
    codec: Codec,
    batch_size: usize,
    crop: u32,
    consumer_ms: Option<f64>,
    checksums: &'static str,
}

/// Shares of the loader's time.
#[derive(Serialize)]
struct Time {
    read: f64,
    decode: f64,
    augment: f64,
    buffer: f64,
    idle: f64,
}

/// Medians of the shard bytes, in gigabytes per second.
#[derive(Serialize)]
struct Disk {
    loaded: f64,
    /// Plain reading of the same files, alternating with the passes.
    sequential: f64,
    sequential_min: f64,
    sequential_max: f64,
    share: f64,
}

impl Report {
    pub(crate) fn new(args: &BenchArgs, row: Row, measured: &Measured) -> Self {
        let (rates, shares, stores) = (&measured.rates, &measured.shares, &measured.store_limits);
        let rate = median(rates);
        let written = rate * measured.image_bytes as f64;
        let cpu = measured.cpu.map(|cpu| cpu.as_secs_f64());
        let verify = match row.verify {
            super::args::VerifyArg::Never => "never compared",
            super::args::VerifyArg::FirstRead if args.cold => "compared in every pass",
            super::args::VerifyArg::FirstRead => "compared in the pass that is not counted",
        };
        Self {
            images_per_second: rate,
            min: rates[0],
            max: rates[rates.len() - 1],
            passes: rates.len(),
            gigabytes_per_second: written / 1e9,
            store_limit: median(stores) / 1e9,
            store_limit_min: stores[0] / 1e9,
            store_limit_max: stores[stores.len() - 1] / 1e9,
            copy_limit: measured.copy_limit / 1e9,
            limits_measured: stores.len(),
            share_of_store_limit: median(shares),
            share_min: shares[0],
            share_max: shares[shares.len() - 1],
            cpu_seconds_per_1000_images: cpu.map(|cpu| cpu * 1e3 / measured.images as f64),
            peak_memory_mb: measured.memory.map(|bytes| bytes as f64 / 1e6),
            batches_under_way_mb: measured.buffer_bytes as f64 / 1e6,
            data_wait: measured.meter.data_wait(),
            time: Time::new(&measured.meter),
            verdict: measured.meter.verdict().to_string(),
            disk: measured.disk.as_ref().map(|(loaded, plain)| Disk {
                loaded: median(loaded) / 1e9,
                sequential: median(plain) / 1e9,
                sequential_min: plain[0] / 1e9,
                sequential_max: plain[plain.len() - 1] / 1e9,
                share: median(loaded) / median(plain),
            }),
            fetched: measured.fetched.clone(),
            row,
            codec: measured.codec,
            batch_size: args.batch_size,
            crop: measured.crop,
            consumer_ms: args.consumer_ms,
            checksums: verify,
        }
    }

    /// The names of the columns.
    pub(crate) fn head() -> String {
        format!(
            "{:>7} {:>5} {:>6} {:>6} {:>10} {:>8} {:<15} {:>5} {:>8} {:>8} {:>6} {:>5}",
            "threads",
            "codec",
            "output",
            "layout",
            "order",
            "images/s",
            "(range)",
            "GB/s",
            "of store",
            "CPU s/1k",
            "MB",
            "wait"
        )
    }

    /// The row, and below it what limits the loader.
    pub(crate) fn line(&self) -> String {
        let name = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        let known = |value: Option<f64>, digits| {
            value.map_or_else(|| "?".to_owned(), |value| format!("{value:.digits$}"))
        };
        let time = &self.time;
        let mut text = format!(
            "{:>7} {:>5} {:>6} {:>6} {:>10} {:>8.0} {:<15} {:>5.1} {:>7.0}% {:>8} {:>6} {:>4.0}%\n\
             {:8}{}\n\
             {:8}policy {}{}; {} passes; checksums {}, advice {}\n\
             {:8}read {:.1}%, decode {:.1}%, augment {:.1}%, buffer {:.1}%, idle {:.1}%\n\
             {:8}memory: {:.1} GB/s ({:.1}-{:.1}) of stores, {:.1} of copies; a pass reached {:.0}% \
             ({:.0}-{:.0}) of stores\n",
            self.row.threads,
            self.codec.to_string(),
            name(&self.row.output),
            name(&self.row.layout),
            self.row.order.to_string(),
            self.images_per_second,
            format!("({:.0}-{:.0})", self.min, self.max),
            self.gigabytes_per_second,
            self.share_of_store_limit * 1e2,
            known(self.cpu_seconds_per_1000_images, 4),
            known(self.peak_memory_mb, 0),
            self.data_wait * 1e2,
            "",
            self.verdict,
            "",
            self.row.policy.name(),
            self.row.color_jitter.map_or("", |_| " with colour jitter"),
            self.passes,
            self.checksums,
            name(&self.row.advice),
            "",
            time.read * 1e2,
            time.decode * 1e2,
            time.augment * 1e2,
            time.buffer * 1e2,
            time.idle * 1e2,
            "",
            self.store_limit,
            self.store_limit_min,
            self.store_limit_max,
            self.copy_limit,
            self.share_of_store_limit * 1e2,
            self.share_min * 1e2,
            self.share_max * 1e2,
        );
        if let Some(disk) = &self.disk {
            text += &format!(
                "{:8}cold: {:.2} GB/s of shards, {:.0}% of the {:.2} ({:.2}-{:.2}) of plain reading\n",
                "",
                disk.loaded,
                disk.share * 1e2,
                disk.sequential,
                disk.sequential_min,
                disk.sequential_max
            );
        }
        if let Some(fetched) = &self.fetched {
            text += &fetched.lines();
        }
        text
    }
}

impl Time {
    fn new(meter: &Meter) -> Self {
        let all = meter.total().as_secs_f64().max(f64::MIN_POSITIVE);
        let share = |time: std::time::Duration| time.as_secs_f64() / all;
        Self {
            read: share(meter.read),
            decode: share(meter.decode),
            augment: share(meter.augment),
            buffer: share(meter.buffer),
            idle: share(meter.idle),
        }
    }
}

fn median(ascending: &[f64]) -> f64 {
    ascending[ascending.len() / 2]
}
