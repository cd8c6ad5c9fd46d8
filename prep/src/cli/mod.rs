//! The commands: each with its arguments and what it prints.

mod array_task;
mod byte_size;
mod convert;
mod export;
mod extract;
mod ingest;
mod inspect;
mod interrupt;
mod merge;
mod part_choice;
mod plan;
mod program;
mod subset;
mod verify;

pub use program::run_command_line;

use std::collections::BTreeMap;
use std::path::Path;

use crate::dataset::Rewritten;
use crate::decode::Warning;
use crate::ingest::WarningLine;
use crate::io::Place;
use crate::io::pool::MAX_THREADS;
use crate::unfinished;
use anyhow::{Result, bail};
use shardmill_formats::{
    Codec, EncodeOptions, Manifest, Printable, Split, console, counted, errln, size,
};

/// Refuses a folder without a dataset. `called` is what the user calls this program.
fn check_dataset(dir: &Path, called: &str) -> Result<()> {
    // What is at an address is known when its manifest is read.
    if !Place::new(dir)?.is_folder() {
        return Ok(());
    }
    if dir.join(shardmill_formats::MANIFEST_FILE).is_file() {
        return Ok(());
    }
    if let Some(work) = unfinished(dir) {
        if work == "write" {
            bail!(
                "{} holds a dataset that a program is still writing, or did not finish: if it has ended, remove \
                 the folder and write the dataset again",
                dir.display()
            );
        }
        bail!(
            "{} holds a dataset that is not finished: the `{called} {work}` that makes it resumes it",
            dir.display()
        );
    }
    bail!(
        "{} holds no manifest.json: give the folder that `{called} ingest SRC --out DIR` made",
        dir.display()
    )
}

/// Refuses an address where images are asked for.
fn refuse_address(source: &Path) -> Result<()> {
    match Place::new(source)?.is_folder() {
        true => Ok(()),
        false => bail!(
            "images are read from a folder or a file, and not from an address: copy them to a disk first"
        ),
    }
}

/// Refuses shards where images are asked for. `called` is what the user calls this program.
fn refuse_dataset(source: &Path, called: &str) -> Result<()> {
    let path = source.join(shardmill_formats::MANIFEST_FILE);
    // Another file of that name may be of any length, or a FIFO.
    let may_be =
        std::fs::metadata(&path).is_ok_and(|data| data.is_file() && data.len() <= 64 << 20);
    if may_be && std::fs::read(&path).is_ok_and(|bytes| Manifest::parse(&bytes).is_ok()) {
        bail!(
            "{} is a dataset of shards already: give the images that it was made of, or make another dataset \
             of it with `{called} convert` (another codec) or `{called} subset` (some classes, or a share)",
            source.display()
        );
    }
    Ok(())
}

/// The given JPEG quality, or the default. A note says so if the codec has no quality.
fn quality(given: Option<u8>, codec: Codec) -> u8 {
    let usual = EncodeOptions::default().jpeg_quality;
    match (given, codec) {
        (Some(given), Codec::Jpeg) => given,
        // Invalid values are refused later, whatever the codec is.
        (Some(given @ (0 | 101..)), _) => given,
        (Some(given), _) => {
            say(&format!(
                "note: --quality {given} is not used: codec {codec} has none"
            ));
            usual
        }
        (None, _) => usual,
    }
}

/// A number of threads.
fn threads(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&number| number <= MAX_THREADS);
    number.ok_or_else(|| format!("give 0, for one on each core, or a number up to {MAX_THREADS}"))
}

/// Splits by their names, which were checked.
fn without(names: &[String]) -> Vec<&'static str> {
    let splits = ["train", "val", "test"].into_iter();
    splits
        .filter(|split| names.iter().any(|name| name == split))
        .collect()
}

/// Prints lines or JSON to standard output; see [`console`] on closed pipes. This program prints only through this
/// and [`say`].
fn print(text: &str) -> Result<()> {
    console::print(text)?;
    Ok(())
}

/// Lines about records with warnings, if there are any: those with all of their pixels, and those without, each
/// with the first names.
fn warned_text(warned: &BTreeMap<String, u64>, warnings: &[WarningLine]) -> String {
    const NAMED: usize = 5;
    let has_all = |code: &str| {
        let mut known = Warning::ALL.iter();
        let warning = known.find(|warning| warning.code() == code);
        warning.is_none_or(|warning| warning.has_all_pixels())
    };
    let mut text = String::new();
    for (whole, what) in [
        (true, "not quite right, all pixels there"),
        (false, "kept without all of their pixels"),
    ] {
        let found = || warned.iter().filter(|(code, _)| has_all(code) == whole);
        let count: u64 = found().map(|(_, count)| count).sum();
        if count == 0 {
            continue;
        }
        let reasons: Vec<String> = found()
            .map(|(code, count)| format!("{count} {code}"))
            .collect();
        let lines = warnings
            .iter()
            .filter(|line| has_all(&line.warning) == whole);
        let names: Vec<&str> = lines.take(NAMED).map(|line| &*line.key).collect();
        let more = count.saturating_sub(names.len() as u64);
        text += &format!(
            "{} {what} ({}): {}",
            counted(count, "image", "images"),
            reasons.join(", "),
            names.join(", ")
        );
        text += &match more {
            0 => "\n".to_owned(),
            more => format!(" and {more} more (an ingest with --json names all)\n"),
        };
    }
    text
}

/// The message for an output folder that is complete already.
fn complete_already(out: &Path) -> String {
    format!("{} is complete already: nothing was done\n", out.display())
}

/// Prints one line to standard error, with control characters escaped.
fn say(line: &str) {
    errln!("{}", Printable(line));
}

/// What a new dataset consists of, for a person.
fn splits_text(made: &Rewritten, out: &Path) -> String {
    let manifest = &made.manifest;
    let mut text = match made.was_complete {
        true => complete_already(out),
        false => String::new(),
    };
    for (name, split) in &manifest.splits {
        text += &split_text(name, split, bytes(split));
    }
    let (classes, codec) = (manifest.classes.len(), manifest.codec);
    let classes = counted(classes, "class", "classes");
    text + &format!("{classes}, codec {codec}, {}\n", out.display())
}

/// What is in a split, on a line.
fn split_text(name: &str, split: &Split, bytes: u64) -> String {
    format!(
        "{name}: {} in {}, {}\n",
        counted(split.records, "record", "records"),
        counted(split.shards.len(), "shard", "shards"),
        size(bytes)
    )
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
