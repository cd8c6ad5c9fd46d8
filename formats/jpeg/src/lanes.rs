//! What the compiler does not make of loops by itself, for processors with AVX2: products of 16-bit values
//! that are added up in pairs, and channels that become pixels. All ways give the same bytes.

use pulp::{Scalar, cast};

use crate::integer::Block;
use crate::{colour, integer};

/// What a processor does to two blocks, or to 32 pixels.
pub(crate) trait Lanes: Copy {
    /// The levels of two blocks, side by side: see [`integer::levels`].
    fn levels(self, blocks: &[Block; 2], steps: [&Block; 2]) -> [[u8; 16]; 8];

    /// Pixels of luminance and two colour differences: see [`colour::pixel`].
    fn colours(self, luma: &[u8; 32], blue: &[u8; 32], red: &[u8; 32]) -> [[u8; 3]; 32];

    /// Pixels of three channels.
    fn interleaved(self, channels: [&[u8; 32]; 3]) -> [[u8; 3]; 32];
}

impl Lanes for Scalar {
    #[inline(always)]
    fn levels(self, blocks: &[Block; 2], steps: [&Block; 2]) -> [[u8; 16]; 8] {
        let [a, b] = [0, 1].map(|i| integer::levels(&blocks[i], steps[i]));
        std::array::from_fn(|row| cast([a[row], b[row]]))
    }

    #[inline(always)]
    fn colours(self, luma: &[u8; 32], blue: &[u8; 32], red: &[u8; 32]) -> [[u8; 3]; 32] {
        std::array::from_fn(|i| colour::pixel(luma[i], blue[i], red[i]))
    }

    #[inline(always)]
    fn interleaved(self, channels: [&[u8; 32]; 3]) -> [[u8; 3]; 32] {
        std::array::from_fn(|i| channels.map(|channel| channel[i]))
    }
}

#[cfg(target_arch = "x86_64")]
#[path = "avx2.rs"]
mod avx2;

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
