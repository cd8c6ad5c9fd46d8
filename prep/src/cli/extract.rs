//! `prep extract`.

use std::path::PathBuf;

use crate::dataset::{Selector, extract};
use anyhow::Result;
use clap::ArgGroup;

use super::{check_dataset, print};

#[derive(clap::Args)]
#[command(group = ArgGroup::new("record").required(true))]
pub(super) struct Args {
    /// Folder of the dataset, or an address such as s3://bucket/dataset.
    dir: PathBuf,
    /// Key of the record: the name of its source, such as train/n01440764/n01440764_10026.JPEG.
    #[arg(long, group = "record")]
    key: Option<String>,
    /// Index of the record within its split, counting from 0.
    #[arg(long, value_name = "I", group = "record")]
    index: Option<u64>,
    /// Split; by default --key searches all splits and --index counts in train.
    #[arg(long)]
    split: Option<String>,
    /// File to write: .jpg for the stored bytes of a jpeg dataset, .png for the pixels.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace FILE if it exists.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args, called: &str) -> Result<()> {
    check_dataset(&args.dir, called)?;
    let selector = match (&args.key, args.index) {
        (Some(key), _) => Selector::Key(key.clone()),
        (None, index) => Selector::Index(index.unwrap_or_default()),
    };
    let split = args.split.as_deref();
    let image = extract(&args.dir, &selector, split, &args.out, args.force)?;
    print(&format!(
        "{}: {} bytes, {} record {}, {:?}, label {}\n",
        args.out.display(),
        image.bytes,
        image.split,
        image.index,
        image.key,
        image.label
    ))
}
