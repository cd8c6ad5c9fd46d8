//! `loader`: measures how fast a dataset can be loaded.

#![deny(unsafe_code)]

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use shardmill_loader::{BenchReport, Dataset, Layout, Loader, Normalize, Output, Policy, bench};

/// Measures how fast a dataset can be loaded.
#[derive(Parser)]
#[command(name = "loader", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Load whole epochs with the training augmentation and print images a second.
    Bench(BenchArgs),
}

#[derive(Args)]
struct BenchArgs {
    /// Folder of the dataset.
    #[arg(long, value_name = "DIR")]
    shards: PathBuf,
    /// Split to load.
    #[arg(long, default_value = "train")]
    split: String,
    /// Loader threads; 0 loads in the consumer's thread.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Type of the values.
    #[arg(long, value_enum, default_value_t = OutputArg::F32)]
    output: OutputArg,
    /// Order of the axes.
    #[arg(long, value_enum, default_value_t = LayoutArg::Nhwc)]
    layout: LayoutArg,
    /// Samples in a batch.
    #[arg(long, default_value_t = 256)]
    batch_size: usize,
    /// Side of the window; the paper's 224 if the records are larger, else theirs.
    #[arg(long)]
    crop: Option<u32>,
    /// Time to measure for, after one pass that is not counted; at least three passes are made.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Print one JSON object on one line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum OutputArg {
    F32,
    F16,
    Bf16,
    U8,
}

#[derive(Clone, Copy, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum LayoutArg {
    Nhwc,
    Nchw,
}

/// What was measured, and how.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    report: BenchReport,
    codec: shardmill_formats::Codec,
    threads: usize,
    output: OutputArg,
    layout: LayoutArg,
    batch_size: usize,
    crop: u32,
    checksums: &'static str,
}

fn main() -> ExitCode {
    let Command::Bench(args) = Cli::parse().command;
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", message(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &BenchArgs) -> Result<()> {
    let duration =
        Duration::try_from_secs_f64(args.seconds).context("--seconds: give a time above zero")?;
    let dataset = Dataset::open(&args.shards, &args.split)?;
    let (shape, codec) = (dataset.shape(), dataset.codec());
    let crop = args
        .crop
        .unwrap_or_else(|| shape.height.min(shape.width).min(224));
    let has_statistics = dataset.manifest().statistics.is_some();
    let loader = Loader::builder(dataset)
        .batch_size(args.batch_size)
        .threads(args.threads)
        .policy(Policy::Train {
            crop,
            flip: true,
            color_std: if has_statistics { 0.1 } else { 0.0 },
        })
        .normalize(Normalize {
            mean: [123.675, 116.28, 103.53],
            std: [58.395, 57.12, 57.375],
        })
        .output(match args.output {
            OutputArg::F32 => Output::F32,
            OutputArg::F16 => Output::F16,
            OutputArg::Bf16 => Output::Bf16,
            OutputArg::U8 => Output::U8,
        })
        .layout(match args.layout {
            LayoutArg::Nhwc => Layout::Nhwc,
            LayoutArg::Nchw => Layout::Nchw,
        })
        .build()?;
    let line = Line {
        report: bench(&loader, duration)?,
        codec,
        threads: args.threads,
        output: args.output,
        layout: args.layout,
        batch_size: args.batch_size,
        crop,
        checksums: "on the first read of a record",
    };
    let text = if args.json {
        serde_json::to_string(&line)? + "\n"
    } else {
        table(&line)
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("standard output")
}

fn table(line: &Line) -> String {
    let report = &line.report;
    let unknown = || "unknown".to_owned();
    let cpu = report
        .cpu_ms_per_image
        .map_or_else(unknown, |ms| format!("{ms:.4} ms"));
    let rss = report
        .peak_rss_mb
        .map_or_else(unknown, |mb| format!("{mb} MB, mapped shards included"));
    format!(
        "images a second    {:.0}  (median of {} passes over {} images; {:.0} to {:.0})\n\
         CPU time an image  {cpu}\n\
         peak memory        {rss}\n\
         batches under way  {:.0} MB\n\
         pixels written     {:.1} GB/s, {:.0}% of what memory takes ({:.1}; copying {:.1})\n\
         checksums          compared {}\n",
        report.images_per_second,
        report.passes,
        report.images,
        report.min,
        report.max,
        report.buffer_bytes as f64 / 1e6,
        report.bytes_per_second / 1e9,
        report.bytes_per_second / report.store_limit * 1e2,
        report.store_limit / 1e9,
        report.copy_limit / 1e9,
        line.checksums,
    )
}

/// The error with its causes, without those that it quotes itself.
fn message(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |text, cause| {
        let cause = cause.to_string();
        match text.as_str() {
            "" => cause,
            text if text.ends_with(&cause) => text.to_owned(),
            text => format!("{text}: {cause}"),
        }
    })
}
