//! How long a shard is, and memory of that length.

use std::io;
use std::path::Path;

use memmap2::MmapMut;
use shardmill_formats::ShardEntry;

use crate::error::PrepError;

/// Refuses a shard of another size than the manifest says.
pub(super) fn check_size(path: &Path, entry: &ShardEntry, found: u64) -> Result<(), PrepError> {
    if found == entry.bytes {
        return Ok(());
    }
    Err(PrepError::Contradiction {
        path: path.to_owned(),
        what: "size in bytes",
        found: found.to_string(),
        expected: entry.bytes.to_string(),
    })
}

/// `len` zeros in an anonymous map, whose pages take no memory before they are written to; a zeroed vector does so
/// only where the allocator asks the system for it.
pub(super) fn zeros(len: u64) -> io::Result<MmapMut> {
    let len = usize::try_from(len).map_err(|_| {
        let message = format!("{len} bytes are too many");
        io::Error::new(io::ErrorKind::InvalidData, message)
    })?;
    MmapMut::map_anon(len)
}
