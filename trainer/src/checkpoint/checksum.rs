//! One checksum over several pieces.

use shardmill_formats::crc32c;

/// CRC-32C over the CRC-32C and the length of each piece, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checksum(Vec<u8>);

impl Checksum {
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.0.extend(crc32c(piece).to_le_bytes());
        self.0.extend((piece.len() as u64).to_le_bytes());
    }

    /// As eight hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        format!("{:08x}", crc32c(&self.0))
    }
}
