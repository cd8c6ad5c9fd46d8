//! A split of a dataset: mapped, validated, and read in any order.

mod records;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shardmill_formats::{Class, Codec, CodecError, Manifest, RecordShape};

use super::cached::CacheOptions;
use super::manifest::read_manifest;
use super::place::{self, RemoteSplit};
use super::runs::ShardRuns;
use super::shard::Shard;
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
    /// The object store that the shards are in, and the cache for them.
    remote: Option<(RemoteSplit, CacheOptions)>,
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
    number: u32,
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
    /// `folder` may be an address of an object store, such as `s3://bucket/imagenet`, if the crate was
    /// built with the feature `remote`. The shards then come through a cache on this machine; see
    /// [`open_cached`](Self::open_cached), which says where it is.
    ///
    /// # Errors
    /// A folder without a manifest, an unknown split, or a shard that is damaged, cut short or not
    /// the one that the manifest describes. An object store that cannot be read.
    pub fn open(folder: impl AsRef<Path>, split: &str) -> Result<Self, LoaderError> {
        Self::open_cached(folder, split, CacheOptions::default())
    }

    /// Opens a split as [`open`](Self::open) does, with a cache of one's choice for shards of an object
    /// store. Opening reads the manifest and the indices. A loader's epoch fetches whole shards through the
    /// cache; [`stored`](Self::stored) and [`read`](Self::read) fetch single records past it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_cached(
        folder: impl AsRef<Path>,
        split: &str,
        cache: CacheOptions,
    ) -> Result<Self, LoaderError> {
        let folder = folder.as_ref();
        let remote = place::remote(folder)?;
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
        let (shards, remote) = match remote {
            Some(remote) => {
                let (shards, remote) = place::open_remote(remote, &manifest, split, described)?;
                (shards, Some((remote, cache)))
            }
            None => (
                place::open_folder(folder, &manifest, split, described)?,
                None,
            ),
        };
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
            remote,
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
        place.shard.index.label(place.shard.bytes(), place.record)
    }

    /// The key of sample `i`: the name of its source.
    #[must_use]
    pub fn key(&self, i: u64) -> &str {
        let place = self.locate(i);
        place.shard.index.key(place.shard.bytes(), place.record)
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
            number: shard as u32,
            record: (origin - self.inner.starts[shard]) as usize,
            origin,
        }
    }

    /// The object store that the shards are in, and the cache for them; `None` for a folder.
    pub(crate) fn remote(&self) -> Option<&(RemoteSplit, CacheOptions)> {
        self.inner.remote.as_ref()
    }

    /// The shard of sample `i`, by its number in the split.
    pub(crate) fn shard_of(&self, i: u64) -> u32 {
        self.locate(i).number
    }

    /// Number of shards of the split.
    pub(crate) fn shards(&self) -> usize {
        self.inner.shards.len()
    }

    /// The samples shard by shard.
    pub(crate) fn shard_runs(&self) -> ShardRuns {
        if self.selection.is_some() {
            return ShardRuns::of_part(self.len(), self.shards(), |i| self.shard_of(i));
        }
        let sizes = self
            .inner
            .shards
            .iter()
            .map(|shard| shard.index.len() as u64);
        ShardRuns::of(&sizes.collect::<Vec<_>>())
    }

    /// Samples of the whole split.
    pub(crate) fn whole_len(&self) -> u64 {
        self.inner.starts[self.inner.shards.len()]
    }

    /// Bytes of all shards of the split.
    pub(crate) fn bytes(&self) -> u64 {
        let shards = self.inner.shards.iter();
        shards.map(|shard| shard.bytes().len() as u64).sum()
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
