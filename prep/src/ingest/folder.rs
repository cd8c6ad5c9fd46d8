//! The output folder of an ingest: new, left unfinished by a run of the same plan, or complete.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use shardmill_formats::{MANIFEST_FILE, Manifest};

use super::journal::{IngestHeader, PartFolder};
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
        let path = work.path().join(&entry.file);
        let found = file::look(&path)?.map_or(0, |data| data.len());
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

/// Removes what an interrupted run of this part left half written.
fn remove_parts(work: &PartFolder, names: &[String]) -> Result<(), PrepError> {
    let part = work.header().part;
    let own = names
        .iter()
        .enumerate()
        .filter(|(number, _)| part.takes(*number));
    for (_, name) in own {
        file::remove_left(&file::part_of(&work.path().join(name)))?;
    }
    Ok(())
}
