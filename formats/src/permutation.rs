//! A seeded shuffle of `0..len` that needs no memory and computes any place directly.

use crate::philox::Philox;

/// A bijection of `0..len`: a Feistel network over the next power of two, walked until it lands
/// inside the range (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
#[derive(Clone, Debug)]
pub struct Permutation {
    len: u64,
    philox: Philox,
    /// Bits of the left half; the right half has as many, or one more.
    left_bits: u32,
    right_bits: u32,
}

/// An even number, so that both halves end where they began. Four rounds of a good function already
/// look random (Luby and Rackoff); small domains need more.
const ROUNDS: u32 = 8;
/// Smallest domain: very narrow halves would repeat patterns from one seed to the next.
const MIN_BITS: u32 = 8;

impl Permutation {
    /// The permutation of `0..len` that the generator and `tweak` (such as an epoch) determine.
    #[must_use]
    pub fn new(len: u64, philox: &Philox, tweak: u64) -> Self {
        let bits = (u64::BITS - len.saturating_sub(1).leading_zeros()).max(MIN_BITS);
        assert!(bits < u64::BITS, "a permutation of {len} places");
        Self {
            len,
            philox: philox.derive(tweak),
            left_bits: bits / 2,
            right_bits: bits - bits / 2,
        }
    }

    /// Number of places.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no place at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number at place `i`.
    ///
    /// # Panics
    /// If `i` is not below the length.
    #[must_use]
    pub fn at(&self, i: u64) -> u64 {
        assert!(i < self.len, "place {i} of a permutation of {}", self.len);
        let mut x = i;
        // The walk follows the cycle through `i`, which returns to the range.
        loop {
            x = self.feistel(x);
            if x < self.len {
                return x;
            }
        }
    }

    fn feistel(&self, x: u64) -> u64 {
        let (mut left_bits, mut right_bits) = (self.left_bits, self.right_bits);
        let mut left = x >> right_bits;
        let mut right = x & ((1 << right_bits) - 1);
        for round in 0..ROUNDS {
            let word = u64::from(self.philox.block(right, round)[0]);
            let mixed = left ^ (word & ((1 << left_bits) - 1));
            (left, right) = (right, mixed);
            (left_bits, right_bits) = (right_bits, left_bits);
        }
        left << right_bits | right
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::Stream;

    #[test]
    fn every_place_once_for_every_small_length() {
        for len in (0..300).chain([1000, 4096, 4097]) {
            let permutation = Permutation::new(len, &Philox::new(3, Stream::Order), len);
            let mut seen = vec![false; usize::try_from(len).unwrap()];
            for i in 0..len {
                let place = usize::try_from(permutation.at(i)).unwrap();
                assert!(
                    !std::mem::replace(&mut seen[place], true),
                    "{place} twice of {len}"
                );
            }
        }
    }

    #[test]
    fn epochs_and_seeds_give_other_orders() {
        let order = |seed, epoch| {
            let p = Permutation::new(1000, &Philox::new(seed, Stream::Order), epoch);
            (0..1000).map(|i| p.at(i)).collect::<Vec<_>>()
        };
        let same = |a: &[u64], b: &[u64]| a.iter().zip(b).filter(|(a, b)| a == b).count();
        assert_eq!(order(1, 0), order(1, 0));
        for other in [order(1, 1), order(2, 0), (0..1000).collect()] {
            // One place in a thousand agrees by chance; eleven or more happen once in 10^7 draws.
            assert!(same(&order(1, 0), &other) < 11);
        }
    }

    #[test]
    fn all_orders_of_four_are_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for epoch in 0..24_000 {
            let p = Permutation::new(4, &Philox::new(5, Stream::Order), epoch);
            let order: [u64; 4] = std::array::from_fn(|i| p.at(i as u64));
            *counts.entry(order).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        // Chi-squared with 23 degrees of freedom: 49.7 is passed by chance once in a thousand.
        let chi: f64 = counts
            .values()
            .map(|&c| (f64::from(c) - 1000.0).powi(2) / 1000.0)
            .sum();
        assert!(chi < 49.7, "chi-squared {chi}");
    }
}
