//! Where the members of a tar are, without unpacking it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::read::read_exact_at;
use super::tar_part::{normal, text};
use super::tar_walk::{Kind, Skip, Walk};
use crate::error::PrepError;
use crate::reject::Reject;

/// A member that is no folder.
pub(super) struct Member {
    /// Path in the tar, `/` between its components, as text.
    pub(super) name: String,
    /// First byte, counted from the start of the file that holds the tar; that of the file that a link
    /// leads to.
    pub(super) offset: u64,
    /// As far as the tar goes.
    pub(super) len: u64,
    /// Why its bytes are none: it is cut, no plain file, or a link to nothing.
    pub(super) reject: Option<Reject>,
}

/// Calls `member` for each member of the tar called `tar`, which is in `len` bytes at `start` of `file`.
/// Only headers are read. Where the tar breaks off the members before are kept, and the one that it breaks
/// off in, or the tar itself, is a reject.
///
/// # Errors
/// A disk that fails, or what `member` fails with.
pub(super) fn scan<E: From<io::Error>>(
    file: &File,
    (start, len): (u64, u64),
    tar: &str,
    mut member: impl FnMut(Member) -> Result<(), E>,
) -> Result<(), E> {
    let mut walk = Walk::new(Section::new(file, start, len));
    let (mut files, mut links) = (HashMap::new(), Vec::new());
    loop {
        let head = match walk.next() {
            Ok(Some(head)) => head,
            Ok(None) => break,
            Err(error) if error.raw_os_error().is_some() => return Err(error.into()),
            Err(error) => {
                let message = format!("{tar} breaks off ({error}); what comes behind is unknown");
                member(rejected(tar.to_owned(), Reject::Cut(message)))?;
                break;
            }
        };
        let name = text(&head.name);
        let place = normal("", &name);
        match head.kind {
            Kind::Folder => {}
            Kind::File => {
                let cut = head.ends_after(len);
                let message = || format!("{tar} breaks off in it; what comes behind is unknown");
                files.insert(place, (start.saturating_add(head.offset), head.len));
                member(Member {
                    name,
                    offset: start.saturating_add(head.offset),
                    len: head.len.min(len.saturating_sub(head.offset)),
                    reject: cut.then(|| Reject::Cut(message())),
                })?;
                if cut {
                    break;
                }
            }
            Kind::HardLink(target) => {
                let target = normal("", &text(&target));
                member(linked(name, &target, files.get(&target)))?;
            }
            Kind::SymbolicLink(target) => {
                let folder = place.rfind('/').map_or("", |slash| &place[..slash]);
                links.push((name, normal(folder, &text(&target))));
            }
            // A sparse member's bytes are not contiguous.
            Kind::Other => {
                let message = "a sparse file, a FIFO or a device of its tar".to_owned();
                member(rejected(name, Reject::NotAFile(message)))?;
            }
        }
    }
    // A symbolic link may come before what it leads to.
    for (name, target) in links {
        member(linked(name, &target, files.get(&target)))?;
    }
    Ok(())
}

fn linked(name: String, target: &str, file: Option<&(u64, u64)>) -> Member {
    let missing = || {
        Reject::Missing(format!(
            "it is a link to {target}, which is no file of its tar"
        ))
    };
    match file {
        Some(&(offset, len)) => Member {
            name,
            offset,
            len,
            reject: None,
        },
        None => rejected(name, missing()),
    }
}

const fn rejected(name: String, reject: Reject) -> Member {
    Member {
        name,
        offset: 0,
        len: 0,
        reject: Some(reject),
    }
}

/// Calls `member` for each member of a tar, as [`scan`] does.
pub(super) fn each(
    path: &Path,
    mut member: impl FnMut(Member) -> Result<(), PrepError>,
) -> Result<(), PrepError> {
    let file = File::open(path).map_err(PrepError::io(path))?;
    let len = file.metadata().map_err(PrepError::io(path))?.len();
    let tar = super::text::from_os(path.file_name().unwrap_or_default());
    let result: Result<(), ScanError> = scan(&file, (0, len), &tar, |found| {
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
