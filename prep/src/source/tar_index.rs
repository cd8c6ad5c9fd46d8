//! Where the members of a tar are, without unpacking it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::read::read_exact_at;
use super::tar_walk::{Kind, Skip, Walk};
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
    let mut walk = Walk::new(Section::new(file, start, len));
    while let Some(head) = walk.next()? {
        // A sparse member's bytes do not lie side by side; images are never sparse.
        if head.kind != Kind::File {
            continue;
        }
        let name = String::from_utf8_lossy(&head.name).into_owned();
        if head.ends_after(len) {
            let message = format!("the tar ends inside of its member {name}");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message).into());
        }
        member(Member {
            name,
            offset: start + head.offset,
            len: head.len,
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
#[derive(Debug)]
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
pub(super) struct Section<'a> {
    file: &'a File,
    start: u64,
    len: u64,
    position: u64,
}

impl<'a> Section<'a> {
    pub(super) const fn new(file: &'a File, start: u64, len: u64) -> Self {
        Self {
            file,
            start,
            len,
            position: 0,
        }
    }
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

impl Skip for Section<'_> {
    fn skip(&mut self, count: u64) -> io::Result<bool> {
        let to = self.position.saturating_add(count);
        self.position = to.min(self.len);
        Ok(to <= self.len)
    }
}
