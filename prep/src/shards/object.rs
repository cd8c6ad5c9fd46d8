//! Manifest and shards in an object store.

use std::fs::File;
use std::io::{self, Seek};
use std::path::Path;

use memmap2::MmapMut;
use shardmill_formats::{MANIFEST_FILE, ShardEntry, ShardIndex, schema};
use shardmill_store::StoreError;

use super::extent::{check_size, zeros};
use crate::error::PrepError;
use crate::io::objects::Store;
use crate::observe::Observer;
use crate::part::Part;

/// Indices that are read at once.
pub(super) const INDICES: usize = 8;
/// Most shards that are fetched and checked at once, which bounds the disk that they take.
pub(crate) const FETCHES: usize = 4;
/// Bytes of a shard's first request, which nearly always hold its header: 4096 of them without long names.
const FRONT: u64 = 64 << 10;

/// The bytes of the manifest, or a few more than it may have, in one request.
pub(super) fn read_manifest(store: &Store) -> Result<Vec<u8>, PrepError> {
    match store.read(MANIFEST_FILE, schema::MANIFEST_LIMIT as u64) {
        Err(StoreError::Missing(_)) => Err(no_dataset(store)),
        read => read.map_err(PrepError::Store),
    }
}

/// Why there is no manifest.
fn no_dataset(store: &Store) -> PrepError {
    let message = match store.list() {
        Err(StoreError::Missing(_)) => "there is no such bucket: correct the address",
        Err(error) => return PrepError::Store(error),
        Ok(objects) => {
            let is_unfinished = objects.iter().any(|object| {
                let (folder, _) = object.name.split_once('/').unwrap_or_default();
                Part::of_journal(folder).is_some()
            });
            match (is_unfinished, objects.is_empty()) {
                (true, _) => {
                    "holds a dataset that is not finished: the `ingest` that makes it resumes it, and `merge` \
                     completes one of several parts"
                }
                (false, true) => {
                    "there is nothing at this address: give the one that `ingest SRC --out ADDRESS` wrote to"
                }
                (false, false) => {
                    "holds no manifest.json: give the address that `ingest SRC --out ADDRESS` wrote to"
                }
            }
        }
    };
    PrepError::Source {
        path: store.address().into(),
        message: message.to_owned(),
    }
}

/// What is around the records of a shard, as [`read_index`](super::read_index) gives it of a file, in two
/// requests; in one more if the header is uncommonly long.
pub(super) fn read_index(
    store: &Store,
    entry: &ShardEntry,
    path: &Path,
) -> Result<(MmapMut, ShardIndex), PrepError> {
    let refused = |source| PrepError::Shard {
        path: path.to_owned(),
        source,
    };
    let cut = || {
        let message = "the server sent less than was asked for";
        PrepError::io(path)(io::Error::new(io::ErrorKind::UnexpectedEof, message))
    };
    let (mut front, len) = store
        .read_start(&entry.file, FRONT)
        .map_err(PrepError::Store)?;
    check_size(path, entry, len)?;
    if (front.len() as u64) < len.min(8) {
        return Err(cut());
    }
    let header_len = ShardIndex::header_len(&front, len).map_err(refused)?;
    if front.len() < header_len {
        let read = store.read_start(&entry.file, header_len as u64);
        front = read.map_err(PrepError::Store)?.0;
    }
    let header = front.get(..header_len).ok_or_else(cut)?;
    let records = ShardIndex::record_data(header, len).map_err(refused)?;
    let mut bytes = zeros(len).map_err(PrepError::io(path))?;
    bytes[..header_len].copy_from_slice(header);
    if front.len() == bytes.len() {
        bytes[records.end..].copy_from_slice(&front[records.end..]);
    } else {
        let tail = &mut bytes[records.end..];
        let read = store.read_from(&entry.file, records.end as u64, tail.len() as u64);
        let read = read.map_err(PrepError::Store)?;
        if read.len() != tail.len() {
            return Err(cut());
        }
        tail.copy_from_slice(&read);
    }
    let index = ShardIndex::parse(&bytes).map_err(refused)?;
    Ok((bytes, index))
}

/// Compares the size and the index of a shard, which holds the checksum of every record, with a manifest's entry.
pub(crate) fn check_index(store: &Store, entry: &ShardEntry) -> Result<(), PrepError> {
    let path = store.address_of(&entry.file);
    let (bytes, index) = read_index(store, entry, path.as_ref())?;
    index
        .verify_index(&bytes, entry.index_checksum())
        .map_err(|source| PrepError::Shard {
            path: path.into(),
            source,
        })
}

/// Fetches a shard into a file without a name, which the system removes when it is closed. If its bytes are not
/// those of the manifest, it is fetched once more: the network may have damaged them. What arrives then is for the
/// caller to judge.
///
/// # Errors
/// An object that is not there or has another size, a server that cannot be asked, or a full disk.
pub(crate) fn fetch(
    store: &Store,
    entry: &ShardEntry,
    observer: &Observer,
) -> Result<File, PrepError> {
    let folder = std::env::temp_dir();
    let file = tempfile::tempfile_in(&folder).map_err(PrepError::io(&folder))?;
    let go_on = || observer.check().is_ok();
    let fetch = || store.fetch(&entry.file, entry.bytes, &file, &go_on);
    let fetched = match fetch() {
        Ok(()) if hash(&file).map_err(PrepError::io(&folder))? != entry.blake3 => fetch(),
        fetched => fetched,
    };
    match fetched {
        Ok(()) => Ok(file),
        Err(StoreError::Stopped) => Err(PrepError::Stopped),
        Err(StoreError::Length {
            address,
            found,
            expected,
        }) => Err(PrepError::Contradiction {
            path: address.into(),
            what: "size in bytes",
            found: found.to_string(),
            expected: expected.to_string(),
        }),
        Err(StoreError::Io { source, .. }) if is_full(&source) => Err(PrepError::Source {
            path: folder,
            message: format!(
                "there is no room for {} for the while: free {} MB for each of {FETCHES} shards, or set TMPDIR to a \
                 folder on another disk",
                entry.file,
                entry.bytes.div_ceil(1_000_000)
            ),
        }),
        Err(error) => Err(PrepError::Store(error)),
    }
}

/// BLAKE3 of a whole file.
fn hash(mut file: &File) -> io::Result<String> {
    file.rewind()?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file)?;
    file.rewind()?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
