//! From a source to a dataset.

mod worker;
mod writer;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use shardmill_formats::{Codec, Encoder, MANIFEST_FILE, Manifest, RecordShape};

use crate::error::PrepError;
use crate::options::IngestOptions;
use crate::output::{Output, check_free, check_space};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::reject::RejectLine;
use crate::source::{Entry, list};
use worker::Worker;
use writer::{Job, Message};

/// Name of the file that lists rejects.
const REJECTS_FILE: &str = "rejects.jsonl";
/// Images decoded for each thread between two hand-overs to the writer: with two hand-overs under
/// way this bounds memory at some tens of megabytes, whatever the size of the data.
const CHUNK_PER_THREAD: usize = 16;

/// What an ingest did.
#[derive(Clone, Debug)]
pub struct IngestSummary {
    /// The dataset's manifest, as written.
    pub manifest: Manifest,
    /// Every image that became no record.
    pub rejects: Vec<RejectLine>,
    /// Files passed over because systems and archivers leave such behind.
    pub ignored: u64,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
}

impl IngestSummary {
    /// Images that were looked at, rejects included.
    #[must_use]
    pub const fn images(&self) -> u64 {
        self.manifest.source.images
    }

    /// Images a second.
    #[must_use]
    pub fn images_per_second(&self) -> f64 {
        self.images() as f64 / self.seconds
    }

    /// Number of rejects for each reason.
    #[must_use]
    pub fn rejects_by_reason(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for line in &self.rejects {
            *counts.entry(line.reason).or_default() += 1;
        }
        counts
    }
}

/// Turns the images of a source into a dataset.
///
/// The plan is fixed from the listing before anything is decoded; a reject shortens its shard and
/// nothing moves. The bytes of the dataset do not depend on the number of threads.
///
/// # Errors
/// A source without class folders or images, an output folder that holds something, too little
/// space, or a file that cannot be read or written. Nothing is left behind then.
pub fn ingest(options: &IngestOptions) -> Result<IngestSummary, PrepError> {
    let start = Instant::now();
    check_options(options)?;
    check_free(&options.out)?;
    let mut listing = list(options)?;
    let images = listing.images();
    check_space(&options.out, images * bytes_per_record(options))?;
    let plan = Plan::new(options, &mut listing);
    let pool = ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(|error| PrepError::Threads {
            threads: options.threads,
            message: error.to_string(),
        })?;
    let progress = Progress::new("ingest", plan.images(), options.progress);
    let mut job = Job {
        options,
        plan: &plan,
        classes: listing.classes.len(),
        output: Output::create(&options.out)?,
    };
    let written = std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        let job = &mut job;
        let writer = scope.spawn(move || job.write(&receiver));
        let decoded = pool.install(|| decode(options, &plan, &sender, &progress));
        drop(sender);
        let written = writer
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // When the writer fails, decoding stops for want of a listener: its error is the cause.
        written.and_then(|written| decoded.map(|()| written))
    })?;
    progress.finish();
    let manifest = job.manifest(&listing.classes, images, &written)?;
    if !written.rejects.is_empty() {
        let lines = written
            .rejects
            .iter()
            .map(|line| serde_json::to_string(line).expect("a line becomes JSON") + "\n");
        job.output
            .write(REJECTS_FILE, lines.collect::<String>().as_bytes())?;
    }
    job.output
        .write(MANIFEST_FILE, manifest.to_json().as_bytes())?;
    job.output.keep()?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(IngestSummary {
        manifest,
        rejects: written.rejects,
        ignored: listing.ignored,
        seconds,
    })
}

fn check_options(options: &IngestOptions) -> Result<(), PrepError> {
    let wrong = |option, found: String, expected: &str| {
        Err(PrepError::Option {
            option,
            found,
            expected: expected.to_owned(),
        })
    };
    if RecordShape::new(options.size, options.size).is_none() {
        return wrong(
            "size",
            options.size.to_string(),
            "give a side of 1 to 8192 pixels",
        );
    }
    if !(1..=100).contains(&options.quality) {
        return wrong(
            "quality",
            options.quality.to_string(),
            "give a JPEG quality of 1 to 100",
        );
    }
    if options.shard_records == 0 {
        return wrong(
            "shard-records",
            "0".to_owned(),
            "give at least one record a shard",
        );
    }
    if !(0.0..1.0).contains(&options.val_fraction) {
        return wrong(
            "val-fraction",
            options.val_fraction.to_string(),
            "give a share of at least 0 and below 1",
        );
    }
    Ok(())
}

/// Bytes that a record takes, generously, with its index entry.
fn bytes_per_record(options: &IngestOptions) -> u64 {
    let pixels = u64::from(options.size) * u64::from(options.size);
    100 + match options.codec {
        Codec::Raw => pixels * 3,
        Codec::Zstd => pixels * 9 / 4,
        Codec::Jpeg => pixels / 2,
    }
}

fn decode(
    options: &IngestOptions,
    plan: &Plan,
    sender: &SyncSender<Message>,
    progress: &Progress,
) -> Result<(), PrepError> {
    let workers = Mutex::new(Vec::<Worker>::new());
    let lock = || {
        workers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    };
    let one = |entry: &Entry| {
        let idle = lock().pop();
        let mut worker = idle.map_or_else(|| Worker::new(options), Ok)?;
        let outcome = worker.run(entry)?;
        lock().push(worker);
        progress.add(1);
        Ok(outcome)
    };
    for (split, split_plan) in plan.splits.iter().enumerate() {
        let shards = split_plan.shards();
        let count = shards.len();
        for (shard, entries) in shards.enumerate() {
            if sender
                .send(Message::Shard {
                    split,
                    shard,
                    shards: count,
                })
                .is_err()
            {
                return Ok(());
            }
            for chunk in entries.chunks(CHUNK_PER_THREAD * rayon::current_num_threads()) {
                let outcomes = chunk
                    .par_iter()
                    .map(one)
                    .collect::<Result<Vec<_>, PrepError>>()?;
                if sender.send(Message::Records(outcomes)).is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn shape(options: &IngestOptions) -> RecordShape {
    RecordShape {
        height: options.size,
        width: options.size,
    }
}

fn encoder(options: &IngestOptions) -> Result<Encoder, PrepError> {
    Encoder::new(options.codec, shape(options), options.encode_options()).map_err(|source| {
        PrepError::Codec {
            place: format!("codec {}", options.codec),
            source,
        }
    })
}
