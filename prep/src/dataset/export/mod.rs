//! Datasets in the forms that other tools read.

mod folder;
mod image;
mod names;
mod parquet;
mod sample;
mod sink;
mod staging;
mod webdataset;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use shardmill_formats::{Codec, Manifest};

use super::extract::split_names;
use crate::error::PrepError;
use crate::io::pool::OrderedPool;
use crate::io::progress::Progress;
use crate::io::{Choices, Place, space};
use crate::observe::Observer;
use crate::shards::fingerprint;
use crate::shards::{Shard, read_manifest, sample};
pub use crate::source::about::ExportFormat;
use crate::source::about::{About, SplitAbout, VERSION};
use image::{Worker, target};
use sample::{Context, Sample, Unit};
use sink::{Sink, entry_names};
use staging::{Begun, ExportHeader, Line, Staging};

/// Settings of an export; [`ExportOptions::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Folder of the dataset.
    pub source: PathBuf,
    /// Folder for the files; must not exist, be empty, or hold the same export unfinished or complete.
    pub out: PathBuf,
    /// The form.
    pub format: ExportFormat,
    /// Splits exported; all if empty.
    pub splits: Vec<String>,
    /// Makes JPEG of this quality, 1 to 100, of records that are stored without loss; PNG if
    /// `None`. Records of codec `jpeg` are exported as stored.
    pub quality: Option<u8>,
    /// Images in each tar or Parquet file.
    pub shard_records: usize,
    /// Threads; 0 means one for each core.
    pub threads: usize,
    /// Whether to proceed even if the disk seems to have too little free space.
    pub ignore_free_space: bool,
    /// Whether progress is shown on standard error.
    pub progress: bool,
    /// Receives the progress, and may stop the work.
    pub observer: Observer,
}

impl ExportOptions {
    /// An export of every split of `source` to `out`: 10,000 images a file, all cores, quiet.
    pub fn new(source: impl Into<PathBuf>, out: impl Into<PathBuf>, format: ExportFormat) -> Self {
        Self {
            source: source.into(),
            out: out.into(),
            format,
            splits: Vec::new(),
            quality: None,
            shard_records: 10_000,
            threads: 0,
            ignore_free_space: false,
            progress: false,
            observer: Observer::default(),
        }
    }
}

/// What an export wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportSummary {
    /// The form.
    pub format: ExportFormat,
    /// Images of each split.
    pub records: BTreeMap<String, u64>,
    /// Files of images, or with images in them.
    pub files: u64,
    /// Bytes of the images in them.
    pub image_bytes: u64,
    /// Whether the export was complete before, so that nothing was done.
    pub was_complete: bool,
}

/// Writes the images of a dataset as files that other tools read, in the order of the dataset, with what
/// [`ingest`](crate::ingest()) needs to make the same classes, labels and keys of them again.
///
/// Names come from the dataset and are made safe first: nothing is written outside `out` or
/// through a link. The bytes do not depend on the number of threads. Memory is bounded by the
/// index of one shard, some records for each thread, and 32 bytes for each image of an export of folders.
/// Until everything is there, all of it is in a hidden folder, and a folder that an earlier run of the
/// same export left unfinished keeps what is finished.
///
/// # Errors
/// A dataset that cannot be read or differs from its checksums, a split that it does not have, an
/// output folder that holds something else, or too little space. What was finished until then is
/// kept, and nothing else.
pub fn export(options: &ExportOptions) -> Result<ExportSummary, PrepError> {
    let place = Place::new(&options.source)?;
    let (_, manifest) = read_manifest(&place)?;
    let target = target(options, manifest.codec)?;
    let splits = split_names(&manifest, &options.splits)?;
    let context = Context {
        manifest: &manifest,
        extension: if target == Codec::Jpeg { "jpg" } else { "png" },
        shard_records: options.shard_records as u64,
    };
    let make = || Worker::new(options, &manifest);
    // Bad options are found before anything is made.
    drop(make()?);
    let made = format!(
        "export {:?} {splits:?} {:?} {} {VERSION}",
        options.format, options.quality, options.shard_records
    );
    let header = ExportHeader {
        fingerprint: fingerprint(&manifest, &made),
        choices: choices(options, &splits),
    };
    let names = entry_names(options.format, &context, &splits);
    let mut staging = match Staging::begin(&options.out, header.clone(), &names)? {
        Begun::Complete(about) => return Ok(summary(&about, true)),
        Begun::Staging(staging) => *staging,
    };
    let records = splits.iter().map(|name| manifest.splits[*name].records);
    let records = records.fold(0, u64::saturating_add);
    let left = records.saturating_sub(staging.done(None).records);
    if !staging.is_whole() {
        check_space(options, &place, &manifest, target, left)?;
    }
    let progress = Progress::new("export", left, options.progress, &options.observer);
    let folders = match staging.is_whole() {
        true => folder::class_folders(&manifest),
        false => write(options, &place, &context, &splits, &mut staging, &progress)?,
    };
    progress.finish();
    let totals = staging.done(None);
    let about = About {
        version: VERSION,
        format: options.format,
        fingerprint: header.fingerprint,
        splits: splits
            .iter()
            .map(|&name| {
                let split = SplitAbout {
                    records: staging.done(Some(name)).records,
                    labelled: manifest.splits[name].labelled,
                };
                (name.to_owned(), split)
            })
            .collect(),
        files: totals.files,
        image_bytes: totals.image_bytes,
        classes: manifest.classes.clone(),
        folders: match options.format {
            ExportFormat::Folder => folders,
            ExportFormat::WebDataset | ExportFormat::Parquet => Vec::new(),
        },
    };
    staging.publish(&about)?;
    Ok(summary(&about, false))
}

/// The options that the files depend on.
fn choices(options: &ExportOptions, splits: &[&str]) -> Choices {
    let quality = options.quality.map(|quality| quality.to_string());
    let mut splits = splits.to_vec();
    splits.sort_unstable();
    Choices::default()
        .with("--to", options.format.name())
        .with("--splits", splits.join(","))
        .with("--quality", quality.as_deref().unwrap_or("none"))
        .with("--shard-records", options.shard_records)
}

/// Makes what is not finished yet. Returns the folder of each class.
fn write(
    options: &ExportOptions,
    place: &Place,
    context: &Context<'_>,
    splits: &[&str],
    staging: &mut Staging,
    progress: &Progress,
) -> Result<Vec<String>, PrepError> {
    let manifest = context.manifest;
    let folders = folder::class_folders(manifest);
    let mut sink = match options.format {
        ExportFormat::WebDataset => Sink::WebDataset(webdataset::Sink::new(*context)),
        ExportFormat::Folder => Sink::Folder(folder::Sink::new(
            *context,
            &mut staging.tree,
            folders.clone(),
        )?),
        ExportFormat::Parquet => Sink::Parquet(Box::new(parquet::Sink::new(*context))),
    };
    let make = || Worker::new(options, manifest);
    let pool = OrderedPool::new(options.threads).observed(&options.observer);
    for &name in splits {
        let split = &manifest.splits[name];
        let done = staging.done(Some(name));
        sink.begin(&mut staging.tree, name, split.records, done.lines)?;
        let note = |staging: &mut Staging, unit: Option<Unit>| match unit {
            Some(unit) => staging.append(Line::Done {
                split: name.to_owned(),
                records: unit.records,
                files: unit.files,
                image_bytes: unit.image_bytes,
            }),
            None => Ok(()),
        };
        let (mut first, mut skip) = (0_u64, done.records);
        for entry in &split.shards {
            let finished = skip.min(entry.records);
            skip -= finished;
            let start = first;
            first = first.saturating_add(entry.records);
            if finished == entry.records && !sink.counts_all() {
                continue;
            }
            let shard = Shard::open_whole(place, manifest, name, entry, &options.observer)?;
            for i in 0..finished as usize {
                sink.pass(shard.key(i), shard.label(i), start.saturating_add(i as u64))?;
            }
            if finished == entry.records {
                continue;
            }
            let records: Vec<usize> = (finished as usize..shard.len()).collect();
            let work = |worker: &mut Worker, &i: &usize| {
                let image = worker.image(&shard, i)?;
                progress.add(1);
                Ok(Sample {
                    index: start.saturating_add(i as u64),
                    key: shard.key(i).to_owned(),
                    label: shard.label(i),
                    image,
                })
            };
            pool.in_order(&records, make, work, |sample| {
                let unit = sink.add(&mut staging.tree, sample)?;
                note(staging, unit)
            })?;
            let unit = sink.end_shard(&staging.tree)?;
            note(staging, unit)?;
        }
        let unit = sink.end(&mut staging.tree)?;
        note(staging, unit)?;
    }
    if let Sink::Folder(sink) = sink {
        sink.finish(&mut staging.tree)?;
    }
    Ok(folders)
}

fn summary(about: &About, was_complete: bool) -> ExportSummary {
    let records = about.splits.iter();
    ExportSummary {
        format: about.format,
        records: records
            .map(|(name, split)| (name.clone(), split.records))
            .collect(),
        files: about.files,
        image_bytes: about.image_bytes,
        was_complete,
    }
}

/// Bytes that an image takes besides its own, in its file's last block, headers and blocks of a tar, or
/// columns.
const AROUND: u64 = 4096;

fn check_space(
    options: &ExportOptions,
    place: &Place,
    manifest: &Manifest,
    target: Codec,
    left: u64,
) -> Result<(), PrepError> {
    if options.ignore_free_space {
        return Ok(());
    }
    // PNG makes no image much larger, and neither does zstd, after which its bound is taken.
    let bound = match target {
        Codec::Jpeg => target,
        Codec::Raw | Codec::Zstd => Codec::Zstd,
    };
    let around = left.saturating_mul(AROUND);
    let most = left.saturating_mul(space::most_bytes(bound, manifest.shape()));
    let likely = || {
        let mut worker = Worker::new(options, manifest)?;
        let sizes = sample(place, manifest, |shard, i| match manifest.codec {
            Codec::Jpeg => Ok(shard.record_bytes(i) as u64),
            Codec::Raw | Codec::Zstd => Ok(worker.image(shard, i)?.len() as u64),
        })?;
        Ok(space::scaled(&sizes, left).saturating_add(around))
    };
    let advice = match (target, options.quality) {
        (Codec::Jpeg, Some(_)) => "export less (a lower --quality, or --splits)",
        (Codec::Jpeg, None) => "export less (--splits)",
        (Codec::Raw | Codec::Zstd, _) => "export less (--quality for JPEG, or --splits)",
    };
    space::check(&options.out, most.saturating_add(around), likely, advice)
}
