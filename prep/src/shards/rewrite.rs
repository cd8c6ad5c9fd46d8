//! The folder of a dataset whose records exist already. It may be one that an interrupted run of the same work
//! left.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use shardmill_formats::{MANIFEST_FILE, Manifest, ShardEntry, shard_file_name};

use super::{REJECTS_FILE, check_made_from, read_manifest, write_manifest};
use crate::error::PrepError;
use crate::io::{Choices, FolderState, JournalHeader, OutputFolder, Place, file, finished_name};

/// What [`convert`](crate::dataset::convert()) or [`subset`](crate::dataset::subset()) made.
#[derive(Clone, Debug)]
pub struct Rewritten {
    /// The new dataset's manifest.
    pub manifest: Manifest,
    /// Whether the dataset was complete before, so that nothing was done.
    pub was_complete: bool,
}

/// The first line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RewriteHeader {
    fingerprint: String,
    #[serde(default)]
    choices: Choices,
}

/// Another line: a finished shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShardLine {
    pub(super) split: String,
    pub(super) entry: ShardEntry,
    /// Sums over its pixels.
    pub(super) sums: String,
}

/// The folder of the new dataset.
pub(crate) type RewriteFolder = OutputFolder<RewriteHeader, ShardLine>;

impl JournalHeader for RewriteHeader {
    fn differs(&self, theirs: &Self) -> Option<String> {
        (self.fingerprint != theirs.fingerprint).then(|| difference(&self.choices, &theirs.choices))
    }
}

/// How work with another fingerprint differs, as far as the options show.
pub(crate) fn difference(ours: &Choices, theirs: &Choices) -> String {
    ours.changed_from(theirs).unwrap_or_else(|| {
        match theirs.is_empty() {
            true => "it has another dataset or other options",
            false => "it has another dataset, or is of another version of prep",
        }
        .to_owned()
    })
}

/// The state of the folder of the new dataset.
pub(crate) enum Begun {
    /// The dataset is complete.
    Complete(Box<Manifest>),
    /// It is to be made or resumed.
    Work(RewriteFolder),
}

/// Begins or resumes in `out` the dataset with this fingerprint, made with these options, whose splits have shards
/// of these sizes. `journal` is the name of its journal.
pub(crate) fn begin(
    out: &Path,
    journal: &str,
    fingerprint: &str,
    choices: Choices,
    splits: &[(&str, Vec<u64>)],
) -> Result<Begun, PrepError> {
    let header = RewriteHeader {
        fingerprint: fingerprint.to_owned(),
        choices,
    };
    let journals = match FolderState::look(out, |name| name == journal, MANIFEST_FILE)? {
        FolderState::Empty => Vec::new(),
        FolderState::Unfinished(journals) => journals,
        FolderState::Finished => {
            let place = Place::new(out)?;
            let (_, manifest) = read_manifest(&place)?;
            if check_made_from(&place, &manifest, fingerprint)? {
                return Ok(Begun::Complete(Box::new(manifest)));
            }
            let known = header.choices.changed_from(&Choices::of_codec(&manifest));
            return Err(PrepError::OtherResult {
                folder: out.to_owned(),
                what: known.unwrap_or_else(|| difference(&header.choices, &Choices::default())),
            });
        }
    };
    let names = splits.iter().flat_map(|(split, sizes)| {
        (0..sizes.len()).map(|shard| shard_file_name(split, shard, sizes.len()))
    });
    let names: BTreeSet<String> = names.collect();
    let work = OutputFolder::resume(out, journal, header, &journals, |name, is_folder| {
        let name = finished_name(name);
        !is_folder
            && ([journal, MANIFEST_FILE, REJECTS_FILE].contains(&name) || names.contains(name))
    });
    work.map(Begun::Work)
}

/// Begins in `out`, which must be empty, a dataset that cannot be resumed.
pub(crate) fn begin_new(out: &Path, journal: &str) -> Result<RewriteFolder, PrepError> {
    let holds = match FolderState::look(out, |name| name == journal, MANIFEST_FILE) {
        Ok(FolderState::Empty) => {
            let header = RewriteHeader {
                fingerprint: String::new(),
                choices: Choices::default(),
            };
            return OutputFolder::take(out, journal, header);
        }
        Ok(FolderState::Unfinished(_)) => {
            "holds a dataset that a program is still writing, or did not finish"
        }
        Ok(FolderState::Finished) => "holds a dataset already",
        Err(PrepError::OutputInUse(_)) => "is not empty",
        Err(error) => return Err(error),
    };
    Err(PrepError::Occupied {
        folder: out.to_owned(),
        holds,
    })
}

/// The records that are finished.
pub(crate) fn records_done(work: &RewriteFolder) -> u64 {
    work.lines().iter().map(|line| line.entry.records).sum()
}

/// The bytes that are finished.
pub(crate) fn bytes_done(work: &RewriteFolder) -> u64 {
    work.lines().iter().map(|line| line.entry.bytes).sum()
}

/// Writes the list of rejects, if there is one, and, last, the manifest.
pub(crate) fn complete(
    work: RewriteFolder,
    rejects: Option<&[u8]>,
    manifest: &Manifest,
) -> Result<(), PrepError> {
    if let Some(lines) = rejects {
        file::replace(&work.path().join(REJECTS_FILE), lines)?;
    }
    write_manifest(work.path(), manifest)?;
    work.finish()
}

/// Identifies what shards are made from: a dataset, and what is done to it.
pub(crate) fn fingerprint(manifest: &Manifest, work: &str) -> String {
    let mut hash = blake3::Hasher::new();
    for part in [&manifest.to_json(), work, env!("CARGO_PKG_VERSION")] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().to_hex()[..32].to_owned()
}
