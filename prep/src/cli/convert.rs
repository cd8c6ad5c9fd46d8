//! `prep convert`.

use std::path::PathBuf;

use crate::dataset::{ConvertOptions, convert};
use anyhow::Result;
use shardmill_formats::Codec;

use super::{check_dataset, interrupt, print, quality, splits_json, splits_text};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Folder of the dataset, or an address such as s3://bucket/dataset.
    dir: PathBuf,
    /// Encoding of the new records: raw, zstd or jpeg.
    #[arg(long)]
    codec: Codec,
    /// JPEG quality, 1 to 100, with --codec jpeg; 90 by default.
    #[arg(long)]
    quality: Option<u8>,
    /// Folder for the new shards. It must not exist, or be empty, or hold the same conversion, which is resumed if
    /// it is unfinished.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
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
    let made = convert(&ConvertOptions {
        quality: quality(args.quality, args.codec),
        threads: args.threads,
        ignore_free_space: args.ignore_free_space,
        progress: true,
        ..ConvertOptions::new(&args.dir, &args.out, args.codec)
    })
    .map_err(interrupt::explain(&args.out))?;
    print(&if args.json {
        splits_json(&made)
    } else {
        splits_text(&made, &args.out)
    })
}
