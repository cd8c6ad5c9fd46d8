//! The memory map of a shard: the one place where a file's bytes become a slice.
//!
//! Contract: a mapped file must not be changed or truncated while it is mapped. Shardmill never does
//! so (it writes a shard under another name and renames it), but another process could. Reads may then
//! see other bytes, which the checksums find on the first read, or the system ends the process with
//! SIGBUS. A loader checks the lengths of its shards from time to time and at the end of an epoch, and
//! gives an error if one is shorter. So a truncation ends the epoch or, with a signal, the process.
//! Keep datasets where nothing else writes, and replace them by renaming.
#![allow(unsafe_code)]

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;

/// Longest piece that is requested at once. Linux ignores what exceeds a disk's limit (its largest
/// request or its read-ahead, whichever is larger); this is below the limits of common disks.
const PIECE: usize = 128 << 10;

/// Maps a whole file for reading, with the advice that the order of reading is random.
pub(crate) fn map(path: &Path) -> io::Result<(Mmap, Metadata)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    // SAFETY: the map is read-only and the file is immutable by the contract above, so the slice
    // that the map derefs to never changes under a reader.
    let map = unsafe { Mmap::map(&file)? };
    #[cfg(unix)]
    map.advise(memmap2::Advice::Random)?;
    Ok((map, metadata))
}

/// Asks for a range of the map to be read ahead.
pub(crate) fn will_need(map: &Mmap, range: Range<usize>) -> io::Result<()> {
    #[cfg(unix)]
    for start in range.clone().step_by(PIECE) {
        let len = PIECE.min(range.end - start);
        map.advise_range(memmap2::Advice::WillNeed, start, len)?;
    }
    #[cfg(not(unix))]
    let _ = (map, range);
    Ok(())
}

/// Takes the pages of a range out of the map, so that the system can drop them from its cache. They are
/// read from the file again when they are needed.
pub(crate) fn unmap(map: &Mmap, range: Range<usize>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let advice = memmap2::UncheckedAdvice::DontNeed;
        // SAFETY: the advice discards what was written to private pages. This map shares a file's pages
        // and is read-only, so a later read gets the file's bytes again, which do not change.
        unsafe { map.unchecked_advise_range(advice, range.start, range.len())? };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (map, range);
    Ok(())
}
