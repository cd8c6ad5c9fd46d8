//! `prep convert`.

use std::path::PathBuf;

use anyhow::Result;
use shardmill_formats::Codec;
use shardmill_prep::{ConvertOptions, convert};

use super::{check_dataset, print, splits_json, splits_text};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of the dataset.
    dir: PathBuf,
    /// Encoding of the new records: raw, zstd or jpeg.
    #[arg(long)]
    codec: Codec,
    /// JPEG quality, 1 to 100.
    #[arg(long, default_value_t = 90)]
    quality: u8,
    /// Folder for the new shards; must not exist, or be empty.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Threads; 0 means one for each core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    check_dataset(&args.dir)?;
    let manifest = convert(&ConvertOptions {
        quality: args.quality,
        threads: args.threads,
        progress: true,
        ..ConvertOptions::new(&args.dir, &args.out, args.codec)
    })?;
    print(&if args.json {
        splits_json(&manifest)
    } else {
        splits_text(&manifest, &args.out)
    })
}
