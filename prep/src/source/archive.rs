//! The members of a tar, plain or compressed, one after another.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::read::{Container, LONGEST_IMAGE, Place, read_exact_at};
use super::spool::{Limited, Spool};
use super::tar_index::{Member, each};
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
    source: &'a Path,
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
    pub(super) fn image(self) -> Result<Place, PrepError> {
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
                whole(entry, self.len, buffer).map_err(PrepError::io(self.source))?;
                spool.add(buffer)
            }
        }
    }

    /// The member as a small text; `None` if it is longer than `limit`.
    pub(super) fn text(self, limit: u64) -> Result<Option<Vec<u8>>, PrepError> {
        if self.len > limit {
            return Ok(None);
        }
        let mut text = Vec::new();
        let read = match self.bytes {
            Bytes::InPlace { file, offset, .. } => {
                text.resize(self.len as usize, 0);
                read_exact_at(file, &mut text, offset)
            }
            Bytes::Stream { entry, .. } => whole(entry, self.len, &mut text),
        };
        read.map_err(PrepError::io(self.source))?;
        Ok(Some(text))
    }
}

fn whole(entry: &mut dyn Read, len: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    if entry.take(len).read_to_end(bytes)? as u64 == len {
        return Ok(());
    }
    let message = "the tar ends inside of a member";
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
}

/// Calls `member` with the name and the content of each plain file of a tar that lies in place.
pub(super) fn each_in_place(
    path: &Path,
    containers: &mut Vec<Container>,
    mut member: impl FnMut(&str, Content<'_>) -> Result<(), PrepError>,
) -> Result<(), PrepError> {
    let file = File::open(path).map_err(PrepError::io(path))?;
    containers.push(Container::Path(path.to_owned()));
    let container = containers.len() as u32 - 1;
    each(path, |Member { name, offset, len }| {
        let bytes = Bytes::InPlace {
            file: &file,
            container,
            offset,
        };
        member(
            &name,
            Content {
                source: path,
                len,
                bytes,
            },
        )
    })
}

/// Calls `member` with the name and the content of each plain file of a compressed tar.
pub(super) fn each_unpacked(
    path: &Path,
    packing: Packing,
    spool: &mut Spool,
    mut member: impl FnMut(&str, Content<'_>) -> Result<(), PrepError>,
) -> Result<(), PrepError> {
    let file = File::open(path).map_err(PrepError::io(path))?;
    let packed = file.metadata().map_err(PrepError::io(path))?.len();
    spool.begin(path, packed);
    let file = BufReader::new(file);
    let stream: Box<dyn Read> = match packing {
        Packing::Plain => Box::new(file),
        Packing::Gzip => Box::new(MultiGzDecoder::new(file)),
        Packing::Zstd => Box::new(zstd::Decoder::with_buffer(file).map_err(PrepError::io(path))?),
    };
    let mut archive = Archive::new(Limited::new(stream, packed));
    let mut buffer = Vec::new();
    for entry in archive.entries().map_err(PrepError::io(path))? {
        let mut entry = entry.map_err(PrepError::io(path))?;
        if !matches!(
            entry.header().entry_type(),
            EntryType::Regular | EntryType::Continuous
        ) {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let content = Content {
            source: path,
            len: entry.size(),
            bytes: Bytes::Stream {
                entry: &mut entry,
                spool,
                buffer: &mut buffer,
            },
        };
        member(&name, content)?;
    }
    Ok(())
}
