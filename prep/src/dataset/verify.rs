//! Checks every byte of a dataset against its checksums.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use memmap2::MmapMut;
use serde::Serialize;
use shardmill_formats::{Causes, Decoder, Manifest, ShardEntry, ShardIndex, crc32c};
use shardmill_store::StoreError;

use crate::error::PrepError;
use crate::io::Place;
use crate::io::pool::{OrderedPool, number_of};
use crate::io::progress::Progress;
use crate::observe::Observer;
use crate::shards::object::{FETCHES, fetch};
use crate::shards::{IndexError, read_index, read_manifest};

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// File name of the shard.
    pub shard: String,
    /// 0-based record in the shard, if the fault is in one.
    pub record: Option<usize>,
    /// The record's key.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// What was reread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Number of shards.
    pub shards: u64,
    /// Number of records compared.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Everything that is wrong, in the order of shards and records.
    pub faults: Vec<Fault>,
}

impl Verification {
    /// The result as one JSON object: what `prep verify --json` prints.
    ///
    /// # Panics
    /// Never: numbers and strings become JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings become JSON")
    }
}

/// Bytes asked of the system at once.
const READ: usize = 256 << 10;

/// Rereads every record of the dataset in `folder` against its checksum, decodes it, and compares
/// each shard with the manifest. Uses `threads` threads, one for each core if 0; each reads one
/// shard from its first byte to its last and holds its index and one record in memory.
///
/// `folder` may be an address such as `s3://bucket/dataset`. Then each of at most four threads fetches one shard
/// after another to a temporary file, which the system removes when it is closed.
///
/// # Errors
/// A folder without a readable manifest, or a server that cannot be asked. Faults in shards are part of the result.
pub fn verify(folder: &Path, threads: usize, show: bool) -> Result<Verification, PrepError> {
    verify_observed(folder, threads, show, &Observer::default())
}

/// [`verify`], which tells `observer` how many records are reread.
///
/// # Errors
/// As [`verify`]; and an observer that stops the work.
pub fn verify_observed(
    folder: &Path,
    threads: usize,
    show: bool,
    observer: &Observer,
) -> Result<Verification, PrepError> {
    let place = Place::new(folder)?;
    let (_, manifest) = read_manifest(&place)?;
    let splits = manifest.splits.iter();
    let shards: Vec<(&str, &ShardEntry)> = splits
        .flat_map(|(name, split)| split.shards.iter().map(move |shard| (name.as_str(), shard)))
        .collect();
    let records = shards.iter().map(|(_, shard)| shard.records).sum();
    let progress = Progress::new("verify", records, show, observer);
    let mut total = Verification::default();
    let threads = match &place {
        Place::Folder(_) => threads,
        Place::Store(_) => number_of(threads).min(FETCHES),
    };
    OrderedPool::new(threads).observed(observer).in_order(
        &shards,
        || Ok(Memory::default()),
        |memory, (split, entry)| {
            let counted = Counted {
                progress: &progress,
                left: Cell::new(entry.records),
            };
            let shard = ListedShard {
                place: &place,
                manifest: &manifest,
                split,
                entry,
            };
            let part = check_shard(shard, memory, &counted, observer)?;
            // What of it could not be reread counts too, so that the end is reached.
            counted.add(u64::MAX);
            progress.check()?;
            Ok(part)
        },
        |part| {
            total.shards += part.shards;
            total.records += part.records;
            total.bytes += part.bytes;
            total.faults.extend(part.faults);
            Ok(())
        },
    )?;
    progress.finish();
    Ok(total)
}

/// Counts the records of a shard as they are reread, at most as many as the manifest says.
struct Counted<'a> {
    progress: &'a Progress,
    left: Cell<u64>,
}

impl Counted<'_> {
    fn add(&self, records: u64) {
        let count = records.min(self.left.get());
        self.left.set(self.left.get() - count);
        if count > 0 {
            self.progress.add(count);
        }
    }
}

/// One record, as it is stored and decoded; kept from one to the next.
#[derive(Default)]
struct Memory {
    stored: Vec<u8>,
    rgb: Vec<u8>,
}

/// A shard as its manifest lists it.
#[derive(Clone, Copy)]
struct ListedShard<'a> {
    place: &'a Place,
    manifest: &'a Manifest,
    split: &'a str,
    entry: &'a ShardEntry,
}

/// # Errors
/// The shard cannot be fetched for another reason than that it is not there or has another size.
fn check_shard(
    shard: ListedShard<'_>,
    memory: &mut Memory,
    counted: &Counted<'_>,
    observer: &Observer,
) -> Result<Verification, PrepError> {
    let mut result = Verification {
        shards: 1,
        ..Verification::default()
    };
    let entry = shard.entry;
    let file = match shard.place {
        Place::Folder(folder) => File::open(folder.join(&entry.file)),
        Place::Store(store) => match fetch(store, entry, observer) {
            Ok(file) => Ok(file),
            Err(PrepError::Store(StoreError::Missing(_))) => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "there is no such object",
            )),
            Err(PrepError::Contradiction {
                what,
                found,
                expected,
                ..
            }) => {
                let message = format!("its {what} is {found}; the manifest says {expected}");
                result.faults.push(Fault::of_shard(entry, message));
                return Ok(result);
            }
            Err(error) => return Err(error),
        },
    };
    let read = file.and_then(|file| reread(file, shard, memory, counted, &mut result));
    if let Err(error) = read {
        let message = format!("cannot be read: {error}");
        result.faults.push(Fault::of_shard(entry, message));
    }
    Ok(result)
}

/// Adds the faults of a shard to `result`; fails if the file cannot be read.
fn reread(
    mut file: File,
    shard: ListedShard<'_>,
    memory: &mut Memory,
    counted: &Counted<'_>,
    result: &mut Verification,
) -> io::Result<()> {
    let ListedShard {
        manifest,
        split,
        entry,
        ..
    } = shard;
    let len = file.metadata()?.len();
    let index = match read_index(&mut file, len) {
        Ok((bytes, index)) => Ok(Index { bytes, index }),
        Err(IndexError::Shard(error)) => Err(error),
        Err(IndexError::Io(error)) => return Err(error),
    };
    file.rewind()?;
    let hashed = Hashed {
        file,
        hasher: blake3::Hasher::new(),
        bytes: 0,
        progress: counted.progress,
    };
    let mut reader = BufReader::with_capacity(READ, hashed);
    let mut in_records = Vec::new();
    if let Ok(index) = &index {
        result.records += index.index.len() as u64;
        in_records = index.reread_records(&mut reader, entry, memory, counted)?;
    }
    io::copy(&mut reader, &mut io::sink())?;
    let Hashed { hasher, bytes, .. } = reader.into_inner();
    result.bytes = bytes;

    let differs = |expected: String, found: String, what: &str| {
        let message = format!("{what} is {found}; the manifest says {expected}");
        (expected != found).then(|| Fault::of_shard(entry, message))
    };
    let faults = &mut result.faults;
    faults.extend(differs(
        entry.bytes.to_string(),
        bytes.to_string(),
        "its size in bytes",
    ));
    faults.extend(differs(
        entry.blake3.clone(),
        hasher.finalize().to_hex().to_string(),
        "its BLAKE3 hash",
    ));
    match index {
        Err(error) => faults.push(Fault::of_shard(entry, Causes(&error).to_string())),
        Ok(Index { bytes, index }) => {
            if let Err(error) = index.verify_index(&bytes, entry.index_checksum()) {
                faults.push(Fault::of_shard(entry, Causes(&error).to_string()));
            }
            // Its size was compared above.
            for other in manifest.mismatches(split, entry, &index, entry.bytes) {
                let what = format!("its {}", other.what);
                faults.extend(differs(other.expected, other.found, &what));
            }
        }
    }
    faults.extend(in_records);
    Ok(())
}

/// A shard's index, and the bytes around its records that it was parsed from.
struct Index {
    bytes: MmapMut,
    index: ShardIndex,
}

impl Index {
    /// Reads the shard from its beginning to the end of its last record and gives what is wrong with
    /// the records.
    fn reread_records(
        &self,
        reader: &mut impl Read,
        entry: &ShardEntry,
        memory: &mut Memory,
        counted: &Counted<'_>,
    ) -> io::Result<Vec<Fault>> {
        let (index, bytes) = (&self.index, &self.bytes);
        let front = index.data_range().start as u64;
        io::copy(&mut reader.by_ref().take(front), &mut io::sink())?;
        let mut decoder = Decoder::new(index.codec(), index.shape());
        memory.rgb.resize(index.shape().bytes(), 0);
        let mut faults = Vec::new();
        // Records are one after another, in order.
        for i in 0..index.len() {
            memory.stored.resize(index.record_range(bytes, i).len(), 0);
            reader.read_exact(&mut memory.stored)?;
            counted.add(1);
            let (expected, found) = (index.checksum(bytes, i), crc32c(&memory.stored));
            let message = if expected != found {
                format!(
                    "CRC-32C of the stored bytes is {found:08x}; expected {expected:08x}: the data is damaged"
                )
            } else if let Err(error) = decoder.decode(&memory.stored, &mut memory.rgb) {
                Causes(&error).to_string()
            } else {
                continue;
            };
            faults.push(Fault {
                shard: entry.file.clone(),
                record: Some(i),
                key: Some(index.key(bytes, i).to_owned()),
                message,
            });
        }
        Ok(faults)
    }
}

impl Fault {
    fn of_shard(entry: &ShardEntry, message: String) -> Self {
        Self {
            shard: entry.file.clone(),
            record: None,
            key: None,
            message,
        }
    }
}

/// A file that is hashed as it is read, no further than the observer wants.
struct Hashed<'a> {
    file: File,
    hasher: blake3::Hasher,
    bytes: u64,
    progress: &'a Progress,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.progress.check().map_err(io::Error::other)?;
        let read = self.file.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}
