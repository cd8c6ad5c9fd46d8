//! What the cache asks of a Unix system: a lock that dies with its process, a socket, and free space.

use std::fs::File;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock, statvfs};

use super::folder::Folder;

/// Longest path of a socket that every system takes.
const LONGEST: usize = 100;

/// Locks a file for this process, and not for its children; `None` if another process has it.
pub(super) fn lock(path: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).append(true).open(path)?;
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Bytes that this user can still write to a folder's file system.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The keeper's socket, in place of one that an earlier keeper left.
pub(super) fn listen(folder: &Folder) -> io::Result<UnixListener> {
    match std::fs::remove_file(folder.socket()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (path, _folder) = reachable(folder)?;
    UnixListener::bind(path)
}

/// A connection to the keeper.
pub(super) fn connect(folder: &Folder) -> io::Result<UnixStream> {
    let (path, _folder) = reachable(folder)?;
    UnixStream::connect(path)
}

/// A path of the socket that is short enough for the system, and what keeps it valid.
fn reachable(folder: &Folder) -> io::Result<(PathBuf, Option<File>)> {
    let path = folder.socket();
    if path.as_os_str().len() <= LONGEST {
        return Ok((path, None));
    }
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        let opened = File::open(folder.path())?;
        let name = path.file_name().unwrap_or_default();
        let short = PathBuf::from(format!("/proc/self/fd/{}", opened.as_raw_fd())).join(name);
        Ok((short, Some(opened)))
    }
    #[cfg(not(target_os = "linux"))]
    Err(io::Error::other(format!(
        "the path of a socket may have {LONGEST} characters: choose a shorter --cache-dir"
    )))
}
