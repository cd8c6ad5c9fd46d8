//! `prep subset`.

use std::path::{Path, PathBuf};

use crate::dataset::{SubsetOptions, subset};
use anyhow::{Context, Result};

use super::{check_dataset, interrupt, print, say, splits_json, splits_text};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Folder of the dataset, or an address such as s3://bucket/dataset.
    dir: PathBuf,
    /// Folder for the new shards. It must not exist, or be empty, or hold the same subset, which is resumed if it is
    /// unfinished.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Classes to keep, by synset, name or synonym: a file with one per line, or a list separated by commas. Every
    /// class with a given name is kept. Labels are renumbered in the order of synsets.
    #[arg(long, value_name = "FILE|A,B,C")]
    classes: Option<String>,
    /// Share of each class of each split to keep, above 0 and at most 1; at least one record stays.
    #[arg(long, value_name = "F", default_value_t = 1.0)]
    fraction: f64,
    /// Seed of the choice of records.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Maximum number of records to keep per class in each split.
    #[arg(long, value_name = "N")]
    per_class: Option<u64>,
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
    if args.classes.is_none() && args.fraction == 1.0 && args.per_class.is_none() {
        say("note: without --classes, --fraction or --per-class every record is copied");
    }
    let _listening = interrupt::listen(&args.out)?;
    let made = subset(&SubsetOptions {
        classes: args.classes.as_deref().map(classes).transpose()?,
        fraction: args.fraction,
        per_class: args.per_class,
        seed: args.seed,
        threads: args.threads,
        ignore_free_space: args.ignore_free_space,
        progress: true,
        ..SubsetOptions::new(&args.dir, &args.out)
    })
    .map_err(interrupt::explain(&args.out))?;
    print(&if args.json {
        splits_json(&made)
    } else {
        splits_text(&made, &args.out)
    })
}

/// The lines of a file, if there is one of that name; otherwise the items of a list.
fn classes(text: &str) -> Result<Vec<String>> {
    let path = Path::new(text);
    let words: Vec<String> = if path.is_file() {
        let lines = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        say(&format!(
            "classes are read from the file {}",
            path.display()
        ));
        // Some editors write a byte order mark.
        let lines = lines.strip_prefix('\u{feff}').unwrap_or(&lines);
        lines.lines().map(str::to_owned).collect()
    } else {
        text.split(',').map(str::to_owned).collect()
    };
    let words = words.iter().map(|word| word.trim().to_owned());
    Ok(words.filter(|word| !word.is_empty()).collect())
}
