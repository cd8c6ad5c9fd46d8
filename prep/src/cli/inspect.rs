//! `prep inspect`.

use std::path::PathBuf;

use crate::dataset::{inspect, montage};
use anyhow::Result;

use super::{check_dataset, print, say};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Folder of the dataset, or an address such as s3://bucket/dataset.
    dir: PathBuf,
    /// Write a contact sheet of some records with their classes.
    #[arg(long, value_name = "FILE.png")]
    montage: Option<PathBuf>,
    /// Replace the contact sheet's file if it exists.
    #[arg(long, requires = "montage")]
    force: bool,
    /// Print manifest and class counts as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, called: &str) -> Result<()> {
    check_dataset(&args.dir, called)?;
    let inspection = inspect(&args.dir)?;
    if let Some(target) = &args.montage {
        montage(&args.dir, target, args.force)?;
    }
    print(&if args.json {
        inspection.to_json() + "\n"
    } else {
        inspection.to_string()
    })?;
    if let Some(target) = &args.montage {
        say(&format!("contact sheet: {}", target.display()));
    }
    Ok(())
}
