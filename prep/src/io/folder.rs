//! The output folder of a command.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::file;
use super::journal::{Journal, no_journal};
use super::place::Place;
use crate::error::PrepError;

/// What an output folder holds when a command begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FolderState {
    /// It does not exist, or is empty.
    Empty,
    /// Unfinished work; its journals, sorted by name.
    Unfinished(Vec<PathBuf>),
    /// The file that is written last, and no journal.
    Finished,
}

impl FolderState {
    /// The state of `folder`. Unfinished work has files whose names are `is_journal`; finished work has the file
    /// `last`.
    ///
    /// # Errors
    /// A folder that holds something else, or an address.
    pub(crate) fn look(
        folder: &Path,
        is_journal: impl Fn(&str) -> bool,
        last: &str,
    ) -> Result<Self, PrepError> {
        Place::check_is_folder(folder)?;
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::Empty),
            Err(error) => return Err(PrepError::io(folder)(error)),
        };
        let (mut journals, mut empty) = (Vec::new(), true);
        for entry in entries {
            let path = entry.map_err(PrepError::io(folder))?.path();
            empty = false;
            if path
                .file_name()
                .is_some_and(|name| is_journal(&name.to_string_lossy()))
            {
                file::look(&path)?;
                journals.push(path);
            }
        }
        journals.sort();
        match (journals.is_empty(), empty) {
            (false, _) => Ok(Self::Unfinished(journals)),
            (_, true) => Ok(Self::Empty),
            _ if file::look(&folder.join(last))?.is_some() => Ok(Self::Finished),
            _ => Err(PrepError::OutputInUse(folder.to_owned())),
        }
    }
}

/// Checks that a folder holds only plain files and folders that `is_ours` accepts, by name and whether it is a
/// folder.
fn check_contents(folder: &Path, is_ours: impl Fn(&str, bool) -> bool) -> Result<(), PrepError> {
    for entry in fs::read_dir(folder).map_err(PrepError::io(folder))? {
        let entry = entry.map_err(PrepError::io(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Of the entry itself: a link is neither a file nor a folder.
        let kind = entry.file_type().map_err(PrepError::io(folder))?;
        if !kind.is_file() && !kind.is_dir() {
            return Err(PrepError::NotOurs(entry.path()));
        }
        if !is_ours(&name, kind.is_dir()) {
            return Err(PrepError::OtherWork {
                folder: folder.to_owned(),
                what: format!(
                    "{name} does not belong to this plan: the source or the options have changed"
                ),
            });
        }
    }
    Ok(())
}

/// The first line of a journal: what is being made.
pub(crate) trait JournalHeader: Serialize + DeserializeOwned {
    /// How the work of another journal differs from this one, if it does.
    fn differs(&self, theirs: &Self) -> Option<String>;

    /// Refuses to resume other work.
    fn check_same(&self, folder: &Path, theirs: &Self) -> Result<(), PrepError> {
        match self.differs(theirs) {
            None => Ok(()),
            Some(what) => Err(PrepError::OtherWork {
                folder: folder.to_owned(),
                what,
            }),
        }
    }

    /// Refuses to resume if one of these journals is of other work.
    fn check_journals<L: Serialize + DeserializeOwned>(
        &self,
        folder: &Path,
        journals: &[PathBuf],
    ) -> Result<(), PrepError> {
        for journal in journals {
            if let Some(theirs) = Journal::<Self, L>::header_of(journal)? {
                self.check_same(folder, &theirs)?;
            }
        }
        Ok(())
    }
}

/// An output folder with its journal. Dropped before anything is finished in it, it leaves nothing after.
pub(crate) struct OutputFolder<H: JournalHeader, L: Serialize + DeserializeOwned> {
    folder: PathBuf,
    made: bool,
    journal: Journal<H, L>,
    /// Whether the journal stays if the command fails now.
    keep: bool,
}

impl<H: JournalHeader, L: Serialize + DeserializeOwned> OutputFolder<H, L> {
    /// Resumes the unfinished work of these `journals`, which must be the same work, in a folder that holds only
    /// what `is_ours` accepts, by name and whether it is a folder. Without journals it begins the work.
    pub(crate) fn resume(
        folder: &Path,
        journal: &str,
        header: H,
        journals: &[PathBuf],
        is_ours: impl Fn(&str, bool) -> bool,
    ) -> Result<Self, PrepError> {
        // Before the files: if the headers differ, so do the files.
        header.check_journals::<L>(folder, journals)?;
        if !journals.is_empty() {
            check_contents(folder, is_ours)?;
        }
        Self::take(folder, journal, header)
    }

    /// Begins the journal of the file name `journal`, or resumes the one that is there.
    pub(crate) fn take(folder: &Path, journal: &str, header: H) -> Result<Self, PrepError> {
        let made = !folder.exists();
        let path = folder.join(journal);
        if file::look(&path)?.is_some() {
            if let Some(journal) = Journal::<H, L>::open(&path)? {
                header.check_same(folder, &journal.header)?;
                return Ok(Self {
                    folder: folder.to_owned(),
                    made,
                    journal,
                    keep: true,
                });
            }
            if !Journal::<H, L>::is_begun(&path, &header)? {
                return Err(no_journal(&path));
            }
            file::remove_left(&path)?;
        }
        fs::create_dir_all(folder).map_err(PrepError::io(folder))?;
        let work = Self {
            folder: folder.to_owned(),
            made,
            journal: Journal::create(&path, header)?,
            keep: false,
        };
        file::sync_folder(folder)?;
        Ok(work)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn header(&self) -> &H {
        &self.journal.header
    }

    /// What is finished.
    pub(crate) fn lines(&self) -> &[L] {
        &self.journal.lines
    }

    pub(crate) fn journal(&self) -> &Path {
        self.journal.path()
    }

    /// Records what is finished, so that a later run can resume.
    pub(crate) fn append(&mut self, line: L) -> Result<(), PrepError> {
        self.journal.append(line)?;
        self.keep = true;
        Ok(())
    }

    /// Keeps the journal when this is dropped.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
    }

    /// Lets the journal go if the command fails now.
    pub(crate) fn forget(&mut self) {
        self.keep = false;
    }

    /// Everything is finished: removes the journal.
    pub(crate) fn finish(mut self) -> Result<(), PrepError> {
        self.keep = true;
        file::sync_folder(&self.folder)?;
        let path = self.journal.path();
        fs::remove_file(path).map_err(PrepError::io(path))
    }
}

impl<H: JournalHeader, L: Serialize + DeserializeOwned> Drop for OutputFolder<H, L> {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let _ = fs::remove_file(self.journal.path());
        if self.made {
            let _ = fs::remove_dir(&self.folder);
        }
    }
}
