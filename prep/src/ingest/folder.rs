//! The output folder of an ingest: new, left unfinished by a run of the same plan, or complete.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use shardmill_formats::{MANIFEST_FILE, Manifest};

use super::journal::{IngestHeader, PartFolder, ShardLine};
use crate::error::PrepError;
use crate::io::{FolderState, Place, file, finished_name};
use crate::part::Part;
use crate::shards::REJECTS_FILE;
use crate::shards::{check_made_from, read_manifest};

/// The state of an output folder.
///
/// # Errors
/// A folder that holds neither an unfinished ingest nor a dataset.
pub(super) fn look(folder: &Path) -> Result<FolderState, PrepError> {
    FolderState::look(
        folder,
        |name| Part::of_journal(name).is_some(),
        MANIFEST_FILE,
    )
}

/// Begins or resumes the part that `header` describes. `names` are the shards of the whole plan.
pub(super) fn take(
    folder: &Path,
    journals: &[PathBuf],
    header: IngestHeader,
    names: &[String],
) -> Result<PartFolder, PrepError> {
    let planned: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let journal = header.part.journal_name();
    let work = PartFolder::resume(folder, &journal, header, journals, |name, is_folder| {
        !is_folder && is_ours(name, &planned)
    })?;
    check_shards(&work)?;
    remove_parts(&work, names)?;
    Ok(work)
}

/// The manifest of the finished dataset at `place`, which the plan with this fingerprint must have made of these
/// shards; `None` if it is another dataset.
///
/// # Errors
/// Shards that contradict their manifest.
pub(super) fn finished(
    place: &Place,
    fingerprint: &str,
    planned: &BTreeSet<String>,
) -> Result<Option<Manifest>, PrepError> {
    let (_, manifest) = read_manifest(place)?;
    let mut shards = manifest.splits.values().flat_map(|split| &split.shards);
    let is_same = shards.all(|entry| planned.contains(&entry.file))
        && check_made_from(place, &manifest, fingerprint)?;
    Ok(is_same.then_some(manifest))
}

fn is_ours(name: &str, planned: &BTreeSet<&str>) -> bool {
    let name = finished_name(name);
    Part::of_journal(name).is_some()
        || [MANIFEST_FILE, REJECTS_FILE].contains(&name)
        || planned.contains(name)
}

/// Refuses a finished shard that is missing or has another size.
fn check_shards(work: &PartFolder) -> Result<(), PrepError> {
    for entry in work.lines().iter().filter_map(|line| line.entry.as_ref()) {
        let (path, found) = found(work, &entry.file)?;
        if found != entry.bytes {
            let message = format!(
                "has {found} bytes, but {} says {}: remove {} and ingest again",
                work.journal().display(),
                entry.bytes,
                work.path().display()
            );
            return Err(PrepError::Source { path, message });
        }
    }
    Ok(())
}

/// Refuses a shard that another process made, and that is not here.
pub(super) fn check_shard(work: &PartFolder, line: &ShardLine) -> Result<(), PrepError> {
    let Some(entry) = &line.entry else {
        return Ok(());
    };
    let (path, found) = found(work, &entry.file)?;
    match found == entry.bytes {
        true => Ok(()),
        false => Err(PrepError::Source {
            path,
            message: format!(
                "was made with {} bytes by another process, but has {found} here: give an --out that every machine \
                 sees, on a shared file system",
                entry.bytes
            ),
        }),
    }
}

/// The path and the size of a shard, 0 if it is not there.
fn found(work: &PartFolder, name: &str) -> Result<(PathBuf, u64), PrepError> {
    let path = work.path().join(name);
    let bytes = file::look(&path)?.map_or(0, |data| data.len());
    Ok((path, bytes))
}

/// Removes what an interrupted run of this part left half written, or processes that made its shards.
pub(super) fn remove_parts(work: &PartFolder, names: &[String]) -> Result<(), PrepError> {
    let part = work.header().part;
    let own = names
        .iter()
        .enumerate()
        .filter(|(number, _)| part.takes(*number));
    let own: BTreeSet<&str> = own.map(|(_, name)| name.as_str()).collect();
    let folder = work.path();
    for entry in fs::read_dir(folder).map_err(PrepError::io(folder))? {
        let path = entry.map_err(PrepError::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let finished = finished_name(&name);
        if finished != name && own.contains(finished) {
            file::remove_left(&path)?;
        }
    }
    Ok(())
}
