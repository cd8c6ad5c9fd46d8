//! Where the bytes of an image are, and how they are read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Entry;
use crate::error::PrepError;
use crate::reject::Reject;

/// Longest file that is read as an image, in bytes: far more than any photograph, and little enough
/// for every thread to hold one.
pub(crate) const LONGEST_IMAGE: u64 = 256 << 20;

/// Where the bytes of an image are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Place {
    /// In the file that the key names, under the source's folder.
    Key,
    /// Nowhere: that it is no record was known when the source was listed.
    Rejected(Box<Reject>),
    /// In a file of another name.
    File(#[serde(with = "super::raw_path")] Box<Path>),
    /// In a part of a container.
    Range {
        /// Index among the listing's containers.
        container: u32,
        /// First byte.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
}

/// A file that holds many images.
#[derive(Debug)]
pub(crate) enum Container {
    /// Opened for each image: a source may have more of them than a process may hold open.
    Path(PathBuf),
    /// The one file without a name that unpacked images are kept in.
    Spool {
        /// Open for reading.
        file: File,
        /// The folder that it is in.
        folder: PathBuf,
    },
}

impl Container {
    fn read(&self, bytes: &mut [u8], offset: u64) -> Result<(), PrepError> {
        match self {
            Self::Path(path) => File::open(path)
                .and_then(|file| read_exact_at(&file, bytes, offset))
                .map_err(PrepError::io(path)),
            Self::Spool { file, folder } => {
                read_exact_at(file, bytes, offset).map_err(PrepError::io(folder))
            }
        }
    }
}

/// Reads images; shared by all threads.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    root: Arc<Path>,
    containers: Arc<[Container]>,
}

impl Reader {
    pub(crate) fn new(root: &Path, containers: Vec<Container>) -> Self {
        Self {
            root: root.into(),
            containers: containers.into(),
        }
    }

    /// Reads the bytes of an image into `bytes`, whose memory is used again; a reject if there are more
    /// than [`LONGEST_IMAGE`], or if the listing knew one.
    pub(crate) fn read(
        &self,
        entry: &Entry,
        bytes: &mut Vec<u8>,
    ) -> Result<Option<Reject>, PrepError> {
        const TOO_LONG: Option<Reject> = Some(Reject::TooLong {
            limit: LONGEST_IMAGE,
        });
        bytes.clear();
        let fits = match &entry.place {
            Place::Rejected(reject) => return Ok(Some(Reject::clone(reject))),
            Place::Key => whole(&self.root.join(&*entry.key), bytes),
            Place::File(path) => whole(path, bytes),
            &Place::Range {
                container,
                offset,
                len,
            } => {
                if len > LONGEST_IMAGE {
                    return Ok(TOO_LONG);
                }
                bytes.resize(len as usize, 0);
                self.containers[container as usize].read(bytes, offset)?;
                Ok(true)
            }
        }?;
        Ok(if fits { None } else { TOO_LONG })
    }
}

fn whole(path: &Path, bytes: &mut Vec<u8>) -> Result<bool, PrepError> {
    let count = File::open(path)
        .and_then(|file| file.take(LONGEST_IMAGE + 1).read_to_end(bytes))
        .map_err(PrepError::io(path))?;
    Ok(count as u64 <= LONGEST_IMAGE)
}

/// Reads a part of a file without moving its position, so that threads can share it.
pub(crate) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
    }
    #[cfg(windows)]
    {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            match std::os::windows::fs::FileExt::seek_read(file, &mut bytes[done..], at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => done += count,
            }
        }
        Ok(())
    }
}
