//! Names of the objects of a journal.
//!
//! An object cannot be appended to, so a journal is a folder of objects, each created once: `header.json`, and
//! one for each finished shard, which is created after the shard itself. The folder is called as the journal in a
//! folder is: `ingest-0-of-1.journal/header.json`, `ingest-0-of-1.journal/train-00000-of-00002.safetensors.json`.

use std::collections::BTreeSet;

use shardmill_formats::{MANIFEST_FILE, shard_file_name};

use crate::ingest::journal::{IngestHeader, ShardLine};
use crate::part::Part;
use crate::shards::REJECTS_FILE;

const HEADER: &str = "header.json";

/// Name of the header of a part's journal.
pub(super) fn header(part: Part) -> String {
    format!("{}/{HEADER}", part.journal_name())
}

/// Name of a part's line of the shard in the file `shard`.
pub(super) fn line(part: Part, shard: &str) -> String {
    format!("{}/{shard}.json", part.journal_name())
}

/// What an object of a journal is.
pub(super) enum Journalled<'a> {
    Header,
    /// The line of this shard.
    Line(&'a str),
}

/// The part and the meaning of a journal's object.
pub(super) fn journalled(name: &str) -> Option<(Part, Journalled<'_>)> {
    let (journal, name) = name.split_once('/')?;
    let part = Part::of_journal(journal)?;
    let what = match name {
        HEADER => Journalled::Header,
        _ => Journalled::Line(name.strip_suffix(".json")?),
    };
    Some((part, what))
}

/// Whether an ingest of these planned shards makes an object of this name.
pub(super) fn is_ours(name: &str, planned: &BTreeSet<String>) -> bool {
    [MANIFEST_FILE, REJECTS_FILE].contains(&name)
        || planned.contains(name)
        || is_journal(name, planned)
}

/// Whether an object belongs to the journal of an ingest of these shards.
pub(super) fn is_journal(name: &str, planned: &BTreeSet<String>) -> bool {
    match journalled(name) {
        Some((_, Journalled::Header)) => true,
        Some((_, Journalled::Line(shard))) => planned.contains(shard),
        None => false,
    }
}

/// The file of the shard of a line.
pub(super) fn shard_of(header: &IngestHeader, line: &ShardLine) -> String {
    let shards = header.shards.get(&line.split).copied().unwrap_or_default();
    shard_file_name(&line.split, line.shard, shards)
}

/// The files of all planned shards.
pub(super) fn planned(header: &IngestHeader) -> BTreeSet<String> {
    let splits = header.shards.iter();
    splits
        .flat_map(|(split, &shards)| {
            (0..shards).map(move |shard| shard_file_name(split, shard, shards))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_belong_to_a_journal() {
        let planned = BTreeSet::from(["train-00000-of-00001.safetensors".to_owned()]);
        let part = Part { index: 1, parts: 3 };
        for name in [
            header(part),
            line(part, "train-00000-of-00001.safetensors"),
            "train-00000-of-00001.safetensors".to_owned(),
            "manifest.json".to_owned(),
        ] {
            assert!(is_ours(&name, &planned), "{name}");
        }
        for name in [
            "ingest-1-of-3.journal/train-00001-of-00002.safetensors.json",
            "ingest-1-of-3.journal/train-00000-of-00001.safetensors",
            "ingest-1-of-3.journal/more/header.json",
            "ingest-3-of-3.journal/header.json",
            "ingest-1-of-3.journal",
            "notes.txt",
            "old/manifest.json",
        ] {
            assert!(!is_ours(name, &planned), "{name}");
        }
    }
}
