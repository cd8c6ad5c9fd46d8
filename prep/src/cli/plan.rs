//! `prep plan`.

use std::path::PathBuf;

use crate::{IngestOptions, Layout, estimate};
use anyhow::Result;

use super::{print, refuse_address, refuse_dataset, without};

#[derive(clap::Args)]
pub(super) struct Args {
    /// The source, as for `prep ingest`.
    src: PathBuf,
    /// Form of SRC: class-folders, official-tars, kaggle, list, webdataset, parquet or unlabelled;
    /// detected by default.
    #[arg(long)]
    layout: Option<Layout>,
    /// Side of the square records, in pixels.
    #[arg(long, default_value_t = 256)]
    size: u32,
    /// Threads; 0 means one for each core.
    #[arg(long, value_name = "N", default_value = "0", value_parser = super::threads)]
    threads: usize,
    /// Images to decode and encode for the estimate.
    #[arg(long, value_name = "N", default_value_t = 200)]
    sample: usize,
    /// Leave out a split of SRC: train, val or test; may be repeated.
    #[arg(long, value_name = "SPLIT", value_parser = ["train", "val", "test"])]
    without: Vec<String>,
    /// Print the estimate as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, called: &str) -> Result<()> {
    refuse_address(&args.src)?;
    refuse_dataset(&args.src, called)?;
    let options = IngestOptions {
        layout: args.layout,
        size: args.size,
        threads: args.threads,
        without: without(&args.without),
        // Nothing is written there.
        ..IngestOptions::new(&args.src, "")
    };
    let estimate = estimate(&options, args.sample)?;
    print(&match args.json {
        true => serde_json::to_string(&estimate)? + "\n",
        false => estimate.to_string(),
    })
}
