//! The manifest and the shards of a dataset, read with plain file reads, since this crate has no unsafe code and
//! therefore no memory maps of files.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use memmap2::MmapMut;
use shardmill_formats::{MANIFEST_FILE, Manifest, ShardEntry, ShardError, ShardIndex, crc32c};

use crate::error::PrepError;
use crate::io::{file, space};

/// Reads the manifest of the dataset in `folder`.
pub(crate) fn read_manifest(folder: &Path) -> Result<(PathBuf, Manifest), PrepError> {
    let path = folder.join(MANIFEST_FILE);
    let file = File::open(&path).map_err(PrepError::io(&path))?;
    let manifest = Manifest::read(file).map_err(|source| PrepError::Manifest {
        path: path.clone(),
        source,
    })?;
    Ok((path, manifest))
}

/// Writes the manifest of the dataset in `folder`, unless readers would refuse it.
pub(crate) fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<(), PrepError> {
    let path = folder.join(MANIFEST_FILE);
    let json = manifest.to_json();
    Manifest::parse(json.as_bytes()).map_err(|source| PrepError::Manifest {
        path: path.clone(),
        source,
    })?;
    file::replace(&path, json.as_bytes())
}

/// Whether every shard of the dataset in `folder` is there and was made by the work with this fingerprint.
///
/// # Errors
/// A shard that cannot be read or is not what the manifest says.
pub(crate) fn check_made_from(
    folder: &Path,
    manifest: &Manifest,
    fingerprint: &str,
) -> Result<bool, PrepError> {
    for (name, split) in &manifest.splits {
        for entry in &split.shards {
            let shard = Shard::open(folder, manifest, name, entry)?;
            if shard.index.metadata().fingerprint != fingerprint {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Calls `size` with some records of a dataset, spread evenly over its shards and them.
pub(crate) fn sample(
    folder: &Path,
    manifest: &Manifest,
    mut size: impl FnMut(&Shard, usize) -> Result<u64, PrepError>,
) -> Result<Vec<u64>, PrepError> {
    let splits = manifest.splits.iter();
    let shards: Vec<(&String, &ShardEntry)> = splits
        .flat_map(|(name, split)| split.shards.iter().map(move |entry| (name, entry)))
        .collect();
    let chosen: Vec<usize> = space::spread(shards.len()).collect();
    let each = (space::SAMPLE / chosen.len().max(1)).max(1);
    let mut sizes = Vec::new();
    for at in chosen {
        let (name, entry) = shards[at];
        let shard = Shard::open(folder, manifest, name, entry)?;
        for i in (0..shard.len()).step_by(shard.len().div_ceil(each).max(1)) {
            sizes.push(size(&shard, i)?);
        }
    }
    Ok(sizes)
}

/// A shard that agrees with its manifest, with its index in memory and its records on disk.
pub(crate) struct Shard {
    pub(crate) path: PathBuf,
    file: Mutex<File>,
    /// As long as the file, but only what is outside the record data was read; the rest are
    /// zeros that the system gives without taking memory.
    bytes: MmapMut,
    index: ShardIndex,
}

impl Shard {
    /// Reads the index of a shard of `split` and compares it with the manifest.
    pub(crate) fn open(
        folder: &Path,
        manifest: &Manifest,
        split: &str,
        entry: &ShardEntry,
    ) -> Result<Self, PrepError> {
        let path = folder.join(&entry.file);
        let mut file = File::open(&path).map_err(PrepError::io(&path))?;
        let len = file.metadata().map_err(PrepError::io(&path))?.len();
        if len != entry.bytes {
            return Err(PrepError::Contradiction {
                path,
                what: "size in bytes",
                found: len.to_string(),
                expected: entry.bytes.to_string(),
            });
        }
        let refused = |source| PrepError::Shard {
            path: path.clone(),
            source,
        };
        let (bytes, index) = read_index(&mut file, len).map_err(|error| match error {
            IndexError::Io(source) => PrepError::io(&path)(source),
            IndexError::Shard(source) => refused(source),
        })?;
        index
            .verify_index(&bytes, entry.index_checksum())
            .map_err(refused)?;
        let found = manifest.mismatches(split, entry, &index, bytes.len() as u64);
        if let Some(first) = found.into_iter().next() {
            return Err(PrepError::Contradiction {
                path,
                what: first.what,
                found: first.found,
                expected: first.expected,
            });
        }
        Ok(Self {
            path,
            file: Mutex::new(file),
            bytes,
            index,
        })
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The key of record `i`.
    pub(crate) fn key(&self, i: usize) -> &str {
        self.index.key(&self.bytes, i)
    }

    /// The label of record `i`, -1 without one.
    pub(crate) fn label(&self, i: usize) -> i64 {
        self.index.label(&self.bytes, i)
    }

    /// Size of the stored record `i`, in bytes.
    pub(crate) fn record_bytes(&self, i: usize) -> usize {
        self.index.record_range(&self.bytes, i).len()
    }

    /// Shard and record, for a message.
    pub(crate) fn place(&self, i: usize) -> String {
        format!("{}: record {i}, {:?}", self.path.display(), self.key(i))
    }

    /// Reads the stored bytes of record `i` into `stored` and compares them with their checksum.
    pub(crate) fn read(&self, i: usize, stored: &mut Vec<u8>) -> Result<(), PrepError> {
        let range = self.index.record_range(&self.bytes, i);
        stored.resize(range.len(), 0);
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(range.start as u64))
                .and_then(|_| file.read_exact(stored))
                .map_err(PrepError::io(&self.path))?;
        }
        let (expected, found) = (self.index.checksum(&self.bytes, i), crc32c(stored));
        if expected == found {
            return Ok(());
        }
        Err(PrepError::Shard {
            path: self.path.clone(),
            source: ShardError::Checksum {
                record: i,
                key: self.key(i).to_owned(),
                expected,
                found,
            },
        })
    }
}

/// Why the index of a shard could not be read.
pub(crate) enum IndexError {
    Io(io::Error),
    Shard(ShardError),
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ShardError> for IndexError {
    fn from(error: ShardError) -> Self {
        Self::Shard(error)
    }
}

/// Reads what is around the records of a shard of `len` bytes. Gives as many bytes as the file has, with
/// zeros in place of the records. It is an anonymous map, whose pages take no memory before they are written
/// to; a zeroed vector does so only where the allocator asks the system for it.
pub(crate) fn read_index(file: &mut File, len: u64) -> Result<(MmapMut, ShardIndex), IndexError> {
    let mut front = vec![0; len.min(8) as usize];
    file.read_exact(&mut front)?;
    let header_len = ShardIndex::header_len(&front, len)?;
    front.resize(header_len, 0);
    file.read_exact(&mut front[8..])?;
    let records = ShardIndex::record_data(&front, len)?;
    let invalid = |message| io::Error::new(io::ErrorKind::InvalidData, message);
    let len = usize::try_from(len).map_err(|_| invalid(format!("{len} bytes are too many")))?;
    let mut bytes = MmapMut::map_anon(len)?;
    bytes[..header_len].copy_from_slice(&front);
    file.seek(SeekFrom::Start(records.end as u64))?;
    file.read_exact(&mut bytes[records.end..])?;
    let index = ShardIndex::parse(&bytes)?;
    Ok((bytes, index))
}
