//! CRC-32C, the checksum of records and indices.

use crc_fast::{CrcAlgorithm, Digest, checksum_combine};

/// CRC-32C (Castagnoli, as in iSCSI, RFC 3720) of `bytes`.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// CRC-32C of the concatenation of `parts`.
pub(crate) fn crc32c_of_parts(parts: &[&[u8]]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    for part in parts {
        digest.update(part);
    }
    u32::try_from(digest.finalize()).expect("a 32-bit CRC fits in 32 bits")
}

/// CRC-32C of bytes with the checksum `front`, followed by `len` bytes with the checksum `tail`.
pub(crate) fn crc32c_joined(front: u32, tail: u32, len: u64) -> u32 {
    let joined = checksum_combine(CrcAlgorithm::Crc32Iscsi, front.into(), tail.into(), len);
    u32::try_from(joined).expect("a 32-bit CRC fits in 32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One bit at a time, straight from the polynomial.
    fn naive(bytes: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for &byte in bytes {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg());
            }
        }
        !crc
    }

    #[test]
    fn check_value_of_rfc_3720() {
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
    }

    #[test]
    fn matches_the_bitwise_twin_whole_and_in_parts() {
        let bytes: Vec<u8> = (0..5000_u32).map(|i| ((i * i) >> 3) as u8).collect();
        for len in [0, 1, 7, 8, 63, 64, 255, 1024, 4999] {
            assert_eq!(crc32c(&bytes[..len]), naive(&bytes[..len]), "length {len}");
            let (a, b) = bytes[..len].split_at(len / 3);
            assert_eq!(
                crc32c_of_parts(&[a, b]),
                naive(&bytes[..len]),
                "length {len} in parts"
            );
            assert_eq!(
                crc32c_joined(crc32c(a), crc32c(b), b.len() as u64),
                naive(&bytes[..len]),
                "length {len} joined"
            );
        }
    }
}
