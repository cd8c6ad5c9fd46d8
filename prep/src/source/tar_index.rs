//! Where the members of a tar are, without unpacking it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use tar::{Archive, EntryType};

use super::read::read_exact_at;
use crate::error::PrepError;

/// A member that is a plain file.
pub(super) struct Member {
    /// Path in the tar, `/` between its components; bytes that are not UTF-8 replaced.
    pub(super) name: String,
    /// First byte, counted from the start of the file that holds the tar.
    pub(super) offset: u64,
    pub(super) len: u64,
}

/// Calls `member` for each plain file of the tar that lies in `len` bytes at `start` of `file`. Only
/// headers are read.
pub(super) fn scan<E: From<io::Error>>(
    file: &File,
    start: u64,
    len: u64,
    mut member: impl FnMut(Member) -> Result<(), E>,
) -> Result<(), E> {
    let mut archive = Archive::new(Section {
        file,
        start,
        len,
        position: 0,
    });
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        // A sparse member's bytes do not lie side by side; images are never sparse.
        if !matches!(
            entry.header().entry_type(),
            EntryType::Regular | EntryType::Continuous
        ) {
            continue;
        }
        let (offset, size) = (entry.raw_file_position(), entry.size());
        if offset.checked_add(size).is_none_or(|end| end > len) {
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let message = format!("the tar ends inside of its member {name}");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message).into());
        }
        member(Member {
            name: String::from_utf8_lossy(&entry.path_bytes()).into_owned(),
            offset: start + offset,
            len: size,
        })?;
    }
    Ok(())
}

/// Calls `member` for each plain file of a tar.
pub(super) fn each(
    path: &Path,
    mut member: impl FnMut(Member) -> Result<(), PrepError>,
) -> Result<(), PrepError> {
    let file = File::open(path).map_err(PrepError::io(path))?;
    let len = file.metadata().map_err(PrepError::io(path))?.len();
    let result: Result<(), ScanError> = scan(&file, 0, len, |found| {
        member(found).map_err(ScanError::Prep)
    });
    result.map_err(|error| error.at(path))
}

/// What scanning can fail with: the tar itself, which does not know its path, or the work on a member.
pub(super) enum ScanError {
    Prep(PrepError),
    Io(io::Error),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl ScanError {
    pub(super) fn at(self, path: &Path) -> PrepError {
        match self {
            Self::Prep(error) => error,
            Self::Io(error) => PrepError::io(path)(error),
        }
    }
}

/// A part of a file as a file of its own.
struct Section<'a> {
    file: &'a File,
    start: u64,
    len: u64,
    position: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.len.saturating_sub(self.position);
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        read_exact_at(self.file, &mut bytes[..count], self.start + self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Section<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
