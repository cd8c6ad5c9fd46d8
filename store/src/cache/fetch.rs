//! One shard from its object store into the cache's folder.

use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Fetches a shard, compares it with its BLAKE3, and gives it its name.
pub(super) fn fetch(
    folder: &Folder,
    remote: &Remote,
    file: &str,
    bytes: u64,
    blake3: &str,
) -> Outcome {
    let (arrived, mut damaged) = (AtomicU64::new(0), 0);
    let result = loop {
        match attempt(folder, remote, file, bytes, blake3, &arrived) {
            Err(StoreError::Damaged { .. }) if damaged + 1 < TIMES => damaged += 1,
            Err(error) => {
                damaged += u32::from(matches!(error, StoreError::Damaged { .. }));
                folder.abandon(blake3);
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

fn attempt(
    folder: &Folder,
    remote: &Remote,
    file: &str,
    bytes: u64,
    blake3: &str,
    arrived: &AtomicU64,
) -> Result<(), StoreError> {
    let unwritten = |source: io::Error| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Cache(format!(
            "the disk of the cache {} is full: free some space, or give fewer --cache-bytes",
            folder.path().display()
        )),
        _ => StoreError::Io {
            path: folder.shard(blake3),
            source,
        },
    };
    let part = folder.begin(blake3).map_err(unwritten)?;
    let count = |bytes| {
        arrived.fetch_add(bytes, Ordering::Relaxed);
        true
    };
    remote
        .download(file, bytes, &part, &count)
        .map_err(|error| match error {
            StoreError::Io { source, .. } => unwritten(source),
            other => other,
        })?;
    let found = hash(&part).map_err(unwritten)?;
    if found != blake3 {
        return Err(StoreError::Damaged {
            address: remote.address_of(file),
            attempts: TIMES,
            found,
            expected: blake3.to_owned(),
        });
    }
    folder.finish(blake3, &part).map_err(unwritten)
}

/// Whether a file has these bytes.
pub(super) fn is_whole(path: &Path, bytes: u64, blake3: &str) -> bool {
    File::open(path).is_ok_and(|file| {
        let len = file.metadata().map(|found| found.len());
        len.is_ok_and(|len| len == bytes) && hash(&file).is_ok_and(|found| found == blake3)
    })
}

/// BLAKE3 of a whole file.
fn hash(mut file: &File) -> io::Result<String> {
    file.rewind()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    Ok(hasher.finalize().to_hex().to_string())
}
