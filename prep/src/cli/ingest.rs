//! `prep ingest`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::array_task::ArrayTask;
use super::byte_size::ByteSize;
use super::part_choice::PartChoice;
use crate::decode::{Check, Exif, Filter, Resize, Truncated};
use crate::ingest::{Ingested, RejectLine, ingest_part};
use crate::io::Place;
use crate::source::PassedOver;
use crate::{DecodeOptions, IngestOptions, IngestSummary, Layout, MaxRejects, OnError};
use anyhow::Result;
use shardmill_formats::{Codec, Printable, counted};

use super::{
    complete_already, interrupt, print, quality, refuse_address, refuse_dataset, say, split_text,
    warned_text, without,
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Folder with `train/<class>/` and perhaps `val/<class>/` and `test/`, or with `<class>/` folders;
    /// with the official ILSVRC2012 tars; Kaggle's download; WebDataset's tars or Parquet files, in a folder
    /// or a single one; a .csv or .tsv list of paths and labels.
    src: PathBuf,
    /// Folder for the shards, or an address such as s3://bucket/dataset. It must not exist, or be empty, or hold the
    /// same ingest, which is resumed if it is unfinished.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// With an address as --out: folder in which shards are made, a few at a time, before they are uploaded; by
    /// default the one for temporary files.
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Form of SRC: class-folders, official-tars, kaggle, list, webdataset, parquet or unlabelled;
    /// detected by default.
    #[arg(long)]
    layout: Option<Layout>,
    /// Make only share I of N of the shards, on this machine; `prep merge` completes the dataset. `auto` takes both
    /// from a job array of Slurm or AWS Batch, from srun or from Open MPI; `auto/N` takes I from there, or from an
    /// Indexed Job of Kubernetes.
    #[arg(long, value_name = "I/N", default_value = "0/1")]
    part: PartChoice,
    /// raw: fastest to load, largest; zstd: lossless, about 1.5 times smaller; jpeg: about 9 times smaller.
    #[arg(long, default_value = "raw")]
    codec: Codec,
    /// JPEG quality, 1 to 100, with --codec jpeg; 90 by default.
    #[arg(long)]
    quality: Option<u8>,
    /// Side of the square records, in pixels.
    #[arg(long, default_value_t = 256)]
    size: u32,
    /// short-side: scale the shorter side and keep the centre square; squash: scale each side independently.
    #[arg(long, default_value = "short-side")]
    resize: Resize,
    /// bilinear, bicubic, lanczos3 or box, each antialiased.
    #[arg(long, default_value = "bilinear")]
    filter: Filter,
    /// EXIF orientation: ignore it, or apply it. TIFF orientation is always applied.
    #[arg(long, default_value = "ignore")]
    exif: Exif,
    /// JPEGs whose data ends early or is damaged: reject them, or pad them with grey.
    #[arg(long, default_value = "reject")]
    truncated: Truncated,
    /// Where to look for damage in JPEGs: in what must be decoded, or in the whole file, which takes longer.
    #[arg(long, default_value = "decoded")]
    check: Check,
    /// Images that cannot be used: reject and list them, or stop at the first.
    #[arg(long, default_value = "reject")]
    on_error: OnError,
    /// Stop once more than this many images are rejected: a number, or a percentage such as 0.5%.
    #[arg(long, value_name = "N|P%")]
    max_rejects: Option<MaxRejects>,
    /// Images planned for each shard.
    #[arg(long, value_name = "N", default_value_t = 4096)]
    shard_records: usize,
    /// Seed of the shuffle and the split.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Decoding threads; 0 means one for each core.
    #[arg(long, value_name = "N", default_value = "0", value_parser = super::threads)]
    threads: usize,
    /// Memory for decoding large images on all threads together, such as 512M or 4G; by default a quarter of the
    /// free memory. An image that needs more is decoded alone.
    #[arg(long, value_name = "BYTES")]
    decode_memory: Option<ByteSize>,
    /// Share of each class that becomes the split `val`, if SRC has no split of its own.
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    val_fraction: f64,
    /// Proceed even if the disk seems to have too little free space.
    #[arg(long)]
    ignore_free_space: bool,
    /// Leave out a split of SRC: train, val or test; may be repeated.
    #[arg(long, value_name = "SPLIT", value_parser = ["train", "val", "test"])]
    without: Vec<String>,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, called: &str) -> Result<()> {
    refuse_address(&args.src)?;
    refuse_dataset(&args.src, called)?;
    let (part, task) = args.part.resolve()?;
    // Before anything is said of it: it may hold what must not be printed.
    if Place::new(&args.out)?.is_folder() && args.work.is_some() {
        say("note: --work is not used: shards are made in --out, which is a folder");
    }
    if let Some(task) = &task {
        say(&task.to_string());
    }
    let layout = match args.layout {
        Some(layout) => layout,
        None => Layout::recognise(&args.src, &args.out)?,
    };
    say(&format!("{}: {}", args.src.display(), layout.description()));
    let options = IngestOptions {
        layout: args.layout,
        part,
        work: args.work.clone(),
        codec: args.codec,
        quality: quality(args.quality, args.codec),
        size: args.size,
        decode: DecodeOptions {
            resize: args.resize,
            filter: args.filter,
            exif: args.exif,
            truncated: args.truncated,
            check: args.check,
        },
        on_error: args.on_error,
        max_rejects: args.max_rejects,
        shard_records: args.shard_records,
        seed: args.seed,
        threads: args.threads,
        decode_memory: args.decode_memory.map(|size| size.0),
        val_fraction: args.val_fraction,
        ignore_free_space: args.ignore_free_space,
        without: without(&args.without),
        progress: true,
        ..IngestOptions::new(&args.src, &args.out)
    };
    let _listening = interrupt::listen(&args.out)?;
    let done = ingest_part(&options).map_err(interrupt::explain(&args.out))?;
    print(&match (&done, args.json) {
        (Ingested::Dataset(summary), true) => dataset_json(summary, task.as_ref())? + "\n",
        (Ingested::Dataset(summary), false) => summary_text(&args.out, summary),
        (
            Ingested::Part {
                shards,
                rejects,
                warned,
                warnings,
                passed_over,
                notes,
                seconds,
            },
            json,
        ) => {
            if json {
                let object = serde_json::json!({
                    "part": part.index, "parts": part.parts, "part_from": task.map(|task| task.variable),
                    "shards": shards,
                    "rejects": done.rejects_by_reason(), "warned": warned, "warnings": warnings,
                    "passed_over": passed_over,
                    "notes": notes, "seconds": seconds,
                });
                format!("{object}\n")
            } else {
                let out = args.out.display();
                let found = found_text(passed_over, notes);
                let rejected = rejects.first().map(|first| {
                    let counts = rejects_text(&done.rejects_by_reason());
                    let RejectLine { key, message, .. } = first;
                    format!("{counts}, the first: {key}: {message}; {called} merge lists all\n")
                });
                format!(
                    "part {part}: {} in {seconds:.1} s; when every part is finished: {called} merge {out}\n\
                     {found}{}{}",
                    counted(*shards, "shard", "shards"),
                    rejected.unwrap_or_default(),
                    warned_text(warned, warnings)
                )
            }
        }
    })
}

/// The summary as JSON, with the variable that the part was taken from if a scheduler gave one.
fn dataset_json(summary: &IngestSummary, task: Option<&ArrayTask>) -> Result<String> {
    let json = summary.to_json();
    let Some(task) = task else {
        return Ok(json);
    };
    let mut object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json)?;
    object.insert("part".to_owned(), task.part.index.into());
    object.insert("parts".to_owned(), task.part.parts.into());
    object.insert("part_from".to_owned(), task.variable.into());
    Ok(serde_json::to_string(&object)?)
}

/// What of the source was not used, and how it was read.
fn found_text(passed_over: &PassedOver, notes: &[String]) -> String {
    let notes = notes
        .iter()
        .map(|note| format!("note: {}\n", Printable(note)));
    passed_over.to_string() + &notes.collect::<String>()
}

/// The number of rejects, with the reasons.
fn rejects_text(by_reason: &BTreeMap<&str, u64>) -> String {
    let reasons = by_reason
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"));
    let (count, reasons) = (
        by_reason.values().sum::<u64>(),
        reasons.collect::<Vec<_>>().join(", "),
    );
    format!("{} rejected ({reasons})", counted(count, "image", "images"))
}

fn summary_text(out: &Path, summary: &IngestSummary) -> String {
    let manifest = &summary.manifest;
    let mut text = match summary.was_complete {
        true => complete_already(out),
        false => String::new(),
    };
    for (name, split) in &manifest.splits {
        let bytes: u64 = split.shards.iter().map(|shard| shard.bytes).sum();
        text += &split_text(name, split, bytes);
    }
    let classes = manifest.classes.len();
    // If nothing was done, there is no speed to show.
    let time = match summary.was_complete {
        true => String::new(),
        false => format!(
            " in {:.1} s ({:.0} a second)",
            summary.seconds,
            summary.images_per_second()
        ),
    };
    text += &format!(
        "{} of {}{time}, codec {}, {}\n",
        counted(summary.images(), "image", "images"),
        counted(classes, "class", "classes"),
        manifest.codec,
        out.display()
    );
    text += &found_text(&summary.passed_over, &summary.notes);
    if !summary.rejects.is_empty() {
        let (counts, file) = (
            rejects_text(&summary.rejects_by_reason()),
            out.join("rejects.jsonl"),
        );
        text += &format!("{counts}; all are listed in {}\n", file.display());
    }
    text += &warned_text(&summary.warned, &summary.warnings);
    text
}
