//! From a source to a dataset.

mod dataset;
mod disk_space;
mod estimate;
mod folder;
mod journal;
mod limit;
mod manifest_size;
mod merge;
mod objects;
mod options;
mod output;
mod plan;
mod remaining;
mod stored_sizes;
mod work;
mod worker;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use shardmill_formats::{Class, Manifest, Source};

pub use crate::part::Part;
pub use crate::reject::{RejectLine, WarningLine};
pub use dataset::Merged;
pub use estimate::{CodecEstimate, Estimate, estimate};
pub use merge::merge;
pub use options::{IngestOptions, MaxRejects};

use crate::decode::Budget;
use crate::error::PrepError;
use crate::io::Choices;
use crate::io::pool::OrderedPool;
use crate::io::progress::Progress;
use crate::record::RecycledBuffers;
use crate::reject::{OnError, count_by_reason};
use crate::source::{PassedOver, Reader, list};
use dataset::Written;
use journal::IngestHeader;
use output::Output;
use plan::Plan;
use remaining::Remaining;
use work::PartWork;
use worker::Worker;
use writer::IngestWriter;

/// What an ingest did.
#[derive(Clone, Debug)]
pub struct IngestSummary {
    /// The dataset's manifest, as written.
    pub manifest: Manifest,
    /// Every image that became no record.
    pub rejects: Vec<RejectLine>,
    /// Number of records with warnings, by [`Warning::code`](crate::decode::Warning::code).
    pub warned: BTreeMap<String, u64>,
    /// Each of these images.
    pub warnings: Vec<WarningLine>,
    /// Files of the source that are neither records nor rejects.
    pub passed_over: PassedOver,
    /// Whether the dataset was complete before, so that nothing was done.
    pub was_complete: bool,
    /// Notes on how the source was read.
    pub notes: Vec<String>,
    /// Wall-clock time, in seconds.
    pub seconds: f64,
}

impl IngestSummary {
    /// Images that were read, rejects included.
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
    pub fn rejects_by_reason(&self) -> BTreeMap<&str, u64> {
        count_by_reason(&self.rejects)
    }

    /// The summary as one JSON object: what `prep ingest --json` prints.
    #[must_use]
    pub fn to_json(&self) -> String {
        let splits = self.manifest.splits.iter();
        let splits: BTreeMap<&String, u64> =
            splits.map(|(name, split)| (name, split.records)).collect();
        let object = serde_json::json!({
            "images": self.images(),
            "records": splits,
            "classes": self.manifest.classes.len(),
            "codec": self.manifest.codec,
            "rejects": self.rejects_by_reason(),
            "warned": self.warned,
            "warnings": self.warnings,
            "passed_over": self.passed_over,
            "was_complete": self.was_complete,
            "notes": self.notes,
            "seconds": self.seconds,
            "images_per_second": (!self.was_complete).then(|| self.images_per_second()),
        });
        object.to_string()
    }
}

/// The result of [`ingest_part`].
#[derive(Clone, Debug)]
pub enum Ingested {
    /// The dataset is complete.
    Dataset(Box<IngestSummary>),
    /// The part is complete; [`merge`] completes the dataset when all parts are.
    Part {
        /// Shards of this part.
        shards: usize,
        /// Every image of this part that became no record.
        rejects: Vec<RejectLine>,
        /// As [`IngestSummary::warned`], of this part.
        warned: BTreeMap<String, u64>,
        /// As [`IngestSummary::warnings`], of this part.
        warnings: Vec<WarningLine>,
        /// Files of the whole source that are neither records nor rejects.
        passed_over: PassedOver,
        /// Notes on how the source was read.
        notes: Vec<String>,
        /// Wall-clock time, in seconds.
        seconds: f64,
    },
}

impl Ingested {
    /// Number of rejects for each reason, of the part if it is one.
    #[must_use]
    pub fn rejects_by_reason(&self) -> BTreeMap<&str, u64> {
        match self {
            Self::Dataset(summary) => summary.rejects_by_reason(),
            Self::Part { rejects, .. } => count_by_reason(rejects),
        }
    }
}

/// Turns the images of a source into a dataset.
///
/// The plan is made from the listing before anything is decoded; a reject shortens its shard and nothing
/// else moves. The bytes of the dataset do not depend on the number of threads. If an earlier run of the same
/// plan was interrupted, its finished shards are kept; a complete dataset is left as it is.
///
/// # Errors
/// The source has no images, the output folder holds something else, the disk has too little space, a file
/// cannot be read or written, or the observer stops the work. Finished shards are kept, and nothing else.
/// If `options.part` is not the whole, nothing is made: use [`ingest_part`].
pub fn ingest(options: &IngestOptions) -> Result<IngestSummary, PrepError> {
    let one_part = PrepError::OnePart(options.part);
    if options.part != Part::WHOLE {
        return Err(one_part);
    }
    match ingest_part(options)? {
        Ingested::Dataset(summary) => Ok(*summary),
        Ingested::Part { .. } => Err(one_part),
    }
}

/// Makes the share of the shards that `options.part` names. If that is the whole, the dataset is complete.
///
/// # Errors
/// As [`ingest`].
pub fn ingest_part(options: &IngestOptions) -> Result<Ingested, PrepError> {
    let start = Instant::now();
    check_options(options)?;
    let output = Output::look(&options.out)?;
    if output.is_finished() {
        output.check_options(&manifest(options, "", Vec::new(), 0))?;
    }
    let mut listing = list(&options.source_request())?;
    options.observer.check()?;
    let images = listing.images();
    if options.on_error == OnError::Stop
        && !output.is_finished()
        && let Some(line) = listing.known_reject()
    {
        // Before anything is made, since the plan changes when the image is repaired.
        limit::check(options, images, &[line])?;
    }
    let plan = Plan::new(options, &mut listing);
    let names = plan.shard_names();
    if output.is_finished() {
        let (manifest, rejects) = output.finished(&plan.fingerprint, &names, options)?;
        return Ok(Ingested::Dataset(Box::new(IngestSummary {
            rejects,
            manifest,
            warned: BTreeMap::new(),
            warnings: Vec::new(),
            passed_over: listing.passed,
            was_complete: true,
            notes: noted(
                listing.notes,
                &format!("{} holds this dataset", options.out.display()),
            ),
            seconds: start.elapsed().as_secs_f64(),
        })));
    }
    let classes = std::mem::take(&mut listing.classes);
    let header = IngestHeader {
        fingerprint: plan.fingerprint.clone(),
        part: options.part,
        shards: plan
            .splits
            .iter()
            .map(|split| (split.name.to_owned(), split.shards().len()))
            .collect(),
        unlabelled: plan
            .splits
            .iter()
            .filter(|split| split.entries.iter().all(|entry| entry.label < 0))
            .map(|split| split.name.to_owned())
            .collect(),
        manifest: manifest(options, listing.layout.name(), classes, images),
        choices: Choices::default()
            .with("--shard-records", options.shard_records)
            .with("--check", options.decode.check),
    };
    manifest_size::check(&options.source, &header.manifest, names.len())?;
    let work = output.take(header, &names, options)?;
    let mut notes = listing.notes;
    if let earlier @ 1.. = work.lines().len() {
        let what = format!("{earlier} shards that an earlier run finished were kept");
        notes = noted(notes, &what);
    }
    let kept = work.kept();
    let reader = Reader::new(reader_root(&options.source), listing.containers);
    let made =
        fill(options, &plan, work, &reader).and_then(|work| match options.part == Part::WHOLE {
            true => work.complete().map(Box::new).map(Made::Dataset),
            false => Ok(Made::Part(work)),
        });
    let seconds = start.elapsed().as_secs_f64();
    Ok(match made.map_err(|error| kept.explain(error))? {
        Made::Part(work) => {
            let lines = work.lines();
            Ingested::Part {
                shards: lines.len(),
                rejects: lines.iter().flat_map(|line| line.rejects.clone()).collect(),
                warned: dataset::warned(lines),
                warnings: dataset::warnings(lines),
                passed_over: listing.passed,
                notes,
                seconds,
            }
        }
        Made::Dataset(written) => Ingested::Dataset(Box::new(IngestSummary {
            manifest: written.manifest,
            rejects: written.rejects,
            warned: written.warned,
            warnings: written.warnings,
            passed_over: listing.passed,
            was_complete: false,
            notes,
            seconds,
        })),
    })
}

/// What an ingest makes.
enum Made {
    Part(PartWork),
    Dataset(Box<Written>),
}

/// Makes the shards that are left.
fn fill(
    options: &IngestOptions,
    plan: &Plan,
    mut work: PartWork,
    reader: &Reader,
) -> Result<PartWork, PrepError> {
    let remaining = Remaining::new(plan, &work);
    disk_space::check(options, work.path(), &remaining, reader)?;
    let left = remaining.images.len() as u64;
    let progress = Progress::new("ingest", left, options.progress, &options.observer);
    let pool = OrderedPool::new(options.threads).observed(&options.observer);
    let budget = Budget::for_threads(options.decode_memory, pool.threads());
    let recycled = RecycledBuffers::default();
    let shards = &remaining.shards;
    let mut writer = IngestWriter::new(options, plan, shards, &mut work, recycled.clone());
    pool.in_order(
        &remaining.images,
        || {
            let (reader, recycled) = (reader.clone(), recycled.clone());
            Worker::new(options, reader, recycled, budget.clone())
        },
        |worker, entry| {
            let outcome = worker.run(entry)?;
            progress.add(1);
            Ok(outcome)
        },
        |outcome| writer.take(outcome),
    )?;
    drop(writer);
    progress.finish();
    if options.part != Part::WHOLE {
        work.keep()?;
    }
    Ok(work)
}

/// Adds a note that work of an earlier run is `kept`, and how it was compared.
fn noted(mut notes: Vec<String>, kept: &str) -> Vec<String> {
    notes.push(format!(
        "{kept}; images were compared by their names and labels, not by their contents: after changing images, \
         start over with another --out"
    ));
    notes
}

/// Keys of a list are relative to the list's folder, all others to the source.
fn reader_root(source: &Path) -> &Path {
    if source.is_file() {
        source.parent().unwrap_or(Path::new(""))
    } else {
        source
    }
}

/// # Errors
/// Options without meaning.
fn check_options(options: &IngestOptions) -> Result<(), PrepError> {
    options.record().check()?;
    if !(0.0..1.0).contains(&options.val_fraction) {
        return Err(PrepError::Option {
            option: "val-fraction",
            found: options.val_fraction.to_string(),
            expected: "give a share of at least 0 and below 1".to_owned(),
        });
    }
    Ok(())
}

/// The manifest as far as the plan knows it.
fn manifest(options: &IngestOptions, layout: &str, classes: Vec<Class>, images: u64) -> Manifest {
    let source = Source {
        layout: layout.to_owned(),
        images,
    };
    options.record().manifest(source, classes, options.seed)
}
