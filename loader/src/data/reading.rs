//! How records are read.

use std::ops::{Deref, Range};
use std::sync::Arc;

use memmap2::Mmap;

use super::cached::CachedSplit;

/// Whether a record's bytes are compared with their checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verify {
    /// When a process first reads the record.
    #[default]
    FirstRead,
    /// Never. Damage silently becomes wrong pixels unless a decoder notices it. Use it when something
    /// else has verified the shards, such as `prep verify`.
    Never,
}

/// What happens when a record is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadRecord {
    /// The epoch ends with an error that names shard, record and key.
    #[default]
    Stop,
    /// Another sample replaces it. (seed, epoch, sample) determine which, so it is the same for any
    /// number of threads. [`Batch::replaced`](crate::Batch::replaced) lists the replacements, and
    /// [`Meter::replaced`](crate::Meter::replaced) counts them.
    Replace,
}

/// When the system is asked to read the next records ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// Until the loader has read an epoch from its first batch to its last; always if the shards are
    /// larger than the available memory.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never. A record that is not in memory is read page by page when it is needed.
    Never,
}

/// A sample that replaced a damaged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replaced {
    /// Its place in the batch.
    pub place: usize,
    /// Index of the damaged sample.
    pub bad: u64,
    /// Index of the sample that replaced it.
    pub by: u64,
}

/// How a record of an object store is reached.
#[derive(Clone, Copy)]
pub(crate) enum Access<'a> {
    /// By itself.
    Direct,
    /// With its whole shard, which is waited for until the function says to stop.
    Cached(&'a CachedSplit, &'a dyn Fn() -> bool),
}

/// The stored bytes of a record: a part of a map, or a copy of what came from an object store.
#[derive(Clone)]
pub struct Stored<'a>(Source<'a>);

#[derive(Clone)]
enum Source<'a> {
    Borrowed(&'a [u8]),
    Shared(Arc<Mmap>, Range<usize>),
    Owned(Vec<u8>),
}

impl<'a> Stored<'a> {
    pub(super) const fn borrowed(bytes: &'a [u8]) -> Self {
        Self(Source::Borrowed(bytes))
    }

    pub(super) const fn shared(map: Arc<Mmap>, range: Range<usize>) -> Self {
        Self(Source::Shared(map, range))
    }

    pub(super) const fn owned(bytes: Vec<u8>) -> Self {
        Self(Source::Owned(bytes))
    }
}

impl Deref for Stored<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Source::Borrowed(bytes) => bytes,
            Source::Shared(map, range) => &map[range.clone()],
            Source::Owned(bytes) => bytes,
        }
    }
}

impl std::fmt::Debug for Stored<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stored({} bytes)", self.len())
    }
}
