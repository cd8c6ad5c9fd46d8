//! The members of a tar, plain or compressed, one after another.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::read::{Container, LONGEST_IMAGE, Place, read_exact_at};
use super::spool::{Limited, Spool};
use super::tar_index::{ScanError, Section};
use super::tar_walk::{Stream, TarHeader, Walk, cut};
use crate::error::PrepError;

/// How a tar is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// By the file's name; `None` if it is not a tar's.
    pub(super) fn of(file_name: &str) -> Option<Self> {
        let name = file_name.to_ascii_lowercase();
        let ends = [
            (".tar", Self::Plain),
            (".tar.gz", Self::Gzip),
            (".tgz", Self::Gzip),
            (".tar.zst", Self::Zstd),
        ];
        let found = ends.into_iter().find(|(end, _)| name.ends_with(end));
        found.map(|(_, packing)| packing)
    }
}

/// What a member holds.
pub(super) struct Content<'a> {
    len: u64,
    bytes: Bytes<'a>,
}

enum Bytes<'a> {
    InPlace {
        file: &'a File,
        container: u32,
        offset: u64,
    },
    Stream {
        entry: &'a mut dyn Read,
        spool: &'a mut Spool,
        buffer: &'a mut Vec<u8>,
    },
}

impl Content<'_> {
    /// Keeps the member as an image.
    pub(super) fn image(self) -> Result<Place, ScanError> {
        match self.bytes {
            Bytes::InPlace {
                container, offset, ..
            } => Ok(Place::Range {
                container,
                offset,
                len: self.len,
            }),
            Bytes::Stream { spool, .. } if self.len > LONGEST_IMAGE => Ok(spool.place(self.len)),
            Bytes::Stream {
                entry,
                spool,
                buffer,
            } => {
                whole(entry, self.len, buffer)?;
                spool.add(buffer).map_err(ScanError::Prep)
            }
        }
    }

    /// Where the member is, if nothing has to be unpacked for it.
    pub(super) const fn place(&self) -> Option<Place> {
        match self.bytes {
            Bytes::InPlace {
                container, offset, ..
            } => Some(Place::Range {
                container,
                offset,
                len: self.len,
            }),
            Bytes::Stream { .. } => None,
        }
    }

    /// The member as a small text; `None` if it is longer than `limit`.
    pub(super) fn text(self, limit: u64) -> Result<Option<Vec<u8>>, ScanError> {
        if self.len > limit {
            return Ok(None);
        }
        let mut text = Vec::new();
        match self.bytes {
            Bytes::InPlace { file, offset, .. } => {
                text.resize(self.len as usize, 0);
                read_exact_at(file, &mut text, offset)?;
            }
            Bytes::Stream { entry, .. } => whole(entry, self.len, &mut text)?,
        }
        Ok(Some(text))
    }
}

fn whole(entry: &mut dyn Read, len: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    match entry.take(len).read_to_end(bytes)? as u64 == len {
        true => Ok(()),
        false => Err(cut()),
    }
}

/// How a tar ended before its end. What lay after is unknown.
#[derive(Debug)]
pub(super) struct Broken {
    /// The member that it ended in, if it was in one.
    pub(super) member: Option<Vec<u8>>,
    pub(super) message: String,
}

/// What is done with a member.
pub(super) trait Take: FnMut(&TarHeader, Content<'_>) -> Result<(), ScanError> {}
impl<F: FnMut(&TarHeader, Content<'_>) -> Result<(), ScanError>> Take for F {}

/// Calls `member` with each member of a tar that is in place, and its content.
pub(super) fn each_in_place(
    path: &Path,
    containers: &mut Vec<Container>,
    mut member: impl Take,
) -> Result<Option<Broken>, PrepError> {
    let file = File::open(path).map_err(PrepError::io(path))?;
    let len = file.metadata().map_err(PrepError::io(path))?.len();
    containers.push(Container::Path(path.to_owned()));
    let container = containers.len() as u32 - 1;
    let mut walk = Walk::new(Section::new(&file, 0, len));
    let mut current = None;
    let mut walked = || -> Result<(), ScanError> {
        while let Some(head) = walk.next()? {
            current = Some(head.name.clone());
            if head.ends_after(len) {
                return Err(cut().into());
            }
            let bytes = Bytes::InPlace {
                file: &file,
                container,
                offset: head.offset,
            };
            let len = head.len;
            member(&head, Content { len, bytes })?;
            current = None;
        }
        Ok(())
    };
    let result = walked();
    broken(path, result, current)
}

/// Calls `member` with each member of a compressed tar, and its content.
pub(super) fn each_unpacked(
    path: &Path,
    packing: Packing,
    spool: &mut Spool,
    mut member: impl Take,
) -> Result<Option<Broken>, PrepError> {
    let file = File::open(path).map_err(PrepError::io(path))?;
    let packed = file.metadata().map_err(PrepError::io(path))?.len();
    spool.begin(path, packed);
    let file = BufReader::new(file);
    let stream: Box<dyn Read> = match packing {
        Packing::Plain => Box::new(file),
        Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
        Packing::Zstd => Box::new(zstd::Decoder::with_buffer(file).map_err(PrepError::io(path))?),
    };
    let mut walk = Walk::new(Stream(Limited::new(stream, packed)));
    let mut buffer = Vec::new();
    let mut current = None;
    let mut walked = || -> Result<(), ScanError> {
        while let Some(head) = walk.next()? {
            current = Some(head.name.clone());
            let bytes = Bytes::Stream {
                entry: &mut walk,
                spool,
                buffer: &mut buffer,
            };
            let len = head.len;
            member(&head, Content { len, bytes })?;
            walk.leave()?;
            current = None;
        }
        Ok(())
    };
    let result = walked();
    broken(path, result, current)
}

/// Tells a tar that is cut or damaged from a disk that fails, and from one that is made to fill disks.
fn broken(
    path: &Path,
    result: Result<(), ScanError>,
    member: Option<Vec<u8>>,
) -> Result<Option<Broken>, PrepError> {
    match result {
        Ok(()) => Ok(None),
        Err(ScanError::Prep(error)) => Err(error),
        Err(ScanError::Io(error))
            if error.raw_os_error().is_some() || error.kind() == io::ErrorKind::FileTooLarge =>
        {
            Err(PrepError::io(path)(error))
        }
        Err(ScanError::Io(error)) => Ok(Some(Broken {
            member,
            message: error.to_string(),
        })),
    }
}
