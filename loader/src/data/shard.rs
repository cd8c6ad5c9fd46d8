//! One shard: mapped, or with its index in memory and its records elsewhere.

#[cfg(target_os = "linux")]
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
#[cfg(target_os = "linux")]
use std::sync::OnceLock;

use memmap2::{Mmap, MmapMut};
use shardmill_formats::{Manifest, Mismatch, ShardEntry, ShardIndex};

use super::mmap;
use crate::error::LoaderError;

pub(crate) struct Shard {
    pub(crate) name: String,
    pub(crate) index: ShardIndex,
    bytes: Bytes,
}

/// Where the bytes of a shard are.
enum Bytes {
    Mapped(Mapped),
    /// In an object store. This is as long as the shard, but only what is around the records was read; the
    /// rest are zeros that take no memory.
    Around(MmapMut),
}

struct Mapped {
    path: PathBuf,
    map: Mmap,
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
        let mapped = Mapped {
            path,
            map,
            identity: Identity::of(&metadata),
            #[cfg(target_os = "linux")]
            file: OnceLock::new(),
        };
        Self::validated(Bytes::Mapped(mapped), manifest, split, entry)
    }

    /// Validates a shard of which only what is around the records was read.
    pub(super) fn without_records(
        around: MmapMut,
        manifest: &Manifest,
        split: &str,
        entry: &ShardEntry,
    ) -> Result<Self, LoaderError> {
        Self::validated(Bytes::Around(around), manifest, split, entry)
    }

    fn validated(
        bytes: Bytes,
        manifest: &Manifest,
        split: &str,
        entry: &ShardEntry,
    ) -> Result<Self, LoaderError> {
        let in_shard = |source| LoaderError::Shard {
            shard: entry.file.clone(),
            source,
        };
        let index = ShardIndex::parse(bytes.all()).map_err(in_shard)?;
        index
            .verify_index(bytes.all(), entry.index_checksum())
            .map_err(in_shard)?;
        let shard = Self {
            name: entry.file.clone(),
            bytes,
            index,
        };
        shard.compare(manifest, split, entry)?;
        Ok(shard)
    }

    /// The shard's bytes for its index: all but the records are sure to be there.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.all()
    }

    /// The shard's bytes, records included; `None` if they are in an object store.
    pub(crate) const fn mapped(&self) -> Option<&Mmap> {
        match &self.bytes {
            Bytes::Mapped(mapped) => Some(&mapped.map),
            Bytes::Around(_) => None,
        }
    }

    /// Refuses a shard that contradicts the manifest.
    fn compare(
        &self,
        manifest: &Manifest,
        split: &str,
        entry: &ShardEntry,
    ) -> Result<(), LoaderError> {
        let bytes = self.bytes().len() as u64;
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
        let Bytes::Mapped(mapped) = &self.bytes else {
            return Ok(());
        };
        let Ok(metadata) = mapped.path.metadata() else {
            // The name is gone; the map keeps the bytes.
            return Ok(());
        };
        let expected = mapped.map.len() as u64;
        if metadata.len() >= expected || Identity::of(&metadata) != mapped.identity {
            return Ok(());
        }
        Err(LoaderError::Truncated {
            path: mapped.path.clone(),
            found: metadata.len(),
            expected,
        })
    }

    /// Where record `record` is in the file.
    pub(crate) fn range(&self, record: usize) -> Range<usize> {
        self.index.record_range(self.bytes(), record)
    }

    /// Drops these bytes from the system's cache.
    pub(crate) fn release(&self, range: Range<usize>) -> io::Result<()> {
        let Bytes::Mapped(mapped) = &self.bytes else {
            return Ok(());
        };
        mmap::unmap(&mapped.map, range.clone())?;
        #[cfg(target_os = "linux")]
        if let Some(file) = mapped.file.get_or_init(|| File::open(&mapped.path).ok()) {
            let len = std::num::NonZeroU64::new(range.len() as u64);
            rustix::fs::fadvise(file, range.start as u64, len, rustix::fs::Advice::DontNeed)?;
        }
        Ok(())
    }
}

impl Bytes {
    fn all(&self) -> &[u8] {
        match self {
            Self::Mapped(mapped) => &mapped.map,
            Self::Around(around) => around,
        }
    }
}

/// Opens all shards with `open`, on `threads` threads.
pub(super) fn open_all(
    entries: &[ShardEntry],
    threads: usize,
    open: impl Fn(&ShardEntry) -> Result<Shard, LoaderError> + Sync,
) -> Result<Vec<Shard>, LoaderError> {
    let each = entries.len().div_ceil(threads).max(1);
    let open = |part: &[ShardEntry]| -> Result<Vec<Shard>, LoaderError> {
        part.iter().map(&open).collect()
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
