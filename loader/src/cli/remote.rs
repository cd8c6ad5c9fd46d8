//! What a cache fetches during the passes, and how fast the link to the object store is.

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use shardmill_formats::ShardEntry;
use shardmill_store::{Cache, Figures, Remote, StoreError, address};

use crate::{CacheOptions, read_manifest};

/// Fewest bytes by which a link is measured, unless the shards have fewer: the first pieces are slow to come.
const LEAST: u64 = 16 << 20;

/// Figures of a dataset in an object store.
#[derive(Clone, Serialize)]
pub(crate) struct Fetched {
    /// The cache's folder, and most bytes in it.
    cache_dir: String,
    cache_bytes: u64,
    /// The first epoch, which is not one of the passes that are counted.
    first_epoch: Transfer,
    /// All counted passes.
    later_epochs: Transfer,
    /// Bytes per second of plain reading of the same shards, which nothing is done with: what the link
    /// gives. Not measured if nothing was fetched.
    link_bytes_per_second: Option<f64>,
    /// The first epoch's bytes a second as a share of that.
    share_of_link: Option<f64>,
}

/// What was fetched during some passes.
#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct Transfer {
    passes: usize,
    seconds: f64,
    images_per_second: f64,
    /// Bytes that arrived.
    fetched_bytes: u64,
    fetched_shards: u64,
    /// Shards that were there already when they were needed.
    hits: u64,
    evicted_shards: u64,
    /// Shards that arrived damaged.
    damaged: u64,
    /// Passes within which another process became the keeper of the cache: what the earlier one had counted
    /// in such a pass is missing here.
    other_keepers: u64,
    /// Time for which this process waited for a keeper that did not answer.
    silent_seconds: f64,
}

/// A dataset in an object store whose epochs are measured.
pub(crate) struct Watch {
    cache: Cache,
    remote: Remote,
    shards: Vec<ShardEntry>,
    before: Figures,
    first: Option<Transfer>,
    later: Transfer,
}

impl Watch {
    /// Opens what a row reads; `None` for a folder.
    pub(crate) fn open(shards: &Path, split: &str, options: &CacheOptions) -> Result<Option<Self>> {
        let Some(address) = address(shards) else {
            return Ok(None);
        };
        let cache = options.open()?;
        let manifest = read_manifest(shards)?;
        let split = manifest.splits.get(split).context("no such split")?;
        let with_records = split.shards.iter().filter(|shard| shard.records > 0);
        Ok(Some(Self {
            before: cache.figures()?,
            cache,
            remote: Remote::open(address)?,
            shards: with_records.cloned().collect(),
            first: None,
            later: Transfer::default(),
        }))
    }

    /// Adds a pass of so many images and seconds, the first one or a later one.
    pub(crate) fn pass(&mut self, images: u64, seconds: f64) -> Result<()> {
        let now = self.cache.figures()?;
        // A new keeper counts from zero.
        let is_other =
            now.keeper != self.before.keeper || now.fetched_bytes < self.before.fetched_bytes;
        let zero = Figures::default();
        let before = if is_other { &zero } else { &self.before };
        let sum = match &self.first {
            None => &mut Transfer::default(),
            Some(_) => &mut self.later,
        };
        let fetched = now.fetched_shards - before.fetched_shards;
        let earlier = sum.images_per_second * sum.seconds;
        sum.passes += 1;
        sum.seconds += seconds;
        sum.images_per_second = (earlier + images as f64) / sum.seconds;
        sum.fetched_bytes += now.fetched_bytes - before.fetched_bytes;
        sum.fetched_shards += fetched;
        sum.hits += (self.shards.len() as u64).saturating_sub(fetched);
        sum.evicted_shards += now.evicted_shards - before.evicted_shards;
        sum.damaged += now.damaged - before.damaged;
        sum.other_keepers += u64::from(is_other);
        sum.silent_seconds += now.silent_seconds - self.before.silent_seconds;
        let sum = *sum;
        self.first.get_or_insert(sum);
        self.before = now;
        Ok(())
    }

    /// The figures, with the link measured for at most `duration` if something came over it.
    pub(crate) fn finish(self, duration: Duration) -> Result<Fetched> {
        let first_epoch = self.first.unwrap_or_default();
        let link = match first_epoch.fetched_bytes {
            0 => None,
            _ => Some(self.link(duration)?),
        };
        let rate = first_epoch.fetched_bytes as f64 / first_epoch.seconds;
        Ok(Fetched {
            cache_dir: self.cache.folder().display().to_string(),
            cache_bytes: self.cache.quota()?,
            first_epoch,
            later_epochs: self.later,
            link_bytes_per_second: link,
            share_of_link: link.map(|link| rate / link),
        })
    }

    /// Bytes per second of plain reading, with as many shards at once as the cache fetches.
    fn link(&self, duration: Duration) -> Result<f64> {
        let (next, arrived, start) = (AtomicUsize::new(0), AtomicU64::new(0), Instant::now());
        let count = |bytes| {
            let before = arrived.fetch_add(bytes, Ordering::Relaxed);
            start.elapsed() < duration || before + bytes < LEAST
        };
        let work = || -> Result<(), StoreError> {
            while let Some(shard) = self.shards.get(next.fetch_add(1, Ordering::Relaxed)) {
                match self.remote.drain(&shard.file, shard.bytes, &count) {
                    Err(StoreError::Stopped) => break,
                    done => done?,
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..Cache::transfers()).map(|_| scope.spawn(work)).collect();
            let ended = threads.into_iter().map(|thread| match thread.join() {
                Ok(ended) => ended,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            ended.collect::<Result<(), _>>()
        })?;
        Ok(arrived.into_inner() as f64 / start.elapsed().as_secs_f64())
    }
}

impl Fetched {
    /// Below the row of the table.
    pub(crate) fn lines(&self) -> String {
        let first = self.first_epoch;
        let later = self.later_epochs;
        let link = match (self.link_bytes_per_second, self.share_of_link) {
            (Some(link), Some(share)) => format!(
                ", {:.0}% of the {:.1} MB/s of plain reading",
                share * 1e2,
                link / 1e6
            ),
            _ => String::new(),
        };
        let lost = match first.other_keepers + later.other_keepers {
            0 => String::new(),
            times => format!(
                "{:8}another process became the keeper of the cache in {times} of the passes: what the earlier one \
                 fetched in them is not counted\n",
                ""
            ),
        };
        let silent = match first.silent_seconds + later.silent_seconds {
            0.0 => String::new(),
            seconds => format!(
                "{:8}{seconds:.1} s of waiting for a keeper of the cache that did not answer\n",
                ""
            ),
        };
        format!(
            "{:8}first epoch: {:.0} images/s; {} shards, {:.1} MB fetched at {:.1} MB/s{link}; {} hits\n\
             {:8}later: {} shards, {:.1} MB fetched in {} epochs; {} hits; {} shards made room, {} arrived damaged\n\
             {:8}cache {}, up to {:.1} GB\n{lost}{silent}",
            "",
            first.images_per_second,
            first.fetched_shards,
            first.fetched_bytes as f64 / 1e6,
            first.fetched_bytes as f64 / 1e6 / first.seconds,
            first.hits,
            "",
            later.fetched_shards,
            later.fetched_bytes as f64 / 1e6,
            later.passes,
            later.hits,
            first.evicted_shards + later.evicted_shards,
            first.damaged + later.damaged,
            "",
            self.cache_dir,
            self.cache_bytes as f64 / 1e9
        )
    }
}
