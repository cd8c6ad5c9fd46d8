//! Looks at the headers of a Parquet file before they are read: the footer, and what stands before each page.
//!
//! They are structures of Thrift's compact protocol. The crate that reads them passes over fields that it does not
//! know, and takes truth values in a list for nothing, where the protocol gives each a byte: so a list that claims two
//! thousand million of them takes seconds, and a file has room for thousands of such lists. Parquet knows no list of
//! truth values that stands in one of these headers, so a header that holds one is refused.
//!
//! To see each list that the crate passes over, a header must be read as the crate reads it. The crate does not look
//! at the type that a field it knows is written with, so a header in which such a field has another type than
//! Parquet's is refused too.

mod definition;
mod kind;
mod tree;
mod walk;

use std::io::{self, ErrorKind, Read};

use kind::Structure;
use walk::Walk;

/// Reads the footer, without the length and the magic behind it; gives its length in bytes.
///
/// # Errors
/// If the bytes end, are no footer, hold a list of truth values, or have fields with other types than Parquet's, or a
/// schema whose groups have fields that are not there or stand too deep.
pub(super) fn footer(bytes: &mut impl Read) -> io::Result<u64> {
    length(bytes, &definition::FILE_META_DATA)
}

/// Reads the header of a page; gives its length in bytes.
///
/// # Errors
/// If the bytes end, are no such header, hold a list of truth values, or have fields with other types than Parquet's.
pub(super) fn page(bytes: &mut impl Read) -> io::Result<u64> {
    length(bytes, &definition::PAGE_HEADER)
}

fn length(bytes: &mut impl Read, structure: &Structure) -> io::Result<u64> {
    let mut walk = Walk::new(bytes);
    walk.header(structure)?;
    Ok(walk.length)
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        format!("a header is damaged: {what}"),
    )
}

#[cfg(test)]
mod tests;
