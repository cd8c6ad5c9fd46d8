//! The journal of an ingest under way: a line for each finished shard, so that a run that was killed
//! goes on where it stopped, and machines that each made a part can be put together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shardmill_formats::{Manifest, ShardEntry};

use crate::error::PrepError;
use crate::options::Part;
use crate::reject::RejectLine;

/// End of a journal's file name.
const SUFFIX: &str = ".journal";

/// A journal's first line: what is being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Identifies everything that the bytes of the shards depend on.
    pub(super) fingerprint: String,
    pub(super) part: Part,
    /// Number of planned shards of each split.
    pub(super) shards: BTreeMap<String, usize>,
    /// Splits without labels.
    pub(super) unlabelled: BTreeSet<String>,
    /// The manifest without splits, statistics and rejects.
    pub(super) manifest: Manifest,
}

/// Another line: a finished shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ShardLine {
    pub(super) split: String,
    pub(super) shard: usize,
    /// `None` if all of its images were rejected, so that there is no file.
    pub(super) entry: Option<ShardEntry>,
    /// Sums over its pixels, as the shard's own metadata has them.
    pub(super) sums: String,
    pub(super) rejects: Vec<RejectLine>,
    /// Number of its images that are not quite right, by the warning.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) warned: BTreeMap<String, u64>,
}

/// A journal, locked for this process as long as it lives.
pub(super) struct Journal {
    pub(super) head: Head,
    pub(super) lines: Vec<ShardLine>,
    path: PathBuf,
    file: File,
}

/// The journals in a folder, by name.
pub(super) fn find(folder: &Path) -> Result<Vec<PathBuf>, PrepError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(PrepError::io(folder))? {
        let path = entry.map_err(PrepError::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("ingest-") && name.ends_with(SUFFIX) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

impl Journal {
    /// Begins a journal.
    pub(super) fn create(folder: &Path, head: Head) -> Result<Self, PrepError> {
        let path = head.part.journal_in(folder);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .open(&path);
        let file = file.map_err(PrepError::io(&path))?;
        lock(&file, &path)?;
        let mut journal = Self {
            head,
            lines: Vec::new(),
            path,
            file,
        };
        let line = serde_json::to_string(&journal.head).expect("a head becomes JSON");
        journal.write(&line)?;
        Ok(journal)
    }

    /// Opens a journal; a last line that was not written to its end is cut off. `None` if not even the
    /// first was.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, PrepError> {
        let wrong = |message: String| PrepError::Source {
            path: path.to_owned(),
            message,
        };
        let file = OpenOptions::new().read(true).append(true).open(path);
        let mut file = file.map_err(PrepError::io(path))?;
        lock(&file, path)?;
        let mut text = String::new();
        file.read_to_string(&mut text)
            .map_err(PrepError::io(path))?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(PrepError::io(path))?;
        file.seek(std::io::SeekFrom::End(0))
            .map_err(PrepError::io(path))?;
        let mut lines = text[..whole].lines().enumerate();
        let damaged = |number: usize, error: serde_json::Error| {
            wrong(format!(
                "line {} of the journal is damaged: {error}",
                number + 1
            ))
        };
        let Some((_, first)) = lines.next() else {
            return Ok(None);
        };
        let head = serde_json::from_str(first).map_err(|error| damaged(0, error))?;
        let lines = lines.map(|(number, line)| {
            serde_json::from_str(line).map_err(|error| damaged(number, error))
        });
        Ok(Some(Self {
            head,
            lines: lines.collect::<Result<_, _>>()?,
            path: path.to_owned(),
            file,
        }))
    }

    /// What another part's journal says is being made, if it has come to saying it.
    pub(super) fn read_head(path: &Path) -> Result<Option<Head>, PrepError> {
        let text = fs::read_to_string(path).map_err(PrepError::io(path))?;
        let first = text.split_once('\n').map(|(first, _)| first);
        let head = first.map(serde_json::from_str).transpose();
        head.map_err(|error| PrepError::Source {
            path: path.to_owned(),
            message: format!("line 1 of the journal is damaged: {error}"),
        })
    }

    /// Adds a finished shard, lastingly.
    pub(super) fn append(&mut self, line: ShardLine) -> Result<(), PrepError> {
        self.write(&serde_json::to_string(&line).expect("a line becomes JSON"))?;
        self.lines.push(line);
        Ok(())
    }

    pub(super) fn is_done(&self, split: &str, shard: usize) -> bool {
        self.lines
            .iter()
            .any(|line| line.shard == shard && line.split == split)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, line: &str) -> Result<(), PrepError> {
        // One write, so that a full disk leaves at most one unfinished line.
        self.file
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| self.file.sync_all())
            .map_err(PrepError::io(&self.path))
    }
}

fn lock(file: &File, path: &Path) -> Result<(), PrepError> {
    match file.try_lock() {
        // A file system without locks is no reason not to work.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(PrepError::Source {
            path: path.to_owned(),
            message: "another prep is at work on it: wait until it has ended".to_owned(),
        }),
    }
}
