//! The folder of a study's runs, for one process at a time.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use crate::study::error::StudyError;

/// The folder of a study's runs, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct StudyFolder(#[expect(dead_code, reason = "it is held, not read")] Option<File>);

impl StudyFolder {
    /// Makes the folder, or uses the one that is there.
    ///
    /// # Errors
    /// Another process that works in it, or what the file system refuses.
    pub(crate) fn lock(out: &Path) -> Result<Self, StudyError> {
        fs::create_dir_all(out).map_err(StudyError::io("make the folder", out))?;
        let path = out.join("study.lock");
        let mut options = fs::OpenOptions::new();
        let options = options.create(true).truncate(false).write(true);
        let lock = options
            .open(&path)
            .map_err(StudyError::io("write", &path))?;
        Self::hold(lock, out)
    }

    /// Makes the folder of results, or uses the one that is there. The folder itself is locked, so that no file
    /// lies among the results; a system that cannot lock folders goes without.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub(crate) fn lock_results(results: &Path) -> Result<Self, StudyError> {
        fs::create_dir_all(results).map_err(StudyError::io("make the folder", results))?;
        match File::open(results) {
            Ok(folder) => Self::hold(folder, results),
            Err(_) => Ok(Self(None)),
        }
    }

    fn hold(lock: File, folder: &Path) -> Result<Self, StudyError> {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Err(StudyError::Busy { out: folder.into() }),
            // As for a run, a file system without locks will do.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self(Some(lock))),
        }
    }
}
