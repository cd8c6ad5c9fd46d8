//! `prep`: image trees to shards.

#![forbid(unsafe_code)]

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};
use shardmill_formats::Codec;
use shardmill_prep::{IngestOptions, IngestSummary, ingest, inspect, montage, verify};

/// Turns image trees into Shardmill shards, once.
#[derive(Parser)]
#[command(name = "prep", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Decode, resize and pack the images of SRC into shards.
    Ingest(IngestArgs),
    /// Reread every record of a dataset against its checksum.
    Verify(VerifyArgs),
    /// Print what a dataset consists of.
    Inspect(InspectArgs),
}

#[derive(Args)]
struct IngestArgs {
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

#[derive(Args)]
struct VerifyArgs {
    /// Folder of the dataset.
    dir: PathBuf,
    /// Threads; 0 means one for each core. Each holds one shard in memory.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct InspectArgs {
    /// Folder of the dataset.
    dir: PathBuf,
    /// Write a contact sheet of some records with their classes.
    #[arg(long, value_name = "FILE.png")]
    montage: Option<PathBuf>,
    /// Print manifest and class counts as one JSON object.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Ingest(args) => run_ingest(&args),
        Command::Verify(args) => run_verify(&args),
        Command::Inspect(args) => run_inspect(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_ingest(args: &IngestArgs) -> Result<()> {
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

fn summary_text(args: &IngestArgs, summary: &IngestSummary) -> String {
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

fn run_verify(args: &VerifyArgs) -> Result<()> {
    check_dataset(&args.dir)?;
    let result = verify(&args.dir, args.threads, true)?;
    if args.json {
        print(&(serde_json::to_string(&result)? + "\n"))?;
    } else {
        for fault in &result.faults {
            let record = fault
                .record
                .map(|record| format!(", record {record}"))
                .unwrap_or_default();
            eprintln!("{}{record}: {}", fault.shard, fault.message);
        }
        print(&format!(
            "{} records in {} shards, {:.1} MB: {} faults\n",
            result.records,
            result.shards,
            result.bytes as f64 / 1e6,
            result.faults.len()
        ))?;
    }
    if result.faults.is_empty() {
        return Ok(());
    }
    bail!(
        "{} is damaged: restore the shards named above from a copy, or ingest again",
        args.dir.display()
    )
}

fn run_inspect(args: &InspectArgs) -> Result<()> {
    check_dataset(&args.dir)?;
    let inspection = inspect(&args.dir)?;
    if let Some(target) = &args.montage {
        montage(&args.dir, target)?;
    }
    print(&if args.json {
        serde_json::to_string(&inspection)? + "\n"
    } else {
        inspection.to_string()
    })?;
    if let Some(target) = &args.montage {
        eprintln!("contact sheet: {}", target.display());
    }
    Ok(())
}

fn check_dataset(dir: &std::path::Path) -> Result<()> {
    if dir.join(shardmill_formats::MANIFEST_FILE).is_file() {
        return Ok(());
    }
    bail!(
        "{} holds no manifest.json: give the folder that `prep ingest SRC --out DIR` made",
        dir.display()
    )
}

/// Prints to standard output; a closed pipe (`| head`) is not an error.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("standard output"),
    }
}
