//! From a source to a dataset.

mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use shardmill_formats::{
    ChannelSums, Class, Codec, EncodeOptions, Encoder, MANIFEST_FILE, Manifest, Preprocessing,
    RecordShape, Rejects, ShardEntry, ShardMetadata, ShardWriter, Source, Split, SplitStatistics,
    shard_file_name,
};

use crate::decode::{DECODER, RESIZER};
use crate::error::PrepError;
use crate::options::IngestOptions;
use crate::output::{Output, check_free, check_space};
use crate::plan::{FILTER, GEOMETRY, Plan};
use crate::progress::Progress;
use crate::reject::RejectLine;
use crate::source::{Entry, list};
use worker::{Outcome, Record, Worker};

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

/// What the decoding side tells the writing side.
enum Message {
    Shard {
        split: usize,
        shard: usize,
        shards: usize,
    },
    Records(Vec<Outcome>),
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

/// What the writing side made.
#[derive(Default)]
struct Written {
    splits: BTreeMap<&'static str, (Split, ChannelSums)>,
    rejects: Vec<RejectLine>,
}

struct Job<'a> {
    options: &'a IngestOptions,
    plan: &'a Plan,
    classes: usize,
    output: Output,
}

/// A shard that is being written.
struct OpenShard {
    split: &'static str,
    name: String,
    part: PathBuf,
    writer: ShardWriter<std::fs::File>,
    sums: ChannelSums,
}

impl Job<'_> {
    fn write(&mut self, receiver: &Receiver<Message>) -> Result<Written, PrepError> {
        let mut written = Written::default();
        let mut open: Option<OpenShard> = None;
        for message in receiver {
            match message {
                Message::Shard {
                    split,
                    shard,
                    shards,
                } => {
                    self.close(open.take(), &mut written)?;
                    open = Some(self.open(split, shard, shards)?);
                }
                Message::Records(outcomes) => {
                    let shard = open
                        .as_mut()
                        .expect("a shard is opened before its records come");
                    for outcome in outcomes {
                        match outcome {
                            Outcome::Record(record) => shard.append(&record)?,
                            Outcome::Reject(line) => written.rejects.push(line),
                        }
                    }
                }
            }
        }
        self.close(open, &mut written)?;
        Ok(written)
    }

    fn open(&mut self, split: usize, shard: usize, shards: usize) -> Result<OpenShard, PrepError> {
        let split = self.plan.splits[split].name;
        let name = shard_file_name(split, shard, shards);
        let (part, file) = self.output.begin(&name)?;
        let metadata = ShardMetadata {
            codec: self.options.codec,
            shape: shape(self.options),
            split: split.to_owned(),
            shard: shard as u64,
            shards: shards as u64,
            classes: self.classes as u64,
            fingerprint: self.plan.fingerprint.clone(),
            sums: ChannelSums::default(),
        };
        let writer = ShardWriter::new(file, metadata).map_err(|source| PrepError::Write {
            path: part.clone(),
            source,
        })?;
        Ok(OpenShard {
            split,
            name,
            part,
            writer,
            sums: ChannelSums::default(),
        })
    }

    /// Finishes a shard; one whose images were all rejected is not written.
    fn close(&mut self, open: Option<OpenShard>, written: &mut Written) -> Result<(), PrepError> {
        let Some(OpenShard {
            split,
            name,
            part,
            writer,
            sums,
        }) = open
        else {
            return Ok(());
        };
        if writer.is_empty() {
            drop(writer);
            return self.output.discard(&part);
        }
        let (file, summary) = writer.finish(&sums).map_err(|source| PrepError::Write {
            path: part.clone(),
            source,
        })?;
        self.output.finish(&part, &file, &name)?;
        let (split, total) = written.splits.entry(split).or_insert_with(|| {
            (
                Split {
                    records: 0,
                    labelled: true,
                    shards: Vec::new(),
                },
                ChannelSums::default(),
            )
        });
        split.records += summary.records;
        split.shards.push(ShardEntry {
            file: name,
            records: summary.records,
            bytes: summary.bytes,
            index_crc32c: format!("{:08x}", summary.index_crc32c),
            blake3: summary.blake3,
        });
        total.merge(&sums);
        Ok(())
    }

    fn manifest(
        &self,
        classes: &[String],
        images: u64,
        written: &Written,
    ) -> Result<Manifest, PrepError> {
        if written.splits.is_empty() {
            let first = written.rejects.first().cloned();
            let (key, message) = first
                .map(|line| (line.key, line.message))
                .unwrap_or_default();
            return Err(PrepError::AllRejected {
                images,
                key,
                message,
            });
        }
        let statistics = written.splits.get("train").and_then(|(_, sums)| {
            let statistics = sums.statistics()?;
            Some(SplitStatistics {
                split: "train".to_owned(),
                pixels: sums.pixels,
                statistics,
            })
        });
        let rejects = written.rejects.len() as u64;
        Ok(Manifest {
            format: Manifest::format_name(),
            version: Manifest::format_version(),
            codec: self.options.codec,
            jpeg_quality: (self.options.codec == Codec::Jpeg).then_some(self.options.quality),
            height: self.options.size,
            width: self.options.size,
            preprocessing: Preprocessing {
                geometry: GEOMETRY.to_owned(),
                filter: FILTER.to_owned(),
                decoder: DECODER.to_owned(),
                resizer: RESIZER.to_owned(),
            },
            classes: classes
                .iter()
                .map(|name| Class {
                    synset: name.clone(),
                    name: name.clone(),
                })
                .collect(),
            splits: written
                .splits
                .iter()
                .map(|(name, (split, _))| ((*name).to_owned(), split.clone()))
                .collect(),
            statistics,
            source: Source {
                layout: "class-folders".to_owned(),
                images,
            },
            rejects: Rejects {
                count: rejects,
                file: (rejects > 0).then(|| REJECTS_FILE.to_owned()),
            },
            seed: self.options.seed,
            prep_version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }
}

impl OpenShard {
    fn append(&mut self, record: &Record) -> Result<(), PrepError> {
        self.sums.merge(&record.sums);
        self.writer
            .append(&record.key, record.label, &record.stored)
            .map_err(|source| PrepError::Write {
                path: self.part.clone(),
                source,
            })
    }
}

fn shape(options: &IngestOptions) -> RecordShape {
    RecordShape {
        height: options.size,
        width: options.size,
    }
}

fn encoder(options: &IngestOptions) -> Result<Encoder, PrepError> {
    let encode: EncodeOptions = options.encode_options();
    Encoder::new(options.codec, shape(options), encode).map_err(|source| PrepError::Codec {
        place: format!("codec {}", options.codec),
        source,
    })
}
