//! A run's folder: `metrics.jsonl`, `last.safetensors`, `best.safetensors`, and a lock.

use std::fs::{self, TryLockError};
use std::io;
use std::path::Path;

use crate::run::LAST;
use crate::run::error::TrainError;
use crate::run::training::RunFolder;

impl RunFolder {
    /// A folder that another rank keeps.
    pub(super) fn of_first_rank(dir: &Path) -> Self {
        Self {
            dir: dir.into(),
            _lock: None,
        }
    }

    /// Makes a new folder, or uses an empty one.
    pub(super) fn create(dir: &Path) -> Result<Self, TrainError> {
        Self::check_new(dir)?;
        fs::create_dir_all(dir).map_err(TrainError::io("make the folder", dir))?;
        Self::lock(dir)
    }

    /// Opens the folder of a run to resume.
    pub(super) fn open(dir: &Path) -> Result<Self, TrainError> {
        if !dir.join(LAST).is_file() {
            return Err(TrainError::NothingToResume { run: dir.into() });
        }
        Self::lock(dir)
    }

    /// Checks that a new run may use `dir`, without making it.
    pub(super) fn check_new(dir: &Path) -> Result<(), TrainError> {
        match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(TrainError::RunExists { run: dir.into() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(TrainError::io("use the folder", dir)(error)),
        }
    }

    fn lock(dir: &Path) -> Result<Self, TrainError> {
        let path = dir.join("run.lock");
        let options = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let lock = options.map_err(TrainError::io("write", &path))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Err(TrainError::RunBusy { run: dir.into() }),
            // Training also works on a file system without locks.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self {
                dir: dir.into(),
                _lock: Some(lock),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LAST, RunFolder, TrainError};

    #[test]
    fn two_processes_do_not_share_a_folder() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("new/run");
        let folder = RunFolder::create(&dir).unwrap();
        std::fs::write(dir.join(LAST), "").unwrap();
        assert!(matches!(
            RunFolder::open(&dir),
            Err(TrainError::RunBusy { .. })
        ));
        drop(folder);
        assert!(RunFolder::open(&dir).is_ok());
        assert!(matches!(
            RunFolder::create(&dir),
            Err(TrainError::RunExists { .. })
        ));
    }
}
