//! `prep ingest`.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Result;
use shardmill_formats::Codec;
use shardmill_prep::{IngestOptions, IngestSummary, ingest};

use super::print;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder with `train/<class>/` and perhaps `val/<class>/`, or with `<class>/` folders.
    src: PathBuf,
    /// Folder for the shards; must not exist, or be empty.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// raw: fastest to load, largest; zstd: lossless, about 1.5 times smaller; jpeg: about 9 times smaller.
    #[arg(long, default_value = "raw")]
    codec: Codec,
    /// JPEG quality, 1 to 100.
    #[arg(long, default_value_t = 90)]
    quality: u8,
    /// Side of the square records, in pixels.
    #[arg(long, default_value_t = 256)]
    size: u32,
    /// Images planned for each shard.
    #[arg(long, value_name = "N", default_value_t = 4096)]
    shard_records: usize,
    /// Seed of the shuffle and the split.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Decoding threads; 0 means one for each core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Share of each class that becomes the split `val`, if SRC has no split of its own.
    #[arg(long, value_name = "F", default_value_t = 0.0)]
    val_fraction: f64,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let options = IngestOptions {
        codec: args.codec,
        quality: args.quality,
        size: args.size,
        shard_records: args.shard_records,
        seed: args.seed,
        threads: args.threads,
        val_fraction: args.val_fraction,
        progress: true,
        ..IngestOptions::new(&args.src, &args.out)
    };
    if !args.json && std::io::stderr().is_terminal() {
        eprintln!("reading class folders of {}", args.src.display());
    }
    let summary = ingest(&options)?;
    let text = if args.json {
        summary_json(&summary)
    } else {
        summary_text(args, &summary)
    };
    print(&text)
}

fn summary_text(args: &Args, summary: &IngestSummary) -> String {
    let manifest = &summary.manifest;
    let mut text = String::new();
    for (name, split) in &manifest.splits {
        let bytes: u64 = split.shards.iter().map(|shard| shard.bytes).sum();
        let (shards, megabytes) = (split.shards.len(), bytes as f64 / 1e6);
        text += &format!(
            "{name}: {} records in {shards} shards, {megabytes:.1} MB\n",
            split.records
        );
    }
    let classes = manifest.classes.len();
    text += &format!(
        "{} images of {classes} classes in {:.1} s ({:.0} a second), codec {}, {}\n",
        summary.images(),
        summary.seconds,
        summary.images_per_second(),
        manifest.codec,
        args.out.display()
    );
    if summary.ignored > 0 {
        text += &format!(
            "{} files that are no images by name (.DS_Store and the like) were passed over\n",
            summary.ignored
        );
    }
    if !summary.rejects.is_empty() {
        let reasons = summary
            .rejects_by_reason()
            .into_iter()
            .map(|(reason, count)| format!("{count} {reason}"));
        let file = args.out.join("rejects.jsonl");
        text += &format!(
            "{} images rejected ({}); each is named in {}\n",
            summary.rejects.len(),
            reasons.collect::<Vec<_>>().join(", "),
            file.display()
        );
    }
    text
}

fn summary_json(summary: &IngestSummary) -> String {
    let splits = summary.manifest.splits.iter();
    let splits: serde_json::Map<_, _> = splits
        .map(|(name, split)| (name.clone(), split.records.into()))
        .collect();
    let object = serde_json::json!({
        "images": summary.images(),
        "records": splits,
        "classes": summary.manifest.classes.len(),
        "codec": summary.manifest.codec,
        "rejects": summary.rejects_by_reason(),
        "ignored": summary.ignored,
        "seconds": summary.seconds,
        "images_per_second": summary.images_per_second(),
    });
    format!("{object}\n")
}
