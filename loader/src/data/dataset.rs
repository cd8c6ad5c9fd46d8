//! A split of a dataset: mapped, validated, and read in any order.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shardmill_formats::{Class, Codec, CodecError, Decoder, Manifest, RecordShape};

use super::manifest::read_manifest;
use super::reading::Verify;
use super::shard::{self, Shard};
use crate::error::LoaderError;

/// A split of a dataset, or a part of one. Cloning is cheap, since clones share the maps.
///
/// Samples are counted from 0. A [`select`](Self::select)ed part has its own indices, and
/// [`origin`](Self::origin) gives the index in the whole split.
#[derive(Clone)]
pub struct Dataset {
    inner: Arc<Inner>,
    /// The samples of the split that this part consists of; `None` for the whole split.
    selection: Option<Arc<[u64]>>,
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
    opened: Instant,
    /// When the lengths of the shards were last checked, in milliseconds after `opened`, plus one.
    checked: AtomicU64,
}

/// Where a sample is stored: its shard, and its record there.
struct Location<'a> {
    shard: &'a Shard,
    record: usize,
    /// The sample in the whole split.
    origin: u64,
}

/// Checking the length of a shard takes about a microsecond. With this interval for each of them the
/// checks take a third of a percent of one thread.
const LENGTH_CHECK_EACH: Duration = Duration::from_micros(300);
/// Shortest time between two checks.
const LENGTH_CHECK: Duration = Duration::from_millis(50);

impl Dataset {
    /// Opens a split of the dataset in `folder` and validates each of its shards. A record's own checksum
    /// is compared when the record is first read.
    ///
    /// # Errors
    /// A folder without a manifest, an unknown split, or a shard that is damaged, cut short or not
    /// the one that the manifest describes.
    pub fn open(folder: impl AsRef<Path>, split: &str) -> Result<Self, LoaderError> {
        let folder = folder.as_ref();
        let manifest = read_manifest(folder)?;
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
        let shards = shard::open_all(folder, &manifest, split, &described.shards)?;
        let mut starts = vec![0];
        for shard in &shards {
            starts.push(starts[starts.len() - 1] + shard.index.len() as u64);
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
            opened: Instant::now(),
            checked: AtomicU64::new(0),
        };
        Ok(Self {
            inner: Arc::new(inner),
            selection: None,
        })
    }

    /// The part that consists of these samples in this order; a sample may occur more than once.
    /// Nothing is copied: a part takes eight bytes for each of its samples and shares the maps.
    ///
    /// # Errors
    /// An index that is not below [`len`](Self::len).
    pub fn select(&self, indices: impl IntoIterator<Item = u64>) -> Result<Self, LoaderError> {
        let origins = indices.into_iter().map(|i| {
            if i < self.len() {
                return Ok(self.origin(i));
            }
            let advice = format!("indices count from 0 to below {}", self.len());
            Err(LoaderError::setting("a selected index", i, advice))
        });
        Ok(Self {
            inner: Arc::clone(&self.inner),
            selection: Some(origins.collect::<Result<_, _>>()?),
        })
    }

    /// The samples whose label is one of `classes`, in the dataset's order. Labels and
    /// [`classes`](Self::classes) do not change.
    #[must_use]
    pub fn filter_classes(&self, classes: &[i64]) -> Self {
        let wanted: std::collections::BTreeSet<_> = classes.iter().collect();
        let kept = (0..self.len()).filter(|&i| wanted.contains(&self.label(i)));
        Self {
            inner: Arc::clone(&self.inner),
            selection: Some(kept.map(|i| self.origin(i)).collect()),
        }
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> u64 {
        let selected = self.selection.as_ref().map(|list| list.len() as u64);
        selected.unwrap_or(self.inner.starts[self.inner.shards.len()])
    }

    /// Whether there is no sample.
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

    /// The index of sample `i` in the whole split.
    ///
    /// # Panics
    /// If `i` is not below [`len`](Self::len), like every accessor of a sample.
    #[must_use]
    pub fn origin(&self, i: u64) -> u64 {
        assert!(i < self.len(), "sample {i} of {}", self.len());
        self.selection.as_ref().map_or(i, |list| list[i as usize])
    }

    /// The label of sample `i`.
    #[must_use]
    pub fn label(&self, i: u64) -> i64 {
        let place = self.locate(i);
        place.shard.index.label(&place.shard.map, place.record)
    }

    /// The key of sample `i`: the name of its source.
    #[must_use]
    pub fn key(&self, i: u64) -> &str {
        let place = self.locate(i);
        place.shard.index.key(&place.shard.map, place.record)
    }

    /// The stored bytes of sample `i`, compared with their checksum when they are first read.
    ///
    /// # Errors
    /// A checksum that differs; the error names shard, record and key.
    pub fn stored(&self, i: u64) -> Result<&[u8], LoaderError> {
        self.stored_with(i, Verify::FirstRead)
    }

    pub(crate) fn stored_with(&self, i: u64, verify: Verify) -> Result<&[u8], LoaderError> {
        let place = self.locate(i);
        let (word, bit) = (
            &self.inner.verified[(place.origin / 64) as usize],
            1 << (place.origin % 64),
        );
        // Two threads may both compare a record, which costs time and changes nothing.
        if verify == Verify::FirstRead && word.load(Ordering::Relaxed) & bit == 0 {
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
        let stored = self.stored(i)?;
        let mut decoder = Decoder::new(self.codec(), self.shape());
        let decoded = decoder.decode(stored, rgb);
        decoded.map_err(|source| self.bad_record(i, source))
    }

    /// What it means that sample `i` cannot be decoded.
    pub(crate) fn bad_record(&self, i: u64, source: CodecError) -> LoaderError {
        let place = self.locate(i);
        LoaderError::Record {
            shard: place.shard.name.clone(),
            record: place.record,
            key: self.key(i).to_owned(),
            source,
        }
    }

    fn locate(&self, i: u64) -> Location<'_> {
        let origin = self.origin(i);
        let shard = self.inner.starts.partition_point(|&start| start <= origin) - 1;
        Location {
            shard: &self.inner.shards[shard],
            record: (origin - self.inner.starts[shard]) as usize,
            origin,
        }
    }

    /// Asks the system to read `len` samples from `first` on, contiguous ones in one piece.
    pub(crate) fn will_need(&self, first: u64, len: u64) {
        let mut pending: Option<(&Shard, std::ops::Range<usize>)> = None;
        for i in first..first + len {
            let place = self.locate(i);
            let range = place.shard.range(place.record);
            match &mut pending {
                Some((shard, run))
                    if std::ptr::eq(*shard, place.shard) && run.end == range.start =>
                {
                    run.end = range.end;
                }
                _ => {
                    if let Some((shard, run)) = pending.replace((place.shard, range)) {
                        let _ = shard.will_need(run);
                    }
                }
            }
        }
        if let Some((shard, run)) = pending {
            // If the system refuses, the record is read when it is needed.
            let _ = shard.will_need(run);
        }
    }

    /// Drops a record from memory: in an epoch, what was read is needed again later than everything
    /// that was not.
    pub(crate) fn release(&self, i: u64) {
        let place = self.locate(i);
        let _ = place.shard.release(place.shard.range(place.record));
    }

    /// Samples of the whole split.
    pub(crate) fn whole_len(&self) -> u64 {
        self.inner.starts[self.inner.shards.len()]
    }

    /// Bytes of all shards of the split.
    pub(crate) fn bytes(&self) -> u64 {
        let shards = self.inner.shards.iter();
        shards.map(|shard| shard.map.len() as u64).sum()
    }

    /// Checks that no shard was cut short while it is mapped: from time to time, in at most one thread,
    /// or at once with `always`.
    pub(crate) fn check_lengths(&self, always: bool) -> Result<(), LoaderError> {
        let inner = &self.inner;
        let now = inner.opened.elapsed().as_millis() as u64 + 1;
        let pause = LENGTH_CHECK.max(LENGTH_CHECK_EACH * inner.shards.len() as u32);
        let last = inner.checked.load(Ordering::Relaxed);
        let due = last == 0 || now.saturating_sub(last) >= pause.as_millis() as u64;
        let mine = always
            || (due && {
                let swap = Ordering::Relaxed;
                let checked = &inner.checked;
                checked.compare_exchange(last, now, swap, swap).is_ok()
            });
        if mine {
            for shard in &inner.shards {
                shard.check_length()?;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset")
            .field("split", &self.split())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
