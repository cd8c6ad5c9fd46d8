//! From finished shards to a dataset: the manifest, and the list of rejects.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use shardmill_formats::{MANIFEST_FILE, Manifest, ShardEntry};

use super::dataset::{Dataset, Merged, Written};
use super::journal::{IngestHeader, Journal, PartFolder, ShardLine, check_whole};
use super::{folder, objects};
use crate::error::PrepError;
use crate::io::{FolderState, Place, file};
use crate::reject::RejectLine;
use crate::shards::{REJECTS_FILE, REJECTS_LIMIT, check_made_from, read_manifest, write_manifest};

/// Completes a dataset that was made in parts, in a folder or at an address: checks that every shard of every part is there and writes the
/// manifest, the same that a single machine would have written. A complete dataset is left as it is.
///
/// # Errors
/// The folder holds no parts, or parts of different ingests, or an unfinished part; the error says which.
pub fn merge(folder: &Path) -> Result<Merged, PrepError> {
    if let Place::Store(store) = Place::new(folder)? {
        return objects::merge(&store);
    }
    let parts = |message: String| PrepError::Parts {
        folder: folder.to_owned(),
        message,
    };
    let nothing = "holds no part of an ingest: give the --out of `prep ingest --part i/n`";
    let paths = match folder::look(folder) {
        Ok(FolderState::Unfinished(journals)) => journals,
        Ok(FolderState::Finished) => {
            let (_, manifest) = read_manifest(&Place::Folder(folder.to_owned()))?;
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
    let all = journals.iter();
    let all = all.map(|journal| (&journal.header, &*journal.lines));
    check_whole(folder, &header, &all.collect::<Vec<_>>())?;
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
    let (_, manifest) = read_manifest(&Place::Folder(folder.to_owned()))?;
    let same = check_made_from(
        &Place::Folder(folder.to_owned()),
        &manifest,
        &header.fingerprint,
    )?;
    Ok(same.then_some(manifest))
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
    place: &Place,
    manifest: &Manifest,
) -> Result<Vec<RejectLine>, PrepError> {
    let Some(name) = &manifest.rejects.file else {
        return Ok(Vec::new());
    };
    let path = place.join(name);
    let damaged = |what: String| PrepError::Source {
        path: path.clone(),
        message: format!("it is no list of rejects: {what}"),
    };
    let text = match place {
        Place::Folder(_) => fs::read_to_string(&path).map_err(PrepError::io(&path))?,
        Place::Store(_) => {
            let bytes = place.read_beside(name, REJECTS_LIMIT)?;
            let bytes = bytes.ok_or_else(|| damaged("there is no such object".to_owned()))?;
            String::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?
        }
    };
    let lines = text.lines().map(serde_json::from_str);
    lines
        .collect::<Result<_, _>>()
        .map_err(|error: serde_json::Error| damaged(error.to_string()))
}

/// Writes the list of rejects and, last, the manifest.
fn write(
    folder: &Path,
    header: &IngestHeader,
    lines: Vec<ShardLine>,
) -> Result<Written, PrepError> {
    let dataset = Dataset::new(folder, header, lines)?;
    if let Some(rejects) = dataset.rejects_file() {
        file::replace(&folder.join(REJECTS_FILE), &rejects)?;
    }
    write_manifest(folder, &dataset.written.manifest)?;
    file::sync_folder(folder)?;
    Ok(dataset.written)
}
