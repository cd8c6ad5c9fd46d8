//! The commands: each with its arguments and what it prints.

pub(crate) mod convert;
pub(crate) mod export;
pub(crate) mod extract;
pub(crate) mod ingest;
pub(crate) mod inspect;
mod interrupt;
pub(crate) mod merge;
pub(crate) mod plan;
pub(crate) mod subset;
pub(crate) mod verify;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use shardmill_formats::{Manifest, Printable, Split, printable_lines};
use shardmill_prep::{MOST_THREADS, Rewritten, unfinished};

fn check_dataset(dir: &Path) -> Result<()> {
    if dir.join(shardmill_formats::MANIFEST_FILE).is_file() {
        return Ok(());
    }
    if let Some(work) = unfinished(dir) {
        bail!(
            "{} holds a dataset that is not finished: the `prep {work}` that makes it goes on from there",
            dir.display()
        );
    }
    bail!(
        "{} holds no manifest.json: give the folder that `prep ingest SRC --out DIR` made",
        dir.display()
    )
}

/// A number of threads.
fn threads(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&number| number <= MOST_THREADS);
    number.ok_or_else(|| format!("give 0, for one on each core, or a number up to {MOST_THREADS}"))
}

/// Splits by their names, which were checked.
fn without(names: &[String]) -> Vec<&'static str> {
    let splits = ["train", "val", "test"].into_iter();
    splits
        .filter(|split| names.iter().any(|name| name == split))
        .collect()
}

/// Prints lines or JSON to standard output, with control characters escaped; a closed pipe (`| head`)
/// is not an error. Together with [`say`], all that this program prints.
fn print(text: &str) -> Result<()> {
    let text = printable_lines(text);
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("standard output"),
    }
}

/// A line about records whose images were not quite right, if there are any.
fn warned_text(warned: &BTreeMap<String, u64>) -> String {
    if warned.is_empty() {
        return String::new();
    }
    let reasons = warned
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"));
    format!(
        "{} images not quite right, all pixels there ({})\n",
        warned.values().sum::<u64>(),
        reasons.collect::<Vec<_>>().join(", ")
    )
}

/// Said where the folder holds what would be made.
fn complete_already(out: &Path) -> String {
    format!("{} is complete already: nothing was done\n", out.display())
}

/// Prints one line to standard error, with control characters escaped.
pub(crate) fn say(line: &str) {
    eprintln!("{}", Printable(line));
}

/// What a new dataset consists of, for a person.
fn splits_text(made: &Rewritten, out: &Path) -> String {
    let manifest = &made.manifest;
    let mut text = match made.was_complete {
        true => complete_already(out),
        false => String::new(),
    };
    for (name, split) in &manifest.splits {
        text += &format!(
            "{name}: {} records in {} shards, {:.1} MB\n",
            split.records,
            split.shards.len(),
            bytes(split) as f64 / 1e6
        );
    }
    let (classes, codec) = (manifest.classes.len(), manifest.codec);
    text + &format!("{classes} classes, codec {codec}, {}\n", out.display())
}

/// What a new dataset consists of, as one JSON object.
fn splits_json(made: &Rewritten) -> String {
    let manifest: &Manifest = &made.manifest;
    let splits = manifest.splits.iter();
    let records: serde_json::Map<_, _> = splits
        .clone()
        .map(|(name, split)| (name.clone(), split.records.into()))
        .collect();
    let object = serde_json::json!({
        "records": records,
        "classes": manifest.classes.len(),
        "codec": manifest.codec,
        "was_complete": made.was_complete,
        "bytes": splits.map(|(_, split)| bytes(split)).sum::<u64>(),
    });
    format!("{object}\n")
}

fn bytes(split: &Split) -> u64 {
    split.shards.iter().map(|shard| shard.bytes).sum()
}
