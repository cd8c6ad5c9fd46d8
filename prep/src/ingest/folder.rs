//! The output folder of an ingest: new, or left unfinished by a run of the same plan.

use std::fs;
use std::path::{Path, PathBuf};

use shardmill_formats::MANIFEST_FILE;

use super::REJECTS_FILE;
use super::journal::{self, Head, Journal};
use crate::error::PrepError;
use crate::output::PART;

/// What an output folder holds before the work begins.
pub(super) enum Before {
    /// It is not there, or empty.
    Nothing,
    /// An ingest that did not end; its journals.
    Unfinished(Vec<PathBuf>),
}

/// Looks at an output folder.
///
/// # Errors
/// A folder that holds anything but an unfinished ingest.
pub(super) fn look(folder: &Path) -> Result<Before, PrepError> {
    if !folder.exists() {
        return Ok(Before::Nothing);
    }
    let journals = journal::find(folder)?;
    let in_use = || Err(PrepError::OutputInUse(folder.to_owned()));
    if journals.is_empty() {
        let mut entries = fs::read_dir(folder).map_err(PrepError::io(folder))?;
        return match entries.next() {
            None => Ok(Before::Nothing),
            Some(_) => in_use(),
        };
    }
    Ok(Before::Unfinished(journals))
}

/// The folder while its shards are being made.
pub(super) struct Folder {
    path: PathBuf,
    made: bool,
    pub(super) journal: Journal,
    /// Whether it is to be left as it is if the work fails now.
    keep: bool,
}

impl Folder {
    /// Takes the folder for the part that `head` describes: begins its journal, or goes on with it.
    /// `names` are the shards of the whole plan.
    pub(super) fn take(path: &Path, head: Head, names: &[String]) -> Result<Self, PrepError> {
        let journals = match look(path)? {
            Before::Nothing => Vec::new(),
            Before::Unfinished(journals) => {
                check_contents(path, names)?;
                journals
            }
        };
        let own = head.part.journal_in(path);
        for other in journals.iter().filter(|other| **other != own) {
            if let Some(theirs) = Journal::read_head(other)? {
                check_same(path, &head, &theirs)?;
            }
        }
        let made = !path.exists();
        if own.is_file() {
            if let Some(journal) = Journal::open(&own)? {
                check_same(path, &head, &journal.head)?;
                let folder = Self {
                    path: path.to_owned(),
                    made,
                    journal,
                    keep: true,
                };
                folder.check_shards()?;
                folder.remove_parts(names)?;
                return Ok(folder);
            }
            fs::remove_file(&own).map_err(PrepError::io(&own))?;
        }
        fs::create_dir_all(path).map_err(PrepError::io(path))?;
        Ok(Self {
            path: path.to_owned(),
            made,
            journal: Journal::create(path, head)?,
            keep: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// From now on something is finished that a later run can go on from.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }

    /// Nothing is worth keeping if the work fails now.
    pub(super) fn forget(&mut self) {
        self.keep = false;
    }

    /// A finished shard that is not there, or has another size, was changed by somebody else.
    fn check_shards(&self) -> Result<(), PrepError> {
        for entry in self
            .journal
            .lines
            .iter()
            .filter_map(|line| line.entry.as_ref())
        {
            let path = self.path.join(&entry.file);
            let found = fs::metadata(&path).map(|data| data.len()).unwrap_or(0);
            if found != entry.bytes {
                let message = format!(
                    "has {found} bytes, but {} says {}: remove {} and ingest again",
                    self.journal.path().display(),
                    entry.bytes,
                    self.path.display()
                );
                return Err(PrepError::Source { path, message });
            }
        }
        Ok(())
    }

    /// Removes what an interrupted run of this part left half written.
    fn remove_parts(&self, names: &[String]) -> Result<(), PrepError> {
        let part = self.journal.head.part;
        for (_, name) in names
            .iter()
            .enumerate()
            .filter(|(number, _)| part.takes(*number))
        {
            let path = self.path.join(format!("{name}.{PART}"));
            if path.is_file() {
                fs::remove_file(&path).map_err(PrepError::io(&path))?;
            }
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let _ = fs::remove_file(self.journal.path());
        if self.made {
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Everything in the folder must be a file of this plan.
fn check_contents(folder: &Path, names: &[String]) -> Result<(), PrepError> {
    for entry in fs::read_dir(folder).map_err(PrepError::io(folder))? {
        let entry = entry.map_err(PrepError::io(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let plain = name.strip_suffix(&format!(".{PART}")).unwrap_or(&name);
        let known = names.iter().any(|planned| planned == plain)
            || [MANIFEST_FILE, REJECTS_FILE].contains(&plain)
            || plain.starts_with("ingest-");
        if !known {
            return Err(PrepError::OtherIngest {
                folder: folder.to_owned(),
                what: format!("{name} is no file of this plan"),
            });
        }
    }
    Ok(())
}

fn check_same(folder: &Path, ours: &Head, theirs: &Head) -> Result<(), PrepError> {
    let what = if ours.fingerprint != theirs.fingerprint {
        "its images, options or decoder were others"
    } else if ours.part.parts != theirs.part.parts {
        "it is divided into another number of parts"
    } else {
        return Ok(());
    };
    Err(PrepError::OtherIngest {
        folder: folder.to_owned(),
        what: what.to_owned(),
    })
}
