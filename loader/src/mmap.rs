//! The memory map of a shard: the one place where a file's bytes become a slice.
//!
//! Contract: a mapped file must not be changed or truncated while it is mapped. Shardmill never does
//! (shards are written beside and renamed), but another process could; then reads may see other
//! bytes, which the checksums find, or the system may end the process with SIGBUS. Keep datasets
//! where nothing else writes, and replace them by renaming.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

/// Maps a whole file for reading. The order of reading is random, and the system is told so.
pub(crate) fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the map is read-only and the file is immutable by the contract above, so the slice
    // that the map derefs to never changes under a reader.
    let map = unsafe { Mmap::map(&file)? };
    #[cfg(unix)]
    map.advise(memmap2::Advice::Random)?;
    Ok(map)
}
