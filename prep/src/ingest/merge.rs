//! From finished shards to a dataset: the manifest, and the list of rejects.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use shardmill_formats::{
    ChannelSums, MANIFEST_FILE, Manifest, Rejects, ShardEntry, Split, SplitStatistics,
};

use super::folder;
use super::journal::{IngestHeader, Journal, PartFolder, ShardLine, is_done};
use crate::error::PrepError;
use crate::io::{FolderState, file};
use crate::reject::{RejectLine, WarningLine, first_ones};
use crate::shards::REJECTS_FILE;
use crate::shards::TRAIN;
use crate::shards::{check_made_from, read_manifest, write_manifest};

/// What [`merge`] did.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The dataset's manifest.
    pub manifest: Manifest,
    /// Number of records with warnings, by [`Warning::code`](crate::decode::Warning::code); empty if nothing was
    /// done.
    pub warned: BTreeMap<String, u64>,
    /// Each of these images.
    pub warnings: Vec<WarningLine>,
    /// Whether the dataset was complete before, so that nothing was done.
    pub was_complete: bool,
}

/// A dataset that was completed.
pub(super) struct Written {
    pub(super) manifest: Manifest,
    pub(super) rejects: Vec<RejectLine>,
    pub(super) warned: BTreeMap<String, u64>,
    pub(super) warnings: Vec<WarningLine>,
}

/// Completes a dataset that was made in parts: checks that every shard of every part is there and writes the
/// manifest, the same that a single machine would have written. A complete dataset is left as it is.
///
/// # Errors
/// The folder holds no parts, or parts of different ingests, or an unfinished part; the error says which.
pub fn merge(folder: &Path) -> Result<Merged, PrepError> {
    let parts = |message: String| PrepError::Parts {
        folder: folder.to_owned(),
        message,
    };
    let nothing = "holds no part of an ingest: give the --out of `prep ingest --part i/n`";
    let paths = match folder::look(folder) {
        Ok(FolderState::Unfinished(journals)) => journals,
        Ok(FolderState::Finished) => {
            let (_, manifest) = read_manifest(folder)?;
            check_there(folder, manifest.splits.values().flat_map(|s| &s.shards))?;
            return Ok(Merged {
                manifest,
                warned: BTreeMap::new(),
                warnings: Vec::new(),
                was_complete: true,
            });
        }
        Ok(FolderState::Empty) | Err(PrepError::OutputInUse(_)) => {
            return Err(parts(nothing.to_owned()));
        }
        Err(error) => return Err(error),
    };
    let mut journals = Vec::new();
    for path in &paths {
        let journal = Journal::open(path)?;
        journals.extend(journal);
    }
    let Some(first) = journals.first() else {
        return Err(parts(nothing.to_owned()));
    };
    let header = first.header.clone();
    if let Some(other) = journals.iter().find(|journal| {
        journal.header.fingerprint != header.fingerprint
            || journal.header.part.parts != header.part.parts
    }) {
        let message = format!(
            "{} and {} are parts of different ingests: remove those of one of them",
            first.path().display(),
            other.path().display()
        );
        return Err(parts(message));
    }
    if let Some(manifest) = merged_before(folder, &header)? {
        remove(journals)?;
        return Ok(Merged {
            manifest,
            warned: BTreeMap::new(),
            warnings: Vec::new(),
            was_complete: true,
        });
    }
    check_whole(folder, &header, &journals)?;
    let lines: Vec<ShardLine> = journals
        .iter()
        .flat_map(|journal| journal.lines.clone())
        .collect();
    check_there(folder, lines.iter().filter_map(|line| line.entry.as_ref()))?;
    let Written {
        manifest,
        warned,
        warnings,
        ..
    } = write(folder, &header, lines)?;
    remove(journals)?;
    Ok(Merged {
        manifest,
        warned,
        warnings,
        was_complete: false,
    })
}

/// The manifest, if an earlier merge of the same parts wrote it and was killed before it had removed the last
/// journal.
fn merged_before(folder: &Path, header: &IngestHeader) -> Result<Option<Manifest>, PrepError> {
    if file::look(&folder.join(MANIFEST_FILE))?.is_none() {
        return Ok(None);
    }
    let (_, manifest) = read_manifest(folder)?;
    let same = check_made_from(folder, &manifest, &header.fingerprint)?;
    Ok(same.then_some(manifest))
}

/// Checks that every part is there and names all of its shards.
fn check_whole(
    folder: &Path,
    header: &IngestHeader,
    journals: &[Journal],
) -> Result<(), PrepError> {
    let parts = |message: String| PrepError::Parts {
        folder: folder.to_owned(),
        message,
    };
    let here: BTreeSet<usize> = journals
        .iter()
        .map(|journal| journal.header.part.index)
        .collect();
    let all = header.part.parts;
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
    for (split, count) in &header.shards {
        for shard in 0..*count {
            let owner = journals
                .iter()
                .find(|journal| journal.header.part.takes(number));
            if !owner.is_some_and(|journal| is_done(&journal.lines, split, shard)) {
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
    Ok(())
}

/// Checks that the shards are there with the sizes they had.
fn check_there<'a>(
    folder: &Path,
    entries: impl Iterator<Item = &'a ShardEntry>,
) -> Result<(), PrepError> {
    for entry in entries {
        // A link is refused, whatever it leads to.
        let found = file::look(&folder.join(&entry.file))?.map_or(0, |data| data.len());
        if found != entry.bytes {
            let (file, bytes) = (&entry.file, entry.bytes);
            return Err(PrepError::Parts {
                folder: folder.to_owned(),
                message: format!("{file} has {found} bytes, but was made with {bytes}"),
            });
        }
    }
    Ok(())
}

fn remove(journals: Vec<Journal>) -> Result<(), PrepError> {
    for journal in journals {
        let path: PathBuf = journal.path().to_owned();
        drop(journal);
        fs::remove_file(&path).map_err(PrepError::io(&path))?;
    }
    Ok(())
}

/// Completes the dataset of an ingest in one part.
pub(super) fn complete(mut work: PartFolder) -> Result<Written, PrepError> {
    if work.lines().iter().all(|line| line.entry.is_none()) {
        work.forget();
    }
    let written = write(work.path(), work.header(), work.lines().to_vec())?;
    work.finish()?;
    Ok(written)
}

/// The rejects of a dataset, as they are listed beside its manifest.
pub(super) fn read_rejects(
    folder: &Path,
    manifest: &Manifest,
) -> Result<Vec<RejectLine>, PrepError> {
    let Some(name) = &manifest.rejects.file else {
        return Ok(Vec::new());
    };
    let path = folder.join(name);
    let text = fs::read_to_string(&path).map_err(PrepError::io(&path))?;
    let lines = text.lines().map(serde_json::from_str);
    lines
        .collect::<Result<_, _>>()
        .map_err(|error| PrepError::Source {
            path,
            message: format!("it is no list of rejects: {error}"),
        })
}

/// The warnings of shards, added up.
pub(super) fn warned(lines: &[ShardLine]) -> BTreeMap<String, u64> {
    let mut warned = BTreeMap::new();
    for (warning, count) in lines.iter().flat_map(|line| &line.warned) {
        *warned.entry(warning.clone()).or_default() += count;
    }
    warned
}

/// The warnings of shards, one for each image.
pub(super) fn warnings(lines: &[ShardLine]) -> Vec<WarningLine> {
    lines
        .iter()
        .flat_map(|line| line.warnings.clone())
        .collect()
}

/// Writes the list of rejects and, last, the manifest.
fn write(
    folder: &Path,
    header: &IngestHeader,
    mut lines: Vec<ShardLine>,
) -> Result<Written, PrepError> {
    lines.sort_by(|a, b| (&a.split, a.shard).cmp(&(&b.split, b.shard)));
    let rejects: Vec<RejectLine> = lines.iter().flat_map(|line| line.rejects.clone()).collect();
    let warned = warned(&lines);
    let warnings = warnings(&lines);
    let labelled = |split: &str| !header.unlabelled.contains(split);
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
    let mut manifest = header.manifest.clone();
    if splits.is_empty() {
        return Err(PrepError::AllRejected {
            images: manifest.source.images,
            rejects: first_ones(&rejects),
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
        file::replace(
            &folder.join(REJECTS_FILE),
            lines.collect::<String>().as_bytes(),
        )?;
    }
    write_manifest(folder, &manifest)?;
    file::sync_folder(folder)?;
    Ok(Written {
        manifest,
        rejects,
        warned,
        warnings,
    })
}
