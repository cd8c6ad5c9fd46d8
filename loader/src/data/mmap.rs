//! The memory map of a shard: the one place where a file's bytes become a slice.
//!
//! Contract: a mapped file must not be changed or truncated while it is mapped. Shardmill never does
//! (shards are written beside and renamed), but another process could; then reads may see other
//! bytes, which the checksums find on the first read, or the system ends the process with SIGBUS. A
//! loader looks at the lengths of its shards every now and then, and at the end of an epoch, and
//! gives an error when one is shorter; so a truncation ends the epoch or, loudly, the process. Keep
//! datasets where nothing else writes, and replace them by renaming.
#![allow(unsafe_code)]

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;

/// Longest piece that is asked for at once: below the limits of common disks (their largest request
/// or their read-ahead, whichever is more), beyond which Linux would ignore the rest.
const PIECE: usize = 128 << 10;

/// Maps a whole file for reading. The order of reading is random, and the system is told so.
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

/// Takes the pages of a range out of the map, so that the system may drop them from its cache; they
/// come back, the same, when they are read again.
pub(crate) fn unmap(map: &Mmap, range: Range<usize>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let advice = memmap2::UncheckedAdvice::DontNeed;
        // SAFETY: the advice loses what was written to private pages; this map shares a file's pages
        // and is read-only, so a later read gets the file's bytes again, which do not change.
        unsafe { map.unchecked_advise_range(advice, range.start, range.len())? };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (map, range);
    Ok(())
}
