//! The shards of an epoch that come through a local cache.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::Mmap;
use shardmill_store::{Cache, Course, Session, StoreError};

use super::mmap;
use super::place::RemoteSplit;
use crate::error::LoaderError;

/// Times that a shard which is not where the cache said is asked for again.
const AGAIN: u32 = 100;

/// Where shards of object stores are kept on this machine while they are needed, and how many bytes of
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheOptions {
    /// The folder; of the environment's `SHARDMILL_CACHE_DIR`, or `shardmill` in the user's folder for
    /// caches, if it is `None`.
    pub dir: Option<PathBuf>,
    /// Most bytes of shards in it; the environment's `SHARDMILL_CACHE_BYTES`, or half of what the disk has
    /// free, if it is `None`.
    pub bytes: Option<u64>,
}

impl CacheOptions {
    /// Opens the cache.
    ///
    /// # Errors
    /// No folder is known, or it cannot be used; see [`Cache::open`].
    pub fn open(&self) -> Result<Cache, LoaderError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let folder = self
            .dir
            .clone()
            .or_else(|| variable("SHARDMILL_CACHE_DIR").map(PathBuf::from));
        let folder = folder.or_else(|| {
            let caches = variable("XDG_CACHE_HOME").map(PathBuf::from);
            let caches = caches.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")));
            Some(caches?.join("shardmill"))
        });
        let Some(folder) = folder else {
            let advice = "shards of object stores need a folder on this machine: name one";
            return Err(LoaderError::setting(
                "the cache's folder",
                "not set",
                advice,
            ));
        };
        let bytes = match (self.bytes, variable("SHARDMILL_CACHE_BYTES")) {
            (None, Some(text)) => {
                let text = text.to_string_lossy();
                let bytes = shardmill_formats::byte_size(&text);
                Some(bytes.map_err(|advice| {
                    LoaderError::setting("SHARDMILL_CACHE_BYTES", &text, advice)
                })?)
            }
            (bytes, _) => bytes,
        };
        Ok(Cache::open(&folder, bytes)?)
    }
}

/// A split's shards for one epoch: those that are open are mapped.
pub(crate) struct CachedSplit {
    session: Session,
    maps: Box<[Mutex<Option<Arc<Mmap>>>]>,
    bytes: Box<[u64]>,
    names: Box<[String]>,
    /// The epoch's sets of shards, and the place of its order at which each ends.
    sets: Vec<(Vec<u32>, u64)>,
    /// The first set in use.
    at: AtomicUsize,
}

impl CachedSplit {
    /// Begins an epoch in which `course`, whose sets are `sets`, says what is needed.
    pub(crate) fn begin(
        session: Session,
        split: &RemoteSplit,
        sets: Vec<(Vec<u32>, u64)>,
        course: Course,
        group: Option<String>,
    ) -> Result<Self, LoaderError> {
        session.begin(course, group)?;
        Ok(Self {
            session,
            maps: split.files().iter().map(|_| Mutex::default()).collect(),
            bytes: split.files().iter().map(|file| file.bytes).collect(),
            names: split.files().iter().map(|file| file.file.clone()).collect(),
            sets,
            at: AtomicUsize::new(0),
        })
    }

    /// Whether this process began the epoch.
    pub(crate) fn is_here(&self) -> bool {
        self.session.is_here()
    }

    /// Ends the epoch; `None` in a forked child.
    pub(crate) fn end(self) -> Option<Session> {
        // What is not mapped any more may go.
        drop(self.maps);
        if !self.session.is_here() {
            return None;
        }
        self.session.end();
        Some(self.session)
    }

    /// The map of a shard, if it has been needed before.
    pub(crate) fn mapped(&self, shard: u32) -> Option<Arc<Mmap>> {
        let map = self.maps[shard as usize].lock();
        map.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The map of a shard of an open set, once it is there.
    pub(crate) fn map(
        &self,
        shard: u32,
        stop: &dyn Fn() -> bool,
    ) -> Result<Arc<Mmap>, LoaderError> {
        if let Some(map) = self.mapped(shard) {
            return Ok(map);
        }
        for _ in 0..AGAIN {
            let path = self
                .session
                .wait(shard, stop)
                .map_err(|error| match error {
                    StoreError::Stopped => LoaderError::Stopped,
                    StoreError::Cache(message) => LoaderError::Fetch {
                        shard: self.names[shard as usize].clone(),
                        message,
                    },
                    other => other.into(),
                })?;
            // No link is followed, and no FIFO waited for.
            let is_file = path.symlink_metadata().is_ok_and(|found| found.is_file());
            if !is_file {
                self.session.recheck(shard);
                continue;
            }
            match mmap::map(&path) {
                Ok((map, _)) if map.len() as u64 == self.bytes[shard as usize] => {
                    let map = Arc::new(map);
                    let kept = self.maps[shard as usize].lock();
                    *kept.unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&map));
                    return Ok(map);
                }
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(LoaderError::Io { path, source });
                }
                // Something else deleted or changed it.
                _ => self.session.recheck(shard),
            }
        }
        Err(LoaderError::Fetch {
            shard: self.names[shard as usize].clone(),
            message: "something keeps deleting it from the cache".to_owned(),
        })
    }

    /// A shard whose bytes are wrong: another map of it, after it was compared and perhaps fetched again.
    pub(crate) fn map_again(
        &self,
        shard: u32,
        stop: &dyn Fn() -> bool,
    ) -> Result<Arc<Mmap>, LoaderError> {
        *self.maps[shard as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
        self.session.recheck(shard);
        self.map(shard, stop)
    }

    /// Says that everything before a place of the epoch's order is done.
    pub(crate) fn advance(&self, place: u64) {
        let at = self.sets.partition_point(|&(_, end)| end <= place);
        let before = self.at.fetch_max(at, Ordering::Relaxed);
        if at <= before {
            return;
        }
        // A shard is in one set of an epoch.
        for &shard in self.sets[before..at].iter().flat_map(|(shards, _)| shards) {
            *self.maps[shard as usize]
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.session.advance(at);
    }
}
