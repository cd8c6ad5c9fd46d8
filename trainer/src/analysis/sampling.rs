//! Which images of a split are looked at, where not all are.

/// `count` numbers from 0 to below `len`, in their order and as far apart as they can be; all of them if there
/// are no more.
pub(super) fn spread(len: u64, count: u64) -> Vec<u64> {
    let count = count.min(len);
    let place = |i| u64::try_from(u128::from(i) * u128::from(len) / u128::from(count));
    (0..count)
        .map(|i| place(i).expect("below the length"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn numbers_are_spread_over_all() {
        assert_eq!(spread(10, 4), [0, 2, 5, 7]);
        assert_eq!(spread(3, 9), [0, 1, 2]);
        assert_eq!(spread(0, 9), [0; 0]);
        assert_eq!(spread(u64::MAX, 2), [0, u64::MAX / 2]);
    }
}
