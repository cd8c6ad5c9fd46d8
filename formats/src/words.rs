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
