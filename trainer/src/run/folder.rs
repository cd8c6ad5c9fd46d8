//! A run's folder: `metrics.jsonl`, `last.safetensors`, `best.safetensors`, and a lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::run::error::TrainError;

/// A run's folder, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct RunFolder {
    dir: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Makes a new folder, or takes an empty one.
    pub(crate) fn create(dir: &Path) -> Result<Self, TrainError> {
        Self::check_new(dir)?;
        fs::create_dir_all(dir).map_err(|source| failed("make the folder", dir, source))?;
        Self::lock(dir)
    }

    /// Takes the folder of a run that has begun.
    pub(crate) fn open(dir: &Path) -> Result<Self, TrainError> {
        if !last(dir).is_file() {
            return Err(TrainError::NothingToResume { run: dir.into() });
        }
        Self::lock(dir)
    }

    /// Checks that a new run may use `dir`, without making it.
    pub(crate) fn check_new(dir: &Path) -> Result<(), TrainError> {
        match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(TrainError::RunExists { run: dir.into() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(failed("use the folder", dir, error)),
        }
    }

    fn lock(dir: &Path) -> Result<Self, TrainError> {
        let path = dir.join("run.lock");
        let options = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let lock = options.map_err(|source| failed("write", &path, source))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Err(TrainError::RunBusy { run: dir.into() }),
            // A file system without locks is no reason not to train.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self {
                dir: dir.into(),
                _lock: lock,
            }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn last(&self) -> PathBuf {
        last(&self.dir)
    }

    pub(crate) fn best(&self) -> PathBuf {
        self.dir.join("best.safetensors")
    }

    pub(crate) fn metrics(&self) -> PathBuf {
        self.dir.join("metrics.jsonl")
    }
}

/// Where a run keeps its last checkpoint.
pub(crate) fn last(dir: &Path) -> PathBuf {
    dir.join("last.safetensors")
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> TrainError {
    TrainError::Io {
        action,
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::{RunFolder, TrainError, last};

    #[test]
    fn two_processes_do_not_share_a_folder() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("new/run");
        let folder = RunFolder::create(&dir).unwrap();
        std::fs::write(last(&dir), "").unwrap();
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
