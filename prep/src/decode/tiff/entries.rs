//! Whether a directory's values can be in the file at all. The `tiff` crate takes memory for as many values as an
//! entry claims, up to 256 MB, before it reads the first one.

use crate::reject::Reject;

/// Tags whose values are read (TIFF 6.0, sections 3 to 22): here, or by the crate for itself.
const READ: [u16; 22] = [
    256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338,
    339, 347, 530,
];

/// Refuses a file whose first directory has an entry with more bytes of values than there are bytes in the file.
///
/// What is not understood is left to the crate to refuse.
pub(super) fn check(file: &[u8]) -> Result<(), Reject> {
    match is_honest(file) {
        Some(false) => Err(Reject::Truncated),
        Some(true) | None => Ok(()),
    }
}

/// `None` if the directory is not in the file.
fn is_honest(file: &[u8]) -> Option<bool> {
    let big_endian = file.starts_with(b"MM");
    let number = |at: usize, bytes: usize| {
        let bytes = file.get(at..at.checked_add(bytes)?)?.iter();
        let join = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(match big_endian {
            true => bytes.fold(0, join),
            false => bytes.rev().fold(0, join),
        })
    };
    // BigTIFF has wider fields.
    let (place, width, entry) = match number(2, 2)? {
        43 => (8, 8, 20),
        _ => (4, 4, 12),
    };
    let directory = usize::try_from(number(place, width)?).ok()?;
    let count_bytes = if width == 8 { 8 } else { 2 };
    let entries = number(directory, count_bytes)?;
    let mut at = directory.checked_add(count_bytes)?;
    for _ in 0..entries {
        let tag = number(at, 2)? as u16;
        let (kind, count) = (number(at + 2, 2)?, number(at + 4, width)?);
        let bytes = count.saturating_mul(bytes_of(kind));
        if READ.contains(&tag) && bytes > file.len() as u64 {
            return Some(false);
        }
        at += entry;
    }
    Some(true)
}

/// Bytes of a value of a type (TIFF 6.0, section 2, and the types of BigTIFF); one for types that nobody knows.
const fn bytes_of(kind: u64) -> u64 {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of one entry, in either order of bytes and in either width.
    fn file(big_endian: bool, wide: bool, tag: u16, kind: u16, count: u64) -> Vec<u8> {
        let put = |value: u64, bytes: usize| {
            let value = value.to_be_bytes();
            let mut value = value[8 - bytes..].to_vec();
            if !big_endian {
                value.reverse();
            }
            value
        };
        let width = if wide { 8 } else { 4 };
        let mut file = if big_endian { b"MM" } else { b"II" }.to_vec();
        match wide {
            true => file.extend([put(43, 2), put(8, 2), put(0, 2), put(16, 8), put(1, 8)].concat()),
            false => file.extend([put(42, 2), put(8, 4), put(1, 2)].concat()),
        }
        let entry = [
            put(tag.into(), 2),
            put(kind.into(), 2),
            put(count, width),
            put(0, width),
        ];
        file.extend(entry.concat());
        file.extend(put(0, width));
        file
    }

    #[test]
    fn an_entry_with_more_values_than_the_file_has_bytes_is_refused() {
        for big_endian in [false, true] {
            for wide in [false, true] {
                let honest =
                    |tag, kind, count| is_honest(&file(big_endian, wide, tag, kind, count));
                let most = file(big_endian, wide, 0, 0, 0).len() as u64;
                assert_eq!(honest(258, 1, most), Some(true));
                assert_eq!(honest(258, 1, most + 1), Some(false));
                assert_eq!(honest(258, 3, most / 2 + 1), Some(false));
                assert_eq!(honest(273, 4, u64::from(u32::MAX)), Some(false));
                // A text that nobody reads.
                assert_eq!(honest(270, 2, u64::from(u32::MAX)), Some(true));
            }
        }
        assert_eq!(is_honest(b"II*\0\x08\0\0\0\x01\0"), None);
        assert_eq!(
            is_honest(b"MM\0+\0\x08\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
            None
        );
    }
}
