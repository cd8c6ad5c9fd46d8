//! Amounts of memory on the command line.

use std::str::FromStr;

use crate::choice::UnknownChoice;

/// A number of bytes: `1500000`, `512M`, `4G`. The letters K, M, G and T stand for powers of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteSize(pub(super) u64);

impl FromStr for ByteSize {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, UnknownChoice> {
        let number = text.trim_end_matches(['B', 'b']).trim_end_matches('i');
        let (number, power) = match number.char_indices().last() {
            Some((at, 'k' | 'K')) => (&number[..at], 1),
            Some((at, 'm' | 'M')) => (&number[..at], 2),
            Some((at, 'g' | 'G')) => (&number[..at], 3),
            Some((at, 't' | 'T')) => (&number[..at], 4),
            _ => (number, 0),
        };
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse::<u64>().ok().filter(|_| digits);
        let bytes = number.and_then(|number| number.checked_mul(1024_u64.pow(power)));
        bytes.map(Self).ok_or_else(|| UnknownChoice {
            option: "amount of memory",
            found: text.to_owned(),
            expected: "a number of bytes, such as 1500000, 512M or 4G".to_owned(),
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
