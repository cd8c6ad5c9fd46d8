//! A shard's file while it arrives.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::fs::{AtFlags, CWD, OFlags, linkat};

use super::folder::Folder;

/// A file that is to become a shard. Until then it has no name, so that nothing is left of it however the
/// process ends; or a name of its own, on file systems on which every file must have one.
pub(super) struct Arrival<'a> {
    folder: &'a Folder,
    blake3: &'a str,
    file: File,
    part: Option<PathBuf>,
}

impl<'a> Arrival<'a> {
    /// An empty file for a shard.
    ///
    /// # Errors
    /// It cannot be made, or something that is no file has the shard's name.
    pub(super) fn begin(folder: &'a Folder, blake3: &'a str) -> io::Result<Self> {
        folder.clear(blake3)?;
        let arrival = |file, part| Self {
            folder,
            blake3,
            file,
            part,
        };
        if let Some(file) = nameless(folder) {
            return Ok(arrival(file, None));
        }
        let part = folder.part(blake3);
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = File::options();
        // No link is followed.
        options.read(true).write(true).create_new(true);
        Ok(arrival(options.open(&part)?, Some(part)))
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Gives the shard its name. Its bytes are on the disk first: after a power cut, a shard under its name is
    /// whole.
    ///
    /// # Errors
    /// The system's, or something that is no file has the name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.folder.clear(self.blake3)?;
        let shard = self.folder.shard(self.blake3);
        if let Some(part) = &self.part {
            fs::rename(part, shard)?;
            self.part = None;
            return Ok(());
        }
        let file = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        Ok(linkat(CWD, file, CWD, shard, AtFlags::SYMLINK_FOLLOW)?)
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            // A new keeper may have deleted it.
            let _ = fs::remove_file(part);
        }
    }
}

/// A file without a name, where the file system has such files and the system can name them later.
#[cfg(target_os = "linux")]
fn nameless(folder: &Folder) -> Option<File> {
    fs::symlink_metadata("/proc/self/fd").ok()?;
    let mut options = File::options();
    options
        .custom_flags(OFlags::TMPFILE.bits().cast_signed())
        .read(true)
        .write(true);
    options.open(folder.path()).ok()
}

#[cfg(not(target_os = "linux"))]
fn nameless(_: &Folder) -> Option<File> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With and without a name.
    fn arrivals<'a>(folder: &'a Folder, blake3: &'a str) -> [Arrival<'a>; 2] {
        let nameless = Arrival::begin(folder, blake3).unwrap();
        let part = folder.part(blake3);
        let file = File::create_new(&part).unwrap();
        let named = Arrival {
            folder,
            blake3,
            file,
            part: Some(part),
        };
        [nameless, named]
    }

    #[test]
    fn a_shard_has_its_name_when_it_is_whole_and_nothing_is_left_of_another() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let blake3 = "a".repeat(64);
        let files = || fs::read_dir(folder.path()).unwrap().count();
        let before = files();
        for (i, arrival) in arrivals(&folder, &blake3).into_iter().enumerate() {
            let bytes = format!("bytes {i}");
            std::os::unix::fs::FileExt::write_all_at(arrival.file(), bytes.as_bytes(), 0).unwrap();
            // The second takes the place of the first.
            let there = fs::read_to_string(folder.shard(&blake3)).unwrap_or_default();
            assert_ne!(there, bytes);
            arrival.finish().unwrap();
            assert_eq!(fs::read_to_string(folder.shard(&blake3)).unwrap(), bytes);
            assert_eq!(files(), before + if i == 0 { 2 } else { 1 });
        }
        folder.remove(&blake3).unwrap();
        drop(arrivals(&folder, &blake3));
        assert_eq!(files(), before);
    }

    #[test]
    fn nothing_but_a_file_is_replaced() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let blake3 = "b".repeat(64);
        for arrival in arrivals(&folder, &blake3) {
            let path = folder.shard(&blake3);
            let fifo = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(CWD, &path, fifo, rustix::fs::Mode::RUSR, 0).unwrap();
            let error = arrival.finish().unwrap_err().to_string();
            assert!(error.contains("is a FIFO that something else"), "{error}");
            let refused = Arrival::begin(&folder, &blake3).err().unwrap().to_string();
            assert_eq!(refused, error);
            fs::remove_file(path).unwrap();
        }
    }
}
