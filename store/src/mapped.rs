//! A file as bytes that are uploaded without being copied into memory.
//!
//! Contract: the file must not be changed or truncated while the bytes exist. It is a finished shard in a
//! folder of the program's own, which nothing writes to any more. A change by another program would make
//! other bytes of the object, which its BLAKE3 finds, or end the process with SIGBUS.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::path::Path;

use bytes::Bytes;
use memmap2::Mmap;

/// The bytes of a file.
pub(crate) fn bytes(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    // SAFETY: the map is read-only and the file does not change, by the contract above.
    let map = unsafe { Mmap::map(&file)? };
    Ok(Bytes::from_owner(map))
}
