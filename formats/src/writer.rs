//! Writes a shard as a stream; only the index is kept in memory.

use std::collections::BTreeMap;
use std::io::{self, Seek, SeekFrom, Write};

use crate::checksum::{crc32c, crc32c_joined};
use crate::codec::Codec;
use crate::header::TensorInfo;
use crate::key::{KeyError, check_key};
use crate::metadata::ShardMetadata;
use crate::schema::{
    CHECKSUMS, DATA_ALIGNMENT, IMAGES, KEY_OFFSETS, KEYS, LABELS, OFFSETS, PAD, RECORDS,
    TENSOR_ALIGNMENT, UNLABELLED,
};
use crate::stream_hash::StreamHash;
use crate::sums::ChannelSums;

/// Why a shard could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A key that breaks the rules.
    #[error("bad key {key:?}")]
    Key {
        /// The key.
        key: String,
        /// The rule that it breaks.
        source: KeyError,
    },
    /// A label that is not a class, or labelled and unlabelled records in one shard.
    #[error("label {label} of {key:?} is not one of the {classes} classes (or -1 throughout)")]
    Label {
        /// The record's key.
        key: String,
        /// Its label.
        label: i64,
        /// Number of classes.
        classes: u64,
    },
    /// Stored bytes that cannot be a record.
    #[error("record {key:?} has {found} bytes; expected {expected}")]
    Record {
        /// The record's key.
        key: String,
        /// Its bytes.
        found: usize,
        /// What was wanted.
        expected: String,
    },
    /// Metadata that became longer after the shard was begun.
    #[error("the header has {found} bytes; there is room for {room}")]
    Header {
        /// Its bytes.
        found: usize,
        /// Most bytes.
        room: usize,
    },
    /// A shard without records.
    #[error("a shard must hold at least one record")]
    Empty,
}

/// What a finished shard's manifest entry needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardSummary {
    /// Number of records.
    pub records: u64,
    /// Size of the file.
    pub bytes: u64,
    /// CRC-32C of the header and all index tensors.
    pub index_crc32c: u32,
    /// BLAKE3 of the file, in hexadecimal.
    pub blake3: String,
}

/// Appends records to a shard; [`finish`](Self::finish) writes the index and patches the header.
pub struct ShardWriter<W> {
    out: W,
    hash: StreamHash,
    metadata: ShardMetadata,
    data_start: u64,
    offsets: Vec<i64>,
    labels: Vec<i64>,
    checksums: Vec<u32>,
    keys: Vec<u8>,
    key_offsets: Vec<i64>,
}

impl<W: Write + Seek> ShardWriter<W> {
    /// Starts a shard at the beginning of `out`, which must be empty. The header is written last.
    ///
    /// # Errors
    /// A failure of `out`.
    pub fn new(mut out: W, metadata: ShardMetadata) -> Result<Self, WriteError> {
        // Room for the longest header: every number with all its digits.
        let widest = ShardMetadata {
            sums: ChannelSums {
                pixels: u64::MAX,
                sum: [u64::MAX; 3],
                products: [u64::MAX; 6],
            },
            ..metadata.clone()
        };
        let sizes = Sizes {
            records: i64::MAX as u64,
            data: i64::MAX as u64,
            keys: i64::MAX as u64,
        };
        let longest = header_json(&widest, &layout(&widest, &sizes)).len();
        let data_start = (8 + longest).next_multiple_of(DATA_ALIGNMENT) as u64;
        out.seek(SeekFrom::Start(data_start))?;
        Ok(Self {
            out,
            hash: StreamHash::new(data_start as usize),
            metadata,
            data_start,
            offsets: vec![0],
            labels: Vec::new(),
            checksums: Vec::new(),
            keys: Vec::new(),
            key_offsets: vec![0],
        })
    }

    /// Number of records so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether no record was appended yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Appends a record: its key, its label (-1 without labels) and its encoded bytes.
    ///
    /// # Errors
    /// A bad key or label, bytes that no reader would accept, or a failure of the file.
    pub fn append(&mut self, key: &str, label: i64, stored: &[u8]) -> Result<(), WriteError> {
        check_key(key.as_bytes()).map_err(|source| WriteError::Key {
            key: key.to_owned(),
            source,
        })?;
        self.check_label(key, label)?;
        let raw = self.metadata.codec == Codec::Raw;
        let bytes = self.metadata.shape.bytes();
        if stored.is_empty() || (raw && stored.len() != bytes) {
            let expected = if raw {
                bytes.to_string()
            } else {
                "at least one".to_owned()
            };
            return Err(WriteError::Record {
                key: key.to_owned(),
                found: stored.len(),
                expected,
            });
        }
        self.out.write_all(stored)?;
        self.hash.update(stored);
        self.offsets.push(self.data_len() + stored.len() as i64);
        self.labels.push(label);
        self.checksums.push(crc32c(stored));
        self.keys.extend_from_slice(key.as_bytes());
        self.key_offsets.push(self.keys.len() as i64);
        Ok(())
    }

    /// Writes index and header, and returns the file, which is not yet synced, with its summary.
    ///
    /// # Errors
    /// A shard without records, or a failure of the file.
    pub fn finish(self, sums: &ChannelSums) -> Result<(W, ShardSummary), WriteError> {
        let (mut out, sealed) = self.seal(sums)?;
        let summary = sealed.finish(&mut out)?;
        Ok((out, summary))
    }

    /// Writes the index, and returns the file with what its header will say. It is for a split whose number
    /// of shards is known only when the last one is sealed; such a shard is begun with the largest numbers
    /// that are possible. The file is not a shard before [`SealedShard::finish`] writes the header.
    ///
    /// # Errors
    /// A shard without records, or a failure of the file.
    pub fn seal(mut self, sums: &ChannelSums) -> Result<(W, SealedShard), WriteError> {
        if self.is_empty() {
            return Err(WriteError::Empty);
        }
        self.metadata.sums = *sums;
        let sizes = Sizes {
            records: self.len() as u64,
            data: self.data_len() as u64,
            keys: self.keys.len() as u64,
        };
        let tail = self.tail(&layout(&self.metadata, &sizes));
        self.out.write_all(&tail)?;
        self.out.flush()?;
        self.hash.update(&tail);
        let sealed = SealedShard {
            metadata: self.metadata,
            sizes,
            data_start: self.data_start,
            hash: self.hash,
            tail: Tail {
                crc32c: crc32c(&tail),
                len: tail.len() as u64,
            },
        };
        Ok((self.out, sealed))
    }

    fn data_len(&self) -> i64 {
        self.offsets.last().copied().unwrap_or_default()
    }

    fn check_label(&self, key: &str, label: i64) -> Result<(), WriteError> {
        let classes = self.metadata.classes;
        let is_class = u64::try_from(label).is_ok_and(|label| label < classes);
        let unlabelled = label == UNLABELLED;
        let mixed = self
            .labels
            .first()
            .is_some_and(|&first| (first == UNLABELLED) != unlabelled);
        if mixed || !(is_class || unlabelled) {
            return Err(WriteError::Label {
                key: key.to_owned(),
                label,
                classes,
            });
        }
        Ok(())
    }

    /// Everything after the record data, in file order.
    fn tail(&self, tensors: &[(&'static str, TensorInfo)]) -> Vec<u8> {
        let mut tail = Vec::new();
        for (name, info) in tensors {
            match *name {
                IMAGES | RECORDS => {}
                PAD => tail.resize(
                    tail.len() + (info.data_offsets.1 - info.data_offsets.0) as usize,
                    0,
                ),
                OFFSETS => extend(&mut tail, &self.offsets, i64::to_le_bytes),
                LABELS => extend(&mut tail, &self.labels, i64::to_le_bytes),
                KEY_OFFSETS => extend(&mut tail, &self.key_offsets, i64::to_le_bytes),
                CHECKSUMS => extend(&mut tail, &self.checksums, u32::to_le_bytes),
                KEYS => tail.extend_from_slice(&self.keys),
                other => unreachable!("no tensor is called {other:?}"),
            }
        }
        tail
    }
}

/// A shard without its header.
pub struct SealedShard {
    /// What the header will say. The number of shards and the fingerprint may still be changed.
    pub metadata: ShardMetadata,
    sizes: Sizes,
    data_start: u64,
    hash: StreamHash,
    /// Checksum and length of what follows the records.
    tail: Tail,
}

impl SealedShard {
    /// Writes the header at the beginning of the shard's file, and does not sync it.
    ///
    /// # Errors
    /// Metadata that are longer than those that the shard was begun with, or a failure of the file.
    pub fn finish<W: Write + Seek>(self, out: &mut W) -> Result<ShardSummary, WriteError> {
        let mut header = header_json(&self.metadata, &layout(&self.metadata, &self.sizes));
        let room = self.data_start as usize - 8;
        if header.len() > room {
            return Err(WriteError::Header {
                found: header.len(),
                room,
            });
        }
        header.resize(room, b' ');
        let mut front = (header.len() as u64).to_le_bytes().to_vec();
        front.append(&mut header);
        out.seek(SeekFrom::Start(0))?;
        out.write_all(&front)?;
        out.flush()?;
        let Tail { crc32c: tail, len } = self.tail;
        Ok(ShardSummary {
            records: self.sizes.records,
            bytes: self.data_start + self.sizes.data + len,
            index_crc32c: crc32c_joined(crc32c(&front), tail, len),
            blake3: self.hash.finish(&front).to_hex().to_string(),
        })
    }
}

fn extend<T: Copy, const N: usize>(bytes: &mut Vec<u8>, values: &[T], to_bytes: fn(T) -> [u8; N]) {
    bytes.extend(values.iter().flat_map(|&value| to_bytes(value)));
}

/// What follows the records.
struct Tail {
    crc32c: u32,
    len: u64,
}

struct Sizes {
    records: u64,
    data: u64,
    keys: u64,
}

/// The tensors in file order: records first, then the 8-byte ones, the 4-byte one, and the keys.
fn layout(metadata: &ShardMetadata, sizes: &Sizes) -> Vec<(&'static str, TensorInfo)> {
    let n = sizes.records;
    let pad = sizes.data.wrapping_neg() % TENSOR_ALIGNMENT as u64;
    let shape = metadata.shape;
    let mut end: u64 = 0;
    let mut place = |name, dtype: &str, shape, bytes: u64| {
        let start = end;
        end = end.saturating_add(bytes);
        let info = TensorInfo {
            dtype: dtype.to_owned(),
            shape,
            data_offsets: (start, end),
        };
        (name, info)
    };
    let bounds = n.saturating_add(1);
    let mut tensors = vec![match metadata.codec {
        Codec::Raw => {
            let images = vec![n, shape.height.into(), shape.width.into(), 3];
            place(IMAGES, "U8", images, sizes.data)
        }
        Codec::Zstd | Codec::Jpeg => place(RECORDS, "U8", vec![sizes.data], sizes.data),
    }];
    if pad > 0 {
        tensors.push(place(PAD, "U8", vec![pad], pad));
    }
    if metadata.codec != Codec::Raw {
        tensors.push(place(
            OFFSETS,
            "I64",
            vec![bounds],
            bounds.saturating_mul(8),
        ));
    }
    tensors.push(place(LABELS, "I64", vec![n], n.saturating_mul(8)));
    tensors.push(place(
        KEY_OFFSETS,
        "I64",
        vec![bounds],
        bounds.saturating_mul(8),
    ));
    tensors.push(place(CHECKSUMS, "U32", vec![n], n.saturating_mul(4)));
    tensors.push(place(KEYS, "U8", vec![sizes.keys], sizes.keys));
    tensors
}

/// The header: metadata first, then the tensors by name, so that equal shards have equal bytes.
fn header_json(metadata: &ShardMetadata, tensors: &[(&'static str, TensorInfo)]) -> Vec<u8> {
    let mut object = serde_json::Map::new();
    let value = |value: serde_json::Result<serde_json::Value>| {
        value.expect("strings and numbers become JSON")
    };
    object.insert(
        "__metadata__".to_owned(),
        value(serde_json::to_value(metadata.to_strings())),
    );
    for (name, info) in tensors
        .iter()
        .map(|(name, info)| (name, info))
        .collect::<BTreeMap<_, _>>()
    {
        object.insert((*name).to_owned(), value(serde_json::to_value(info)));
    }
    serde_json::to_vec(&object).expect("a JSON object becomes bytes")
}
