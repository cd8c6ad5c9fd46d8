//! Amounts of memory on the command line.

use std::str::FromStr;

use crate::choice::UnknownChoice;

/// A number of bytes: `1500000`, `512M`, `4G`. The letters K, M, G and T stand for powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteSize(pub(super) u64);

impl FromStr for ByteSize {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, UnknownChoice> {
        shardmill_formats::byte_size(text)
            .map(Self)
            .map_err(|expected| UnknownChoice {
                option: "amount of memory",
                found: text.to_owned(),
                expected,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_with_and_without_a_letter() {
        for (text, bytes) in [
            ("0", 0),
            ("1500", 1500),
            ("2k", 2048),
            ("512M", 512 << 20),
            ("4G", 4 << 30),
            ("4GiB", 4 << 30),
            ("1T", 1 << 40),
            ("7B", 7),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "M", "-1", "+1", "1.5G", "4X", "99999999999T", "4 G"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }
}
