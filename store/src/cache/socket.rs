//! What the cache asks of a Unix system besides its lock: a socket, and free space.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::statvfs;

use super::folder::Folder;

/// Longest path of a socket that every system takes.
const LONGEST: usize = 100;

/// The keeper's socket.
pub(super) struct Listener {
    listener: UnixListener,
    /// Device and number of its file.
    file: (u64, u64),
}

impl Listener {
    /// Listens in a folder, in place of a socket that an earlier keeper left or something else made.
    pub(super) fn open(folder: &Folder) -> io::Result<Self> {
        let path = folder.socket();
        match fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(&path)?,
            Ok(_) => {
                return Err(io::Error::other(format!(
                    "{} is no socket, so something else made it: remove it",
                    path.display()
                )));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let (short, _folder) = reachable(folder)?;
        let listener = UnixListener::bind(short)?;
        listener.set_nonblocking(true)?;
        let file = id(&path)?;
        Ok(Self { listener, file })
    }

    /// The next connection; `None` if there is none within a time.
    pub(super) fn accept(&self, within: Duration) -> io::Result<Option<UnixStream>> {
        let within = Timespec::try_from(within).map_err(io::Error::other)?;
        poll(
            &mut [PollFd::new(&self.listener, PollFlags::IN)],
            Some(&within),
        )?;
        let accepted = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        accepted.set_nonblocking(false)?;
        Ok(Some(accepted))
    }

    /// Whether its file is still there.
    pub(super) fn is_in_place(&self, folder: &Folder) -> bool {
        id(&folder.socket()).is_ok_and(|found| found == self.file)
    }
}

/// Bytes that this user can still write to a folder's file system.
pub(super) fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// A connection to the keeper.
pub(super) fn connect(folder: &Folder) -> io::Result<UnixStream> {
    let (path, _folder) = reachable(folder)?;
    UnixStream::connect(path)
}

fn id(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
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
