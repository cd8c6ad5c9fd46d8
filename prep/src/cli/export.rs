//! `prep export`.

use std::path::PathBuf;
use std::time::Instant;

use crate::dataset::{ExportFormat, ExportOptions, export};
use anyhow::Result;

use super::{check_dataset, complete_already, interrupt, print};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Folder of the dataset, or an address such as s3://bucket/dataset.
    dir: PathBuf,
    /// webdataset: tar files; folder: SPLIT/SYNSET/NAME.jpg; parquet: as Hugging Face datasets reads it.
    #[arg(long, value_name = "webdataset|folder|parquet")]
    to: ExportFormat,
    /// Folder for the files. It must not exist, or be empty, or hold the same export, which is resumed if it is
    /// unfinished.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Splits, separated by commas; all by default.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    splits: Vec<String>,
    /// Export raw and zstd records as JPEG of this quality, 1 to 100; as PNG by default. Records of codec jpeg are
    /// exported as stored.
    #[arg(long, value_name = "Q")]
    quality: Option<u8>,
    /// Images in each tar or Parquet file.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    shard_records: usize,
    /// Threads; 0 means one for each core.
    #[arg(long, value_name = "N", default_value = "0", value_parser = super::threads)]
    threads: usize,
    /// Proceed even if the disk seems to have too little free space.
    #[arg(long)]
    ignore_free_space: bool,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, called: &str) -> Result<()> {
    check_dataset(&args.dir, called)?;
    let _listening = interrupt::listen(&args.out)?;
    let start = Instant::now();
    let summary = export(&ExportOptions {
        splits: args.splits.clone(),
        quality: args.quality,
        shard_records: args.shard_records,
        threads: args.threads,
        ignore_free_space: args.ignore_free_space,
        progress: true,
        ..ExportOptions::new(&args.dir, &args.out, args.to)
    })
    .map_err(interrupt::explain(&args.out))?;
    if args.json {
        return print(&(serde_json::to_string(&summary)? + "\n"));
    }
    let mut text = match summary.was_complete {
        true => complete_already(&args.out),
        false => String::new(),
    };
    for (split, records) in &summary.records {
        text += &format!("{split}: {records} images\n");
    }
    text += &format!(
        "{} files, {:.1} MB of images in {:.1} s, {}\n",
        summary.files,
        summary.image_bytes as f64 / 1e6,
        start.elapsed().as_secs_f64(),
        args.out.display()
    );
    print(&text)
}
