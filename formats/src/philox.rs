//! Philox4x32-10, the counter-based generator behind every random choice in Shardmill.
//!
//! Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
//! A value is a pure function of (seed, stream, counter), so nothing depends on the order in which
//! threads ask for it, and any position can be reached at once.

/// The purpose of a random value; each purpose has its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// Which shard and place an image goes to.
    Plan = 1,
    /// The order of an epoch.
    Order = 2,
    /// Crop, flip and colour of a sample.
    Augment = 3,
    /// Dropout masks.
    Dropout = 4,
    /// Initial weights.
    Init = 5,
    /// The split into training and validation images.
    Split = 6,
    /// The pictures of the demo.
    Demo = 7,
    /// The records that a subset keeps.
    Subset = 8,
    /// The sample that replaces a damaged record.
    Replace = 9,
    /// The user's function of a sample.
    Transform = 10,
    /// The mixing of several datasets.
    Mix = 11,
    /// Where the points of a map of features begin.
    Map = 12,
}

/// The generator: a key, made from the seed, and a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
    stream: u32,
}

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

const fn low(x: u64) -> u32 {
    x as u32
}

const fn high(x: u64) -> u32 {
    (x >> 32) as u32
}

impl Philox {
    /// The generator of `stream` under `seed`.
    #[must_use]
    pub const fn new(seed: u64, stream: Stream) -> Self {
        Self {
            key: [low(seed), high(seed)],
            stream: stream as u32,
        }
    }

    /// Four random words for the counter `(a, b)`: the 128-bit counter holds `a` (low word first),
    /// `b` and the stream.
    #[must_use]
    pub const fn block(&self, a: u64, b: u32) -> [u32; 4] {
        rounds([low(a), high(a), b, self.stream], self.key)
    }

    /// A generator of the same stream whose key also depends on `tweak`.
    #[must_use]
    pub const fn derive(&self, tweak: u64) -> Self {
        let block = self.block(tweak, u32::MAX);
        Self {
            key: [block[0], block[1]],
            stream: self.stream,
        }
    }

    /// A word as a number in `[0, 1)` with 24 random bits, exact in f32.
    #[must_use]
    pub fn unit_f32(word: u32) -> f32 {
        (word >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Two words as a number in `[0, 1)` with 53 random bits, exact in f64.
    #[must_use]
    pub fn unit_f64(high: u32, low: u32) -> f64 {
        let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
        bits as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Four words as two independent standard normal deviates, by Box and Muller's method. The
    /// functions come from libm, so every platform gives the same bits.
    #[must_use]
    pub fn normals(words: [u32; 4]) -> [f64; 2] {
        let [a, b, c, d] = words;
        // 1 - u lies in (0, 1], where the logarithm is finite.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - Self::unit_f64(a, b)));
        let angle = std::f64::consts::TAU * Self::unit_f64(c, d);
        [radius * libm::cos(angle), radius * libm::sin(angle)]
    }

    /// A word as an integer in `0..n`, by multiply and shift; the bias is below `n / 2^32`.
    #[must_use]
    pub const fn below(word: u32, n: u32) -> u32 {
        high(word as u64 * n as u64)
    }
}

const fn rounds(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let mut round = 0;
    while round < ROUNDS {
        let p0 = MULTIPLIERS[0] as u64 * counter[0] as u64;
        let p1 = MULTIPLIERS[1] as u64 * counter[2] as u64;
        counter = [
            high(p1) ^ counter[1] ^ key[0],
            low(p1),
            high(p0) ^ counter[3] ^ key[1],
            low(p0),
        ];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        round += 1;
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_the_reference_implementation() {
        let zeros = rounds([0; 4], [0; 2]);
        assert_eq!(zeros, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = rounds([u32::MAX; 4], [u32::MAX; 2]);
        assert_eq!(ones, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = rounds(
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
        );
        assert_eq!(pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn streams_seeds_and_counters_differ() {
        let blocks = [
            Philox::new(1, Stream::Plan).block(0, 0),
            Philox::new(1, Stream::Order).block(0, 0),
            Philox::new(2, Stream::Plan).block(0, 0),
            Philox::new(1 << 32, Stream::Plan).block(0, 0),
            Philox::new(1, Stream::Plan).block(1, 0),
            Philox::new(1, Stream::Plan).block(1 << 32, 0),
            Philox::new(1, Stream::Plan).block(0, 1),
            Philox::new(1, Stream::Plan).derive(0).block(0, 0),
        ];
        for (i, a) in blocks.iter().enumerate() {
            assert!(blocks[i + 1..].iter().all(|b| a != b), "block {i} repeats");
        }
    }

    #[test]
    fn conversions_stay_in_range() {
        assert_eq!(Philox::unit_f32(0), 0.0);
        assert!(Philox::unit_f32(u32::MAX) < 1.0);
        assert_eq!(Philox::unit_f64(0, 0), 0.0);
        assert!(Philox::unit_f64(u32::MAX, u32::MAX) < 1.0);
        assert_eq!(Philox::below(u32::MAX, 33), 32);
        assert_eq!(Philox::below(0, 33), 0);
    }

    #[test]
    fn normal_deviates_are_finite_and_known() {
        for words in [[0; 4], [u32::MAX; 4]] {
            assert!(Philox::normals(words).iter().all(|x| x.is_finite()));
        }
        // A quarter of a circle at the median radius.
        let [first, second] = Philox::normals([1 << 31, 0, 1 << 30, 0]);
        assert!(first.abs() < 1e-15, "{first}");
        assert!((second - (2.0 * std::f64::consts::LN_2).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn values_are_evenly_spread() {
        let philox = Philox::new(7, Stream::Augment);
        let mut counts = [0_u32; 33];
        for i in 0..33_000 {
            counts[Philox::below(philox.block(i, 0)[0], 33) as usize] += 1;
        }
        // Chi-squared with 32 degrees of freedom: 62.5 is passed by chance once in a thousand.
        let chi: f64 = counts
            .iter()
            .map(|&c| (f64::from(c) - 1000.0).powi(2) / 1000.0)
            .sum();
        assert!(chi < 62.5, "chi-squared {chi}");
    }
}
