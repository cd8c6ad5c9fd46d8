//! One shard from its object store into the cache's folder.

use std::fs::File;
use std::io::{self, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;

use rustix::fs::OFlags;

use super::arrival::Arrival;
use super::folder::Folder;
use crate::error::StoreError;
use crate::remote::Remote;

/// Times that a shard is fetched if it arrives damaged.
const TIMES: u32 = 2;

/// What became of a shard.
pub(super) struct Outcome {
    pub(super) result: Result<(), StoreError>,
    /// Bytes that arrived.
    pub(super) arrived: u64,
    /// Times that it arrived damaged.
    pub(super) damaged: u32,
}

/// Shards that arrive at once, each over several connections: four, or one for every four processors, since each
/// keeps one busy with writing and hashing.
pub(super) fn transfers() -> usize {
    available_parallelism().map_or(4, |n| (n.get() / 4).clamp(4, 32))
}

/// A shard that is to be fetched.
pub(super) struct Wanted<'a> {
    pub(super) folder: &'a Folder,
    pub(super) remote: &'a Remote,
    /// Its name below the dataset's address.
    pub(super) file: &'a str,
    pub(super) bytes: u64,
    pub(super) blake3: &'a str,
    /// Whether this process still keeps the cache: asked for every piece.
    pub(super) is_kept: &'a (dyn Fn() -> bool + Sync),
}

impl Wanted<'_> {
    /// Fetches the shard, compares it with its BLAKE3, and gives it its name.
    pub(super) fn fetch(&self) -> Outcome {
        let (arrived, mut damaged) = (AtomicU64::new(0), 0);
        let result = loop {
            match self.attempt(&arrived) {
                Err(StoreError::Damaged { .. }) if damaged + 1 < TIMES => damaged += 1,
                Err(error) => {
                    damaged += u32::from(matches!(error, StoreError::Damaged { .. }));
                    break Err(error);
                }
                Ok(()) => break Ok(()),
            }
        };
        Outcome {
            result,
            arrived: arrived.into_inner(),
            damaged,
        }
    }

    fn attempt(&self, arrived: &AtomicU64) -> Result<(), StoreError> {
        let unwritten = |source: io::Error| self.unwritten(source);
        let arrival = Arrival::begin(self.folder, self.blake3).map_err(unwritten)?;
        let count = |bytes| {
            arrived.fetch_add(bytes, Ordering::Relaxed);
            (self.is_kept)()
        };
        self.remote
            .download(self.file, self.bytes, arrival.file(), &count)
            .map_err(|error| match error {
                StoreError::Io { source, .. } => unwritten(source),
                other => other,
            })?;
        let found = hash(arrival.file()).map_err(unwritten)?;
        if found != self.blake3 {
            return Err(StoreError::Damaged {
                address: self.remote.address_of(self.file),
                attempts: TIMES,
                found,
                expected: self.blake3.to_owned(),
            });
        }
        if !(self.is_kept)() {
            return Err(StoreError::Stopped);
        }
        arrival.finish().map_err(unwritten)
    }

    /// Why a file of the cache could not be written.
    fn unwritten(&self, source: io::Error) -> StoreError {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::Cache(format!(
                    "the disk of the cache {} is full: free some space, or give fewer --cache-bytes",
                    self.folder.given().display()
                ))
            }
            io::ErrorKind::AlreadyExists => StoreError::Cache(source.to_string()),
            _ => StoreError::Io {
                path: self.folder.shard(self.blake3),
                source,
            },
        }
    }
}

/// Whether a file has these bytes.
pub(super) fn is_whole(path: &Path, bytes: u64, blake3: &str) -> bool {
    let mut options = File::options();
    // No link is followed, and no FIFO waited for.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
    options.read(true).open(path).is_ok_and(|file| {
        let found = file.metadata();
        found.is_ok_and(|found| found.is_file() && found.len() == bytes)
            && hash(&file).is_ok_and(|found| found == blake3)
    })
}

/// BLAKE3 of a whole file.
fn hash(mut file: &File) -> io::Result<String> {
    file.rewind()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    Ok(hasher.finalize().to_hex().to_string())
}
