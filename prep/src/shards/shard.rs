//! The manifest and the shards of a dataset, read with plain file reads, since this crate has no unsafe code and
//! therefore no memory maps of files. In an object store they are read by ranges, or fetched as wholes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use memmap2::MmapMut;
use shardmill_formats::{MANIFEST_FILE, Manifest, ShardEntry, ShardError, ShardIndex, crc32c};

use super::extent::{check_size, zeros};
use super::object;
use crate::error::PrepError;
use crate::io::objects::Store;
use crate::io::pool::OrderedPool;
use crate::io::{Place, file, space};
use crate::observe::Observer;

/// Reads the manifest of the dataset at `place`.
pub(crate) fn read_manifest(place: &Place) -> Result<(PathBuf, Manifest), PrepError> {
    let path = place.join(MANIFEST_FILE);
    let read = match place {
        Place::Folder(_) => {
            let file = File::open(&path).map_err(PrepError::io(&path))?;
            Manifest::read(file)
        }
        Place::Store(store) => Manifest::read(&*object::read_manifest(store)?),
    };
    let manifest = read.map_err(|source| PrepError::Manifest {
        path: path.clone(),
        source,
    })?;
    Ok((path, manifest))
}

/// Writes the manifest of the dataset in `folder`, unless readers would refuse it.
pub(crate) fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<(), PrepError> {
    let path = folder.join(MANIFEST_FILE);
    let json = manifest_json(&path, manifest)?;
    file::replace(&path, json.as_bytes())
}

/// The text of the manifest for `path`, unless readers would refuse it.
pub(crate) fn manifest_json(path: &Path, manifest: &Manifest) -> Result<String, PrepError> {
    let json = manifest.to_json();
    Manifest::parse(json.as_bytes()).map_err(|source| PrepError::Manifest {
        path: path.to_owned(),
        source,
    })?;
    Ok(json)
}

/// Whether every shard of the dataset at `place` is there and was made by the work with this fingerprint.
///
/// # Errors
/// A shard that cannot be read or is not what the manifest says.
pub(crate) fn check_made_from(
    place: &Place,
    manifest: &Manifest,
    fingerprint: &str,
) -> Result<bool, PrepError> {
    let mut same = true;
    each_shard(
        place,
        manifest,
        |_, shard| Ok(shard.index.metadata().fingerprint == fingerprint),
        |_, is_same| {
            same &= is_same;
            Ok(())
        },
    )?;
    Ok(same)
}

/// Opens every shard of a dataset. `take` gets what `work` finds in each, in their order, with the number of its
/// split. In an object store several are opened at once, since each waits for the server.
pub(crate) fn each_shard<T: Send>(
    place: &Place,
    manifest: &Manifest,
    work: impl Fn(usize, &Shard) -> Result<T, PrepError> + Sync,
    mut take: impl FnMut(usize, T) -> Result<(), PrepError>,
) -> Result<(), PrepError> {
    let splits = manifest.splits.iter().enumerate();
    let shards: Vec<(usize, &str, &ShardEntry)> = splits
        .flat_map(|(at, (name, split))| split.shards.iter().map(move |entry| (at, &**name, entry)))
        .collect();
    let open = |&(at, name, entry): &(usize, &str, &ShardEntry)| {
        work(at, &Shard::open(place, manifest, name, entry)?).map(|found| (at, found))
    };
    match place {
        Place::Folder(_) => {
            for shard in &shards {
                let (at, found) = open(shard)?;
                take(at, found)?;
            }
            Ok(())
        }
        Place::Store(_) => OrderedPool::new(object::INDICES).in_order(
            &shards,
            || Ok(()),
            |(), shard| open(shard),
            |(at, found)| take(at, found),
        ),
    }
}

/// Calls `size` with some records of a dataset, spread evenly over its shards and them.
pub(crate) fn sample(
    place: &Place,
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
        let shard = Shard::open(place, manifest, name, entry)?;
        for i in (0..shard.len()).step_by(shard.len().div_ceil(each).max(1)) {
            sizes.push(size(&shard, i)?);
        }
    }
    Ok(sizes)
}

/// A shard that agrees with its manifest, with its index in memory and its records on disk or in an object store.
pub(crate) struct Shard {
    pub(crate) path: PathBuf,
    records: Records,
    /// As long as the file, but only what is outside the record data was read; the rest are
    /// zeros that the system gives without taking memory.
    bytes: MmapMut,
    index: ShardIndex,
}

/// Where records are read from.
enum Records {
    File(Mutex<File>),
    Object(Store, String),
}

impl Shard {
    /// Reads the index of a shard of `split` and compares it with the manifest. Of a shard in an object store,
    /// every record is a request of its own.
    pub(crate) fn open(
        place: &Place,
        manifest: &Manifest,
        split: &str,
        entry: &ShardEntry,
    ) -> Result<Self, PrepError> {
        match place {
            Place::Folder(folder) => {
                let path = folder.join(&entry.file);
                let file = File::open(&path).map_err(PrepError::io(&path))?;
                Self::of_file(path, file, manifest, split, entry)
            }
            Place::Store(store) => {
                let path = place.join(&entry.file);
                let read = object::read_index(store, entry, &path)?;
                let records = Records::Object(store.clone(), entry.file.clone());
                Self::checked(path, records, read, manifest, split, entry)
            }
        }
    }

    /// As [`open`](Self::open), for who reads many of its records: a shard in an object store is fetched to a
    /// temporary file.
    pub(crate) fn open_whole(
        place: &Place,
        manifest: &Manifest,
        split: &str,
        entry: &ShardEntry,
        observer: &Observer,
    ) -> Result<Self, PrepError> {
        let Place::Store(store) = place else {
            return Self::open(place, manifest, split, entry);
        };
        let path = place.join(&entry.file);
        let file = object::fetch(store, entry, observer)?;
        Self::of_file(path, file, manifest, split, entry)
    }

    /// `path` is for messages.
    fn of_file(
        path: PathBuf,
        mut file: File,
        manifest: &Manifest,
        split: &str,
        entry: &ShardEntry,
    ) -> Result<Self, PrepError> {
        let len = file.metadata().map_err(PrepError::io(&path))?.len();
        check_size(&path, entry, len)?;
        let read = read_index(&mut file, len).map_err(|error| match error {
            IndexError::Io(source) => PrepError::io(&path)(source),
            IndexError::Shard(source) => PrepError::Shard {
                path: path.clone(),
                source,
            },
        })?;
        let records = Records::File(Mutex::new(file));
        Self::checked(path, records, read, manifest, split, entry)
    }

    fn checked(
        path: PathBuf,
        records: Records,
        (bytes, index): (MmapMut, ShardIndex),
        manifest: &Manifest,
        split: &str,
        entry: &ShardEntry,
    ) -> Result<Self, PrepError> {
        index
            .verify_index(&bytes, entry.index_checksum())
            .map_err(|source| PrepError::Shard {
                path: path.clone(),
                source,
            })?;
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
            records,
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
        match &self.records {
            Records::File(file) => {
                stored.resize(range.len(), 0);
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(range.start as u64))
                    .and_then(|_| file.read_exact(stored))
                    .map_err(PrepError::io(&self.path))?;
            }
            // An object that is shorter now has another checksum.
            Records::Object(store, name) => {
                let read = store.read_from(name, range.start as u64, range.len() as u64);
                *stored = read.map_err(PrepError::Store)?;
            }
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
/// zeros in place of the records, which take no memory.
pub(crate) fn read_index(file: &mut File, len: u64) -> Result<(MmapMut, ShardIndex), IndexError> {
    let mut front = vec![0; len.min(8) as usize];
    file.read_exact(&mut front)?;
    let header_len = ShardIndex::header_len(&front, len)?;
    front.resize(header_len, 0);
    file.read_exact(&mut front[8..])?;
    let records = ShardIndex::record_data(&front, len)?;
    let mut bytes = zeros(len)?;
    bytes[..header_len].copy_from_slice(&front);
    file.seek(SeekFrom::Start(records.end as u64))?;
    file.read_exact(&mut bytes[records.end..])?;
    let index = ShardIndex::parse(&bytes)?;
    Ok((bytes, index))
}
