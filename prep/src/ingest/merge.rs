//! From finished shards to a dataset: the manifest, and the list of rejects.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use shardmill_formats::{
    ChannelSums, MANIFEST_FILE, Manifest, Rejects, ShardEntry, Split, SplitStatistics,
};

use super::REJECTS_FILE;
use super::folder::Folder;
use super::journal::{self, Head, Journal, ShardLine};
use crate::error::PrepError;
use crate::output::{replace, sync_folder};
use crate::reject::RejectLine;

/// What a dataset that is complete consists of.
pub(super) struct Written {
    pub(super) manifest: Manifest,
    pub(super) rejects: Vec<RejectLine>,
    pub(super) warned: BTreeMap<String, u64>,
}

/// The training split, over which statistics are taken.
const TRAIN: &str = "train";

/// Puts the parts of an ingest together: checks that every shard of every part is there and writes
/// the manifest, which then is the one that a single machine would have written.
///
/// # Errors
/// A folder without parts, with parts of different ingests, or with a part that is not finished; the
/// error says which.
pub fn merge(folder: &Path) -> Result<Manifest, PrepError> {
    let parts = |message: String| PrepError::Parts {
        folder: folder.to_owned(),
        message,
    };
    let paths = journal::find(folder)?;
    let mut journals = Vec::new();
    for path in &paths {
        let journal = Journal::open(path)?;
        journals.extend(journal);
    }
    let Some(first) = journals.first() else {
        let message = "holds no part of an ingest: give the --out of `prep ingest --part i/n`";
        return Err(parts(message.to_owned()));
    };
    let head = first.head.clone();
    if let Some(other) = journals.iter().find(|journal| {
        journal.head.fingerprint != head.fingerprint || journal.head.part.parts != head.part.parts
    }) {
        let message = format!(
            "{} and {} are parts of different ingests: remove those of one of them",
            first.path().display(),
            other.path().display()
        );
        return Err(parts(message));
    }
    let here: BTreeSet<usize> = journals
        .iter()
        .map(|journal| journal.head.part.index)
        .collect();
    let all = head.part.parts;
    let missing: Vec<String> = (0..all)
        .filter(|index| !here.contains(index))
        .map(|index| format!("{index}/{all}"))
        .collect();
    if !missing.is_empty() {
        let message = format!(
            "parts {} were never begun: make them first",
            missing.join(", ")
        );
        return Err(parts(message));
    }
    let mut number = 0;
    for (split, count) in &head.shards {
        for shard in 0..*count {
            let owner = journals
                .iter()
                .find(|journal| journal.head.part.takes(number));
            if !owner.is_some_and(|journal| journal.is_done(split, shard)) {
                let message = format!(
                    "part {}/{all} has not finished: shard {shard} of {split} is missing; run it \
                     again with the same arguments",
                    number % all
                );
                return Err(parts(message));
            }
            number += 1;
        }
    }
    for entry in journals
        .iter()
        .flat_map(|journal| &journal.lines)
        .filter_map(|l| l.entry.as_ref())
    {
        let found = fs::metadata(folder.join(&entry.file)).map_or(0, |data| data.len());
        if found != entry.bytes {
            let (file, bytes) = (&entry.file, entry.bytes);
            let message = format!("{file} has {found} bytes, but its journal says {bytes}");
            return Err(parts(message));
        }
    }
    let lines = journals
        .iter()
        .flat_map(|journal| journal.lines.clone())
        .collect();
    let manifest = write(folder, &head, lines)?.manifest;
    for journal in journals {
        let path = journal.path().to_owned();
        drop(journal);
        fs::remove_file(&path).map_err(PrepError::io(&path))?;
    }
    Ok(manifest)
}

/// Completes the dataset of an ingest in one part.
pub(super) fn complete(folder: &mut Folder) -> Result<Written, PrepError> {
    if folder.journal.lines.iter().all(|line| line.entry.is_none()) {
        folder.forget();
    }
    let journal = &folder.journal;
    let written = write(folder.path(), &journal.head, journal.lines.clone())?;
    folder.keep();
    let path = folder.journal.path();
    fs::remove_file(path).map_err(PrepError::io(path))?;
    Ok(written)
}

/// Writes the list of rejects and, last, the manifest.
fn write(folder: &Path, head: &Head, mut lines: Vec<ShardLine>) -> Result<Written, PrepError> {
    lines.sort_by(|a, b| (&a.split, a.shard).cmp(&(&b.split, b.shard)));
    let rejects: Vec<RejectLine> = lines.iter().flat_map(|line| line.rejects.clone()).collect();
    let mut warned = BTreeMap::new();
    for (warning, count) in lines.iter().flat_map(|line| &line.warned) {
        *warned.entry(warning.clone()).or_default() += count;
    }
    let labelled = |split: &str| !head.unlabelled.contains(split);
    let (mut splits, mut sums) = (BTreeMap::new(), ChannelSums::default());
    for line in &lines {
        let Some(entry) = &line.entry else { continue };
        let split = splits.entry(line.split.clone()).or_insert_with(|| Split {
            records: 0,
            labelled: labelled(&line.split),
            shards: Vec::<ShardEntry>::new(),
        });
        split.records += entry.records;
        split.shards.push(entry.clone());
        if line.split == TRAIN {
            let of_shard = line.sums.parse().map_err(|_| PrepError::Parts {
                folder: folder.to_owned(),
                message: format!("the journal's sums of {} are damaged", entry.file),
            })?;
            sums.merge(&of_shard);
        }
    }
    let mut manifest = head.manifest.clone();
    if splits.is_empty() {
        let first = rejects.first().cloned();
        let (key, message) = first
            .map(|line| (line.key, line.message))
            .unwrap_or_default();
        return Err(PrepError::AllRejected {
            images: manifest.source.images,
            key,
            message,
        });
    }
    manifest.splits = splits;
    manifest.statistics = sums.statistics().map(|statistics| SplitStatistics {
        split: TRAIN.to_owned(),
        pixels: sums.pixels,
        statistics,
    });
    manifest.rejects = Rejects {
        count: rejects.len() as u64,
        file: (!rejects.is_empty()).then(|| REJECTS_FILE.to_owned()),
    };
    if !rejects.is_empty() {
        let lines = rejects
            .iter()
            .map(|line| serde_json::to_string(line).expect("a line becomes JSON") + "\n");
        replace(
            &folder.join(REJECTS_FILE),
            lines.collect::<String>().as_bytes(),
        )?;
    }
    replace(&folder.join(MANIFEST_FILE), manifest.to_json().as_bytes())?;
    sync_folder(folder)?;
    Ok(Written {
        manifest,
        rejects,
        warned,
    })
}
