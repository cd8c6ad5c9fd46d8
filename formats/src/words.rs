//! Numbers with their units, for people.

/// A number of things: `counted(1, "shard", "shards")` is `1 shard`.
#[must_use]
pub fn counted(number: impl TryInto<u64>, one: &str, many: &str) -> String {
    match number.try_into() {
        Ok(1) => format!("1 {one}"),
        Ok(number) => format!("{number} {many}"),
        // The number does not fit into 64 bits.
        Err(_) => many.to_owned(),
    }
}

/// A size in GB (10^9 bytes) from one gigabyte on, in MB from one megabyte on, otherwise in kB.
#[must_use]
pub fn size(bytes: u64) -> String {
    let scaled = |unit: f64| bytes as f64 / unit;
    match bytes {
        0..1_000_000 => format!("{:.1} kB", scaled(1e3)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", scaled(1e6)),
        _ => format!("{:.2} GB", scaled(1e9)),
    }
}

/// Reads a number of bytes: `1500000`, `512M`, `4G`. The letters K, M, G and T stand for powers of 1024.
///
/// # Errors
/// Any other text; the error says what to give.
pub fn byte_size(text: &str) -> Result<u64, String> {
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
    bytes.ok_or_else(|| "a number of bytes, such as 1500000, 512M or 4G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{counted, size};

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(1_u64, "class", "classes"), "1 class");
        assert_eq!(counted(0_usize, "class", "classes"), "0 classes");
        assert_eq!(counted(12_u32, "class", "classes"), "12 classes");
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        let text = [900, 999_999, 19_700_000, 27_000_000_000].map(size);
        assert_eq!(text, ["0.9 kB", "1000.0 kB", "19.7 MB", "27.00 GB"]);
    }
}
