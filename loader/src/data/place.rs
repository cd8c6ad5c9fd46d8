//! Where a dataset is: in a folder, or in an object store.

use std::ops::Range;
use std::path::Path;
use std::thread::available_parallelism;

use memmap2::{MmapMut, MmapOptions};
use shardmill_formats::schema::MANIFEST_LIMIT;
use shardmill_formats::{
    MANIFEST_FILE, Manifest, ShardEntry, ShardError, ShardIndex, Split, crc32c,
};
use shardmill_store::{Remote, ShardFile, StoreError, address, misspelt};

use super::shard::{Shard, open_all};
use crate::error::LoaderError;

/// Bytes that are read from the front of a shard at once: its header is shorter, so that one more request
/// brings the rest of the index.
const FRONT: u64 = 16 << 10;
/// Shards of an object store that are opened at once, since opening one is little but waiting.
const OPENED_AT_ONCE: usize = 32;

/// The shards of a split in an object store.
pub(crate) struct RemoteSplit {
    remote: Remote,
    files: Vec<ShardFile>,
}

/// The object store that `folder` is an address of; `None` for a folder.
pub(super) fn remote(folder: &Path) -> Result<Option<Remote>, LoaderError> {
    if let Some(scheme) = misspelt(folder).filter(|_| !folder.exists()) {
        let advice = format!(
            "an address has two slashes, as in {scheme}://bucket/dataset; pass it as a string, since a path object \
             drops one"
        );
        return Err(LoaderError::setting(
            "the dataset's address",
            folder.display(),
            advice,
        ));
    }
    Ok(address(folder).map(Remote::open).transpose()?)
}

/// Reads the manifest of the dataset in an object store.
pub(super) fn read_manifest(remote: &Remote) -> Result<Manifest, LoaderError> {
    let json = remote.read(MANIFEST_FILE, MANIFEST_LIMIT as u64);
    let json = json.map_err(|error| match error {
        StoreError::Missing(_) => LoaderError::NotADataset(remote.address().into()),
        other => other.into(),
    })?;
    Manifest::read(&json[..]).map_err(|source| LoaderError::Manifest {
        path: remote.address_of(MANIFEST_FILE).into(),
        source,
    })
}

/// Opens the shards of a split in a folder on as many threads as there are processors, since every key is
/// checked.
pub(super) fn open_folder(
    folder: &Path,
    manifest: &Manifest,
    name: &str,
    split: &Split,
) -> Result<Vec<Shard>, LoaderError> {
    let threads = available_parallelism().map_or(1, std::num::NonZero::get);
    open_all(&split.shards, threads, |entry| {
        Shard::open(folder, manifest, name, entry)
    })
}

/// Opens the shards of a split in an object store, with two requests each.
pub(super) fn open_remote(
    remote: Remote,
    manifest: &Manifest,
    name: &str,
    split: &Split,
) -> Result<(Vec<Shard>, RemoteSplit), LoaderError> {
    let shards = open_all(&split.shards, OPENED_AT_ONCE, |entry| {
        let around = read_around(&remote, entry)?;
        Shard::without_records(around, manifest, name, entry)
    })?;
    let files = split.shards.iter().map(|entry| ShardFile {
        file: entry.file.clone(),
        bytes: entry.bytes,
        blake3: entry.blake3.clone(),
    });
    let files = files.collect();
    Ok((shards, RemoteSplit { remote, files }))
}

/// Reads what is around the records of a shard.
fn read_around(remote: &Remote, entry: &ShardEntry) -> Result<MmapMut, LoaderError> {
    let in_shard = |source: ShardError| LoaderError::Shard {
        shard: entry.file.clone(),
        source,
    };
    let mut front = read(remote, entry, 0..FRONT.min(entry.bytes))?;
    let header = ShardIndex::header_len(&front, entry.bytes).map_err(in_shard)?;
    if header > front.len() {
        front.extend(read(remote, entry, front.len() as u64..header as u64)?);
    }
    let records = ShardIndex::record_data(&front[..header], entry.bytes).map_err(in_shard)?;
    let tail = read(remote, entry, records.end as u64..entry.bytes)?;
    let too_long = |source| LoaderError::Io {
        path: remote.address_of(&entry.file).into(),
        source,
    };
    let len = records.end + tail.len();
    // What is not written to takes no memory, and no swap is set aside for it.
    let mut around = MmapOptions::new()
        .len(len)
        .no_reserve_swap()
        .map_anon()
        .map_err(too_long)?;
    around[..header].copy_from_slice(&front[..header]);
    around[records.end..].copy_from_slice(&tail);
    Ok(around)
}

/// Reads a range of a shard, all of which has to be there.
fn read(remote: &Remote, entry: &ShardEntry, range: Range<u64>) -> Result<Vec<u8>, LoaderError> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = remote.read_range(&entry.file, range.clone())?;
    let expected = range.end - range.start;
    if bytes.len() as u64 != expected {
        return Err(StoreError::Length {
            address: remote.address_of(&entry.file),
            found: range.start + bytes.len() as u64,
            expected: entry.bytes,
        }
        .into());
    }
    Ok(bytes)
}

impl RemoteSplit {
    /// The dataset's place.
    pub(crate) const fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The split's shards.
    pub(crate) fn files(&self) -> &[ShardFile] {
        &self.files
    }

    /// Reads one record by itself, and compares it with its checksum.
    pub(super) fn read_record(&self, shard: &Shard, record: usize) -> Result<Vec<u8>, LoaderError> {
        let range = shard.range(record);
        let range = range.start as u64..range.end as u64;
        let len = (range.end - range.start) as usize;
        let mut stored = Vec::new();
        if len > 0 {
            stored = self.remote.read_range(&shard.name, range)?;
        }
        let (expected, found) = (shard.index.checksum(shard.bytes(), record), crc32c(&stored));
        if stored.len() == len && expected == found {
            return Ok(stored);
        }
        Err(LoaderError::Shard {
            shard: shard.name.clone(),
            source: ShardError::Checksum {
                record,
                key: shard.index.key(shard.bytes(), record).to_owned(),
                expected,
                found,
            },
        })
    }
}
