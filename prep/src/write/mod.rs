//! Datasets of samples that a program writes one by one.

mod checks;
mod options;
mod order;
mod summary;
mod work;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Instant;

use shardmill_formats::{ChannelSums, Class, Manifest, Rejects, ShardMetadata, Source};

use crate::error::PrepError;
use crate::io::flusher::Flusher;
use crate::io::pool::OrderedStream;
use crate::io::unfinished::WRITE_JOURNAL;
use crate::record::{Outcome, RecycledBuffers};
use crate::reject::OnError;
use crate::reject::{RejectLine, WarningLine, first_ones};
use crate::shards::{
    REJECTS_FILE, RewriteFolder, Sizes, SplitWriter, TRAIN, begin_new, complete, remove, statistics,
};
use checks::Checks;
pub use options::{Image, Sample, WriteOptions, class_list};
use order::Order;
pub use summary::WriteSummary;
use work::Item;

/// Bytes of images and records that are under way at most, unless a single one has more.
const UNDER_WAY: u64 = 512 << 20;

/// Writes a dataset of samples that come one by one.
///
/// Encoded images go through the decoder of an ingest and give the same pixels; arrays of pixels go through
/// its resize, and are stored as they are if they have the size of the records. Threads decode and encode;
/// records are written in the order of [`push`](Self::push), so that the bytes do not depend on the number of
/// threads. Memory is bounded by half a gigabyte of samples under way, 40 bytes for each key, and the index
/// of the shard that is open in each split, whatever the size of the dataset.
///
/// Samples are **not shuffled**, unlike those of an ingest, since the last ones are not known. Push them in a
/// random order if the loader is to read blocks of neighbours (`order="blocks"`); otherwise its batches hold
/// few classes. The summary notes samples that came sorted. The loader's default order needs no shuffle.
///
/// Until [`finish`](Self::finish) the folder holds `write.journal` and no manifest, so that it is not mistaken for
/// a dataset. A writer that is dropped before removes all that it wrote; after a crash, remove the folder.
///
/// ```
/// use shardmill_prep::{DatasetWriter, Image, Sample, WriteOptions, class_list, verify};
///
/// let folder = tempfile::tempdir()?;
/// let mut options = WriteOptions::new(class_list(&["cat", "dog"])?);
/// options.size = 32;
/// let mut writer = DatasetWriter::create(folder.path().join("shards"), options)?;
/// for label in [0, 1, 1, 0] {
///     let image = Image::Pixels { width: 40, height: 32, channels: 3, pixels: vec![7; 40 * 32 * 3] };
///     writer.push("train", Sample { image, label, key: None })?;
/// }
/// let summary = writer.finish()?;
/// assert_eq!(summary.manifest.splits["train"].records, 4);
/// assert!(verify(&folder.path().join("shards"), 1, false)?.faults.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DatasetWriter {
    // Fields are dropped in this order: first the threads, then the files, last the folder.
    stream: OrderedStream<Item, Outcome>,
    /// Split and bytes of each sample under way.
    waiting: VecDeque<(usize, u64)>,
    bytes: u64,
    splits: Vec<OpenSplit>,
    options: WriteOptions,
    checks: Checks,
    done: Done,
    flusher: Flusher,
    recycled: RecycledBuffers,
    is_stopped: bool,
    start: Instant,
    work: RewriteFolder,
}

/// A split under way.
struct OpenSplit {
    name: String,
    writer: SplitWriter,
    order: Order,
}

/// Totals over the samples that were written.
struct Done {
    rejects: Vec<RejectLine>,
    warned: BTreeMap<String, u64>,
    warnings: Vec<WarningLine>,
    /// Over everything that the shards are made of.
    fingerprint: blake3::Hasher,
}

impl Done {
    fn new(options: &WriteOptions, checks: &Checks) -> Self {
        let mut done = Self {
            rejects: Vec::new(),
            warned: BTreeMap::new(),
            warnings: Vec::new(),
            fingerprint: blake3::Hasher::new(),
        };
        let made = format!(
            "write {} {} {} {} {} {:?}",
            env!("CARGO_PKG_VERSION"),
            options.codec,
            options.quality,
            options.size,
            options.shard_records,
            options.decode
        );
        done.hash(made.as_bytes());
        for class in &checks.classes {
            done.hash(class.synset.as_bytes());
        }
        done
    }

    fn hash(&mut self, part: &[u8]) {
        self.fingerprint.update(&(part.len() as u64).to_le_bytes());
        self.fingerprint.update(part);
    }
}

impl DatasetWriter {
    /// Begins a dataset in the folder `out`, which must not exist or be empty.
    ///
    /// # Errors
    /// The folder is not empty, an option is invalid, the classes are not sorted, or the system refuses a thread.
    /// Nothing is made then.
    pub fn create(out: impl Into<PathBuf>, options: WriteOptions) -> Result<Self, PrepError> {
        let start = Instant::now();
        let out = out.into();
        let checks = Checks::new(&options)?;
        options.record().check()?;
        // Options that the encoder refuses are found before anything is made.
        drop(options.record().encoder()?);
        let done = Done::new(&options, &checks);
        let recycled = RecycledBuffers::default();
        let stream = work::start(&options, &recycled)?;
        Ok(Self {
            stream,
            waiting: VecDeque::new(),
            bytes: 0,
            splits: Vec::new(),
            work: begin_new(&out, WRITE_JOURNAL)?,
            options,
            checks,
            done,
            flusher: Flusher::new(),
            recycled,
            is_stopped: false,
            start,
        })
    }

    /// Appends a sample to a split, `train`, `val`, `test` or another name, which begins with its first sample.
    ///
    /// The image is decoded later, on another thread: an error in it is returned by a later call.
    ///
    /// # Errors
    /// An invalid split, key, label or size: the sample is ignored, and the writer can continue. An image of an
    /// earlier sample that cannot become a record, with [`OnError::Stop`], or a file that cannot be written: the
    /// writer is stopped, and accepts no more.
    pub fn push(&mut self, split: &str, sample: Sample) -> Result<(), PrepError> {
        if self.is_stopped {
            return Err(PrepError::WriterStopped);
        }
        let known = self.splits.iter().position(|known| known.name == split);
        let (item, is_labelled) = self.checks.check(split, sample)?;
        let at = match known {
            Some(at) => at,
            None => self.begin(split, is_labelled)?,
        };
        let shape = u64::from(self.options.size).pow(2) * 3;
        let bytes = item.bytes() + shape;
        while !self.stream.has_room() || (self.bytes > 0 && self.bytes + bytes > UNDER_WAY) {
            self.wait()?;
        }
        self.bytes += bytes;
        self.waiting.push_back((at, bytes));
        self.stream.hand_out(item);
        while let Some(outcome) = self.stream.ready() {
            self.take(outcome)?;
        }
        Ok(())
    }

    /// Number of samples accepted.
    #[must_use]
    pub const fn samples(&self) -> u64 {
        self.checks.samples()
    }

    /// Waits for all samples, names the shards, and writes the list of rejects and, last, the manifest.
    ///
    /// # Errors
    /// As [`push`](Self::push); or no sample became a record. Nothing is left of the dataset then.
    pub fn finish(mut self) -> Result<WriteSummary, PrepError> {
        if self.is_stopped {
            return Err(PrepError::WriterStopped);
        }
        while self.wait()? {}
        let images = self.samples();
        if images == 0 {
            let reason = "no sample was given to the writer";
            return Err(PrepError::NothingLeft(reason.to_owned()));
        }
        let Self {
            splits,
            options,
            checks,
            done,
            start,
            mut work,
            ..
        } = self;
        let rejects = first_ones(&done.rejects);
        if done.rejects.len() as u64 == images {
            return Err(PrepError::AllRejected { images, rejects });
        }
        let notes = splits
            .iter()
            .filter_map(|split| split.order.note(&split.name))
            .collect();
        let mut manifest = manifest(&options, checks.classes, images);
        checks.used.note(&mut manifest.preprocessing);
        manifest.rejects = Rejects {
            count: done.rejects.len() as u64,
            file: (!done.rejects.is_empty()).then(|| REJECTS_FILE.to_owned()),
        };
        let fingerprint = done.fingerprint.finalize().to_hex()[..32].to_owned();
        let out = work.path().to_owned();
        let made = || {
            for split in splits {
                let (made, sums) = split.writer.finish(&mut work, &fingerprint)?;
                if made.records == 0 {
                    continue;
                }
                if split.name == TRAIN {
                    manifest.statistics = statistics(&sums);
                }
                manifest.splits.insert(split.name, made);
            }
            let lines = done
                .rejects
                .iter()
                .map(|line| serde_json::to_string(line).expect("a line becomes JSON") + "\n");
            let lines = lines.collect::<String>();
            complete(
                work,
                (!lines.is_empty()).then_some(lines.as_bytes()),
                &manifest,
            )
        };
        made().inspect_err(|_| {
            manifest
                .splits
                .values()
                .for_each(|split| remove(&out, split))
        })?;
        Ok(WriteSummary {
            manifest,
            rejects: done.rejects,
            warned: done.warned,
            warnings: done.warnings,
            notes,
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// Begins a split.
    fn begin(&mut self, name: &str, is_labelled: bool) -> Result<usize, PrepError> {
        let metadata = ShardMetadata {
            codec: self.options.codec,
            shape: self.options.record().shape(),
            split: name.to_owned(),
            shard: 0,
            shards: 0,
            classes: self.checks.classes.len() as u64,
            // As long as the one that takes its place.
            fingerprint: "0".repeat(32),
            sums: ChannelSums::default(),
        };
        let sizes = Sizes::Each(self.options.shard_records as u64);
        self.splits.push(OpenSplit {
            name: name.to_owned(),
            writer: SplitWriter::new(&self.work, metadata, is_labelled, sizes)?,
            order: Order::default(),
        });
        Ok(self.splits.len() - 1)
    }

    /// Waits for the next outcome; `false` if no sample is under way.
    fn wait(&mut self) -> Result<bool, PrepError> {
        let Some(outcome) = self.stream.wait() else {
            return Ok(false);
        };
        self.take(outcome).map(|()| true)
    }

    /// Takes the next outcome. An error stops the writer.
    fn take(&mut self, outcome: Result<Outcome, PrepError>) -> Result<(), PrepError> {
        let (split, bytes) = self.waiting.pop_front().expect("it was handed out");
        self.bytes -= bytes;
        let taken = outcome.and_then(|outcome| self.write(split, outcome));
        taken.inspect_err(|_| self.is_stopped = true)
    }

    fn write(&mut self, split: usize, outcome: Outcome) -> Result<(), PrepError> {
        let (split, done) = (&mut self.splits[split], &mut self.done);
        let (record, warning) = match outcome {
            Outcome::Record { record, warning } => (record, warning),
            Outcome::Reject(line) if self.options.on_error == OnError::Stop => {
                return Err(PrepError::Sample {
                    split: split.name.clone(),
                    message: format!(
                        "{} ({}): leave it out, or let the writer reject what cannot be decoded, which it lists in \
                         rejects.jsonl",
                        line.message, line.reason
                    ),
                    key: line.key,
                });
            }
            Outcome::Reject(line) => {
                done.rejects.push(line);
                return Ok(());
            }
        };
        if let Some(warning) = warning {
            *done.warned.entry(warning.code().to_owned()).or_default() += 1;
            done.warnings.push(WarningLine {
                key: record.key.clone(),
                warning: warning.code().into(),
            });
        }
        for part in [
            split.name.as_bytes(),
            record.key.as_bytes(),
            &record.label.to_le_bytes(),
            &shardmill_formats::crc32c(&record.stored).to_le_bytes(),
        ] {
            done.hash(part);
        }
        split.order.add(record.label);
        split
            .writer
            .append(&mut self.work, &self.flusher, &record)?;
        self.recycled.give(record.stored);
        Ok(())
    }
}

/// The manifest of so many samples, without splits, statistics and rejects.
fn manifest(options: &WriteOptions, classes: Vec<Class>, images: u64) -> Manifest {
    let source = Source {
        layout: "samples".to_owned(),
        images,
    };
    options.record().manifest(source, classes, 0)
}
