//! One mapped shard.

#[cfg(target_os = "linux")]
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
#[cfg(target_os = "linux")]
use std::sync::OnceLock;

use memmap2::Mmap;
use shardmill_formats::{Manifest, Mismatch, ShardEntry, ShardIndex};

use super::mmap;
use crate::error::LoaderError;

pub(crate) struct Shard {
    pub(crate) name: String,
    path: PathBuf,
    pub(crate) map: Mmap,
    pub(crate) index: ShardIndex,
    identity: Option<Identity>,
    /// Opened when bytes are first dropped from the cache.
    #[cfg(target_os = "linux")]
    file: OnceLock<Option<File>>,
}

/// The file that a name stands for: it tells a file that was replaced by renaming from one that changed.
#[derive(PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }

    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

/// Opens all shards on as many threads as there are processors, since every key of the split is
/// checked.
pub(crate) fn open_all(
    folder: &Path,
    manifest: &Manifest,
    split: &str,
    entries: &[ShardEntry],
) -> Result<Vec<Shard>, LoaderError> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let each = entries.len().div_ceil(threads).max(1);
    let open = |part: &[ShardEntry]| -> Result<Vec<Shard>, LoaderError> {
        let shards = part.iter();
        shards
            .map(|entry| Shard::open(folder, manifest, split, entry))
            .collect()
    };
    std::thread::scope(|scope| {
        let mut parts = entries.chunks(each);
        let mine = parts.next().unwrap_or_default();
        let others: Vec<_> = parts.map(|part| scope.spawn(move || open(part))).collect();
        let mut shards = open(mine)?;
        for other in others {
            match other.join() {
                Ok(part) => shards.extend(part?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(shards)
    })
}

impl Shard {
    /// Maps and validates the shard that `entry` describes.
    pub(crate) fn open(
        folder: &Path,
        manifest: &Manifest,
        split: &str,
        entry: &ShardEntry,
    ) -> Result<Self, LoaderError> {
        let path = folder.join(&entry.file);
        let refused = |source| LoaderError::Io {
            path: path.clone(),
            source,
        };
        let (map, metadata) = mmap::map(&path).map_err(refused)?;
        let in_shard = |source| LoaderError::Shard {
            shard: entry.file.clone(),
            source,
        };
        let index = ShardIndex::parse(&map).map_err(in_shard)?;
        index
            .verify_index(&map, entry.index_checksum())
            .map_err(in_shard)?;
        let shard = Self {
            name: entry.file.clone(),
            path,
            map,
            index,
            identity: Identity::of(&metadata),
            #[cfg(target_os = "linux")]
            file: OnceLock::new(),
        };
        shard.compare(manifest, split, entry)?;
        Ok(shard)
    }

    /// Refuses a shard that contradicts the manifest.
    fn compare(
        &self,
        manifest: &Manifest,
        split: &str,
        entry: &ShardEntry,
    ) -> Result<(), LoaderError> {
        let bytes = self.map.len() as u64;
        let found = manifest.mismatches(split, entry, &self.index, bytes);
        match found.into_iter().next() {
            None => Ok(()),
            Some(Mismatch {
                what,
                found,
                expected,
            }) => Err(LoaderError::Mismatch {
                shard: self.name.clone(),
                what,
                found,
                expected,
            }),
        }
    }

    /// Checks that the file is still as long as its map. A file of another identity under the same name
    /// has replaced it by renaming, which does not change the map.
    pub(crate) fn check_length(&self) -> Result<(), LoaderError> {
        let Ok(metadata) = self.path.metadata() else {
            // The name is gone; the map keeps the bytes.
            return Ok(());
        };
        let expected = self.map.len() as u64;
        if metadata.len() >= expected || Identity::of(&metadata) != self.identity {
            return Ok(());
        }
        Err(LoaderError::Truncated {
            path: self.path.clone(),
            found: metadata.len(),
            expected,
        })
    }

    /// Where record `record` is in the file.
    pub(crate) fn range(&self, record: usize) -> Range<usize> {
        self.index.record_range(&self.map, record)
    }

    /// Asks the system to read these bytes ahead.
    pub(crate) fn will_need(&self, range: Range<usize>) -> io::Result<()> {
        mmap::will_need(&self.map, range)
    }

    /// Drops these bytes from the system's cache.
    pub(crate) fn release(&self, range: Range<usize>) -> io::Result<()> {
        mmap::unmap(&self.map, range.clone())?;
        #[cfg(target_os = "linux")]
        if let Some(file) = self.file.get_or_init(|| File::open(&self.path).ok()) {
            let len = std::num::NonZeroU64::new(range.len() as u64);
            rustix::fs::fadvise(file, range.start as u64, len, rustix::fs::Advice::DontNeed)?;
        }
        Ok(())
    }
}
