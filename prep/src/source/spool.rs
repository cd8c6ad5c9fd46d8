//! Images that were taken out of compressed archives and of tables, in one file without a name.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::read::{Container, LONGEST_IMAGE, Place};
use crate::error::PrepError;

/// A packed file may expand to this many times its size, and so many bytes more.
const EXPANSION: u64 = 100;
const ALLOWANCE: u64 = 16 << 20;
/// Bytes between two looks at the free space.
const LOOK: u64 = 16 << 20;

/// The file while it is being filled. It has no name, so nothing of it remains in any case.
pub(super) struct Spool {
    file: File,
    folder: PathBuf,
    /// Whether that is the system's, for want of an output folder.
    temporary: bool,
    container: u32,
    len: u64,
    /// Bytes that the disk is known to take.
    free: u64,
    /// The packed file that is being read, and how much more of it is believed.
    source: PathBuf,
    limit: u64,
    left: u64,
}

impl Spool {
    /// Makes the file on the disk of the output folder, and a container of it.
    pub(super) fn new(out: &Path, containers: &mut Vec<Container>) -> Result<Self, PrepError> {
        let folder = roomiest(out)?;
        let file = tempfile::tempfile_in(&folder).map_err(PrepError::io(&folder))?;
        containers.push(Container::Spool {
            file: file.try_clone().map_err(PrepError::io(&folder))?,
            folder: folder.clone(),
        });
        Ok(Self {
            file,
            folder,
            temporary: out.as_os_str().is_empty(),
            container: containers.len() as u32 - 1,
            len: 0,
            free: 0,
            source: PathBuf::new(),
            limit: 0,
            left: 0,
        })
    }

    /// What follows comes out of a packed file of `len` bytes.
    pub(super) fn begin(&mut self, source: &Path, len: u64) {
        source.clone_into(&mut self.source);
        self.limit = expansion_limit(len);
        self.left = self.limit;
    }

    /// Checks that the disk has room for so many bytes.
    pub(super) fn expect(&mut self, bytes: u64) -> Result<(), PrepError> {
        let available = fs4::available_space(&self.folder).map_err(PrepError::io(&self.folder))?;
        if available < bytes {
            let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
            return Err(PrepError::Source {
                path: self.source.clone(),
                message: format!(
                    "its images are unpacked for the while, and need {} MB, but {} has {} MB free: free \
                     some space, or {}",
                    megabytes(bytes),
                    self.folder.display(),
                    available / 1_000_000,
                    match self.temporary {
                        true => "set TMPDIR to a folder on another disk",
                        false => "put --out on another disk",
                    }
                ),
            });
        }
        self.free = available;
        Ok(())
    }

    /// Adds an image.
    pub(super) fn add(&mut self, image: &[u8]) -> Result<Place, PrepError> {
        let len = image.len() as u64;
        let place = self.place(len);
        if len > LONGEST_IMAGE {
            return Ok(place);
        }
        self.left = self.left.checked_sub(len).ok_or_else(|| {
            let source = too_large(self.limit);
            PrepError::io(&self.source)(source)
        })?;
        if self.free < len {
            // Other programs write to the disk too, so the free space is checked again from time to time.
            self.expect(len)?;
            self.free = self.free.min(len.max(LOOK));
        }
        self.file
            .write_all(image)
            .map_err(PrepError::io(&self.folder))?;
        self.free -= len;
        self.len += len;
        Ok(place)
    }

    /// The place of an image of `len` bytes added next. One that is too long to be read needs no
    /// adding.
    pub(super) const fn place(&self, len: u64) -> Place {
        Place::Range {
            container: self.container,
            offset: self.len,
            len,
        }
    }
}

/// The folder around the output, or the output itself where that is a disk with more room; the system's
/// folder for temporary files where there is no output.
fn roomiest(out: &Path) -> Result<PathBuf, PrepError> {
    if out.as_os_str().is_empty() {
        return Ok(std::env::temp_dir());
    }
    let out = std::path::absolute(out).map_err(PrepError::io(out))?;
    let mut folder = out.parent().unwrap_or(&out).to_owned();
    while !folder.is_dir() && folder.pop() {}
    let free = |folder: &Path| fs4::available_space(folder).map_err(PrepError::io(folder));
    if out.is_dir() && free(&out)? > free(&folder)? {
        return Ok(out);
    }
    Ok(folder)
}

const fn expansion_limit(packed: u64) -> u64 {
    packed.saturating_mul(EXPANSION).saturating_add(ALLOWANCE)
}

fn too_large(limit: u64) -> io::Error {
    let message = format!(
        "expands to more than {} MB: it is damaged or hostile",
        limit / 1_000_000
    );
    io::Error::new(io::ErrorKind::FileTooLarge, message)
}

/// An unpacked stream that fails where it grows beyond what a packed file of its length would honestly
/// hold.
pub(super) struct Limited<R> {
    inner: R,
    limit: u64,
    left: u64,
}

impl<R> Limited<R> {
    /// `packed` is the length of the packed file.
    pub(super) const fn new(inner: R, packed: u64) -> Self {
        let limit = expansion_limit(packed);
        Self {
            inner,
            limit,
            left: limit,
        }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| too_large(self.limit))?;
        Ok(count)
    }
}
