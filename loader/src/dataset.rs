//! A split of a dataset: mapped, validated, and readable in any order.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::Mmap;
use shardmill_formats::{
    Class, Codec, Decoder, MANIFEST_FILE, Manifest, ManifestError, RecordShape, ShardEntry,
    ShardIndex,
};

use crate::error::LoaderError;
use crate::mmap;

/// A split of a dataset. Cloning is cheap: clones share the maps.
#[derive(Clone)]
pub struct Dataset {
    inner: Arc<Inner>,
}

struct Inner {
    manifest: Manifest,
    split: String,
    labelled: bool,
    shards: Vec<Shard>,
    /// First sample of each shard, and the number of samples at the end.
    starts: Vec<u64>,
    /// One bit a sample: its checksum was compared.
    verified: Vec<AtomicU64>,
}

struct Shard {
    name: String,
    map: Mmap,
    index: ShardIndex,
}

/// A sample's place: its shard, and its record there.
struct Place<'a> {
    shard: &'a Shard,
    record: usize,
}

impl Dataset {
    /// Opens a split of the dataset in `folder` and validates every shard of it. The records' own
    /// checksums are compared when a record is first read.
    ///
    /// # Errors
    /// A folder without a manifest, an unknown split, or a shard that is damaged, cut short or not
    /// the one that the manifest describes.
    pub fn open(folder: impl AsRef<Path>, split: &str) -> Result<Self, LoaderError> {
        let folder = folder.as_ref();
        let path = folder.join(MANIFEST_FILE);
        let bytes = fs::read(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => LoaderError::NotADataset(folder.to_owned()),
            _ => LoaderError::Io {
                path: path.clone(),
                source,
            },
        })?;
        let invalid = |source: ManifestError| LoaderError::Manifest { path, source };
        let manifest = Manifest::parse(&bytes).map_err(invalid)?;
        let Some(described) = manifest.splits.get(split) else {
            let known: Vec<_> = manifest
                .splits
                .keys()
                .map(|name| format!("{name:?}"))
                .collect();
            return Err(LoaderError::UnknownSplit {
                split: split.to_owned(),
                known: known.join(", "),
            });
        };
        let labelled = described.labelled;
        let mut shards = Vec::with_capacity(described.shards.len());
        let mut starts = vec![0];
        for entry in &described.shards {
            let shard = Shard::open(folder, &manifest, split, entry)?;
            starts.push(starts[starts.len() - 1] + shard.index.len() as u64);
            shards.push(shard);
        }
        let words = starts[starts.len() - 1].div_ceil(64);
        let verified = (0..words).map(|_| AtomicU64::new(0)).collect();
        let inner = Inner {
            manifest,
            split: split.to_owned(),
            labelled,
            shards,
            starts,
            verified,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.inner.starts[self.inner.shards.len()]
    }

    /// Whether the split holds no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The dataset's manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// Name of the split.
    #[must_use]
    pub fn split(&self) -> &str {
        &self.inner.split
    }

    /// Whether the samples have labels; if not, every label is -1.
    #[must_use]
    pub fn is_labelled(&self) -> bool {
        self.inner.labelled
    }

    /// The classes that labels are indices into.
    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.inner.manifest.classes
    }

    /// Size of the records.
    #[must_use]
    pub fn shape(&self) -> RecordShape {
        self.inner.manifest.shape()
    }

    /// Encoding of the records.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.inner.manifest.codec
    }

    /// The label of sample `i`.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len); so does every accessor of a sample.
    #[must_use]
    pub fn label(&self, i: u64) -> i64 {
        let place = self.place(i);
        place.shard.index.label(&place.shard.map, place.record)
    }

    /// The key of sample `i`: the name of its source.
    #[must_use]
    pub fn key(&self, i: u64) -> &str {
        let place = self.place(i);
        place.shard.index.key(&place.shard.map, place.record)
    }

    /// The stored bytes of sample `i`, compared with their checksum on the first read of it.
    ///
    /// # Errors
    /// A checksum that differs; the error names shard, record and key.
    pub fn stored(&self, i: u64) -> Result<&[u8], LoaderError> {
        let place = self.place(i);
        let (word, bit) = (&self.inner.verified[(i / 64) as usize], 1 << (i % 64));
        // Two threads may both compare a record, which costs time but changes nothing.
        if word.load(Ordering::Relaxed) & bit == 0 {
            place
                .shard
                .index
                .verify_record(&place.shard.map, place.record)
                .map_err(|source| LoaderError::Shard {
                    shard: place.shard.name.clone(),
                    source,
                })?;
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(place.shard.index.record(&place.shard.map, place.record))
    }

    /// Decodes sample `i` into `rgb`: `height * width * 3` bytes, rows of R, G, B.
    ///
    /// # Errors
    /// A record that is damaged; the error names shard, record and key.
    pub fn read(&self, i: u64, rgb: &mut [u8]) -> Result<(), LoaderError> {
        self.decode(i, &mut Decoder::new(self.codec(), self.shape()), rgb)
    }

    pub(crate) fn decode(
        &self,
        i: u64,
        decoder: &mut Decoder,
        rgb: &mut [u8],
    ) -> Result<(), LoaderError> {
        let stored = self.stored(i)?;
        decoder.decode(stored, rgb).map_err(|source| {
            let place = self.place(i);
            let key = place
                .shard
                .index
                .key(&place.shard.map, place.record)
                .to_owned();
            LoaderError::Record {
                shard: place.shard.name.clone(),
                record: place.record,
                key,
                source,
            }
        })
    }

    fn place(&self, i: u64) -> Place<'_> {
        assert!(i < self.len(), "sample {i} of {}", self.len());
        let shard = self.inner.starts.partition_point(|&start| start <= i) - 1;
        Place {
            shard: &self.inner.shards[shard],
            record: (i - self.inner.starts[shard]) as usize,
        }
    }
}

impl Shard {
    fn open(
        folder: &Path,
        manifest: &Manifest,
        split: &str,
        entry: &ShardEntry,
    ) -> Result<Self, LoaderError> {
        let path = folder.join(&entry.file);
        let map = mmap::map(&path).map_err(|source| LoaderError::Io { path, source })?;
        let in_shard = |source| LoaderError::Shard {
            shard: entry.file.clone(),
            source,
        };
        let index = ShardIndex::parse(&map).map_err(in_shard)?;
        index
            .verify_index(&map, entry.index_checksum())
            .map_err(in_shard)?;
        let metadata = index.metadata();
        for (what, found, expected) in [
            (
                "size in bytes",
                map.len().to_string(),
                entry.bytes.to_string(),
            ),
            (
                "number of records",
                index.len().to_string(),
                entry.records.to_string(),
            ),
            (
                "codec",
                index.codec().to_string(),
                manifest.codec.to_string(),
            ),
            (
                "record size",
                index.shape().to_string(),
                manifest.shape().to_string(),
            ),
            ("split", metadata.split.clone(), split.to_owned()),
            (
                "number of classes",
                metadata.classes.to_string(),
                manifest.classes.len().to_string(),
            ),
        ] {
            if found != expected {
                return Err(LoaderError::Mismatch {
                    shard: entry.file.clone(),
                    what,
                    found,
                    expected,
                });
            }
        }
        Ok(Self {
            name: entry.file.clone(),
            map,
            index,
        })
    }
}
