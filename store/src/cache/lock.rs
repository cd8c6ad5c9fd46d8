//! The lock of a cache's keeper: a record lock, which a forked child does not have, and which ends with its
//! process however that ends.
//!
//! A lock belongs to a file and not to its path. So a process that has one compares the two: if somebody
//! deleted or replaced the file, another process may have the lock of the new one.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{FlockOperation, OFlags, fcntl_lock};

/// Times that a lock is taken whose file somebody replaces meanwhile.
const TIMES: u32 = 100;

/// The locks of this process: the system gives a process the same lock again, and takes it away when any file
/// of the path is closed. A forked child has none of them.
static HELD: Mutex<Vec<(u32, PathBuf)>> = Mutex::new(Vec::new());

/// A lock that this process has.
pub(super) struct Lock {
    file: File,
    /// Its device and number.
    id: (u64, u64),
    path: PathBuf,
}

impl Lock {
    /// Locks a file for this process, and writes the process's number into it; `None` if a process has the lock,
    /// perhaps this one.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        let process = std::process::id();
        for _ in 0..TIMES {
            if held()
                .iter()
                .any(|(by, held)| *by == process && held == path)
            {
                return Ok(None);
            }
            let mut options = File::options();
            // A FIFO or a link in its place would be waited for or followed.
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
            options.custom_flags(flags.bits().cast_signed());
            let file = options.create(true).append(true).open(path)?;
            let found = file.metadata()?;
            if !found.is_file() {
                return Err(io::Error::other(format!("{} is no file", path.display())));
            }
            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            held().push((process, path.to_owned()));
            let lock = Self {
                file,
                id: (found.dev(), found.ino()),
                path: path.to_owned(),
            };
            if lock.is_in_place() {
                lock.file.set_len(0)?;
                writeln!(&lock.file, "{process}")?;
                return Ok(Some(lock));
            }
        }
        Err(io::Error::other(format!(
            "something replaces {} again and again",
            path.display()
        )))
    }

    /// Whether the file at the path is still the one that is locked.
    pub(super) fn is_in_place(&self) -> bool {
        match fs::symlink_metadata(&self.path) {
            Ok(found) => (found.dev(), found.ino()) == self.id,
            // A file system that does not answer has not lost it.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// The process that took the lock at a path last, if it says so.
    pub(super) fn holder(path: &Path) -> Option<u32> {
        let process = std::process::id();
        if held()
            .iter()
            .any(|(by, held)| *by == process && held == path)
        {
            return Some(process);
        }
        let mut text = String::new();
        let mut options = File::options();
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.custom_flags(flags.bits().cast_signed());
        let file = options.read(true).open(path).ok()?;
        file.take(20).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let process = std::process::id();
        let mut held = held();
        if let Some(at) = held
            .iter()
            .position(|(by, path)| *by == process && *path == self.path)
        {
            held.swap_remove(at);
        }
    }
}

fn held() -> MutexGuard<'static, Vec<(u32, PathBuf)>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_lock_once_until_it_drops_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        assert_eq!(Lock::holder(&path), Some(std::process::id()));
        drop(lock);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim(), std::process::id().to_string());
        assert!(Lock::take(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_whose_file_was_deleted_or_replaced_is_out_of_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = Lock::take(&path).unwrap().unwrap();
        assert!(lock.is_in_place());
        fs::remove_file(&path).unwrap();
        assert!(!lock.is_in_place());
        fs::write(&path, "").unwrap();
        assert!(!lock.is_in_place());
    }

    #[test]
    fn what_is_no_file_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(Lock::take(&path).is_err());
        assert!(!folder.path().join("elsewhere").exists());
    }
}
