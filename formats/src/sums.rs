//! Exact sums over pixels, from which a dataset's mean and colour statistics follow.

use std::str::FromStr;

use crate::statistics::Statistics;

/// Integer sums over RGB pixels: they add up to the same value in any order, so statistics depend
/// on neither thread count nor the number of machines.
///
/// 2^64 is enough for 2.8e14 pixels, 3,400 times ImageNet at 256x256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelSums {
    /// Number of pixels.
    pub pixels: u64,
    /// Sums of R, G and B.
    pub sum: [u64; 3],
    /// Sums of the products RR, RG, RB, GG, GB and BB.
    pub products: [u64; 6],
}

/// Pixels that fit into 32-bit sums of products: `255 * 255 * BLOCK < 2^32`.
const BLOCK: usize = 65_536;

/// Bytes added at once: a multiple of 3, so that a lane is always of the same channel, and of the
/// width of vectors.
const LANES: usize = 48;

/// Sums over bytes that are `LANES` apart, in loops that the compiler turns into vector instructions.
struct Lanes {
    sum: [u32; LANES],
    /// Products of each byte with itself, the next one and the one after.
    same: [u32; LANES],
    next: [u32; LANES],
    after: [u32; LANES],
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            sum: [0; LANES],
            same: [0; LANES],
            next: [0; LANES],
            after: [0; LANES],
        }
    }
}

impl Lanes {
    /// Adds `LANES` bytes; two more must follow.
    #[inline(always)]
    fn add(&mut self, bytes: &[u8]) {
        let (first, next, after) = (&bytes[..LANES], &bytes[1..=LANES], &bytes[2..LANES + 2]);
        for i in 0..LANES {
            let [a, b, c] = [first[i], next[i], after[i]].map(u16::from);
            self.sum[i] += u32::from(a);
            // 255 * 255 is below 2^16.
            self.same[i] += u32::from(a * a);
            self.next[i] += u32::from(a * b);
            self.after[i] += u32::from(a * c);
        }
    }
}

impl ChannelSums {
    /// Adds the pixels of an image, `rgb` being interleaved R, G, B bytes.
    ///
    /// # Panics
    /// If the length is not a multiple of three.
    #[inline]
    pub fn add_image(&mut self, rgb: &[u8]) {
        assert!(
            rgb.len().is_multiple_of(3),
            "{} bytes are not RGB pixels",
            rgb.len()
        );
        for block in rgb.chunks(3 * BLOCK) {
            let mut lanes = Lanes::default();
            // Two bytes behind a chunk are needed, so the last one is left to the plain loop.
            let whole = (block.len() / LANES).saturating_sub(1) * LANES;
            for at in (0..whole).step_by(LANES) {
                lanes.add(&block[at..at + LANES + 2]);
            }
            self.add_lanes(&lanes);
            self.add_pixels(&block[whole..]);
            self.pixels += (block.len() / 3) as u64;
        }
    }

    /// Adds up what the lanes hold: lane i belongs to the channel i modulo 3.
    fn add_lanes(&mut self, lanes: &Lanes) {
        for (i, ((&sum, &same), (&next, &after))) in lanes
            .sum
            .iter()
            .zip(&lanes.same)
            .zip(lanes.next.iter().zip(&lanes.after))
            .enumerate()
        {
            let channel = i % 3;
            self.sum[channel] += u64::from(sum);
            self.products[[0, 3, 5][channel]] += u64::from(same);
            match channel {
                0 => {
                    self.products[1] += u64::from(next);
                    self.products[2] += u64::from(after);
                }
                1 => self.products[4] += u64::from(next),
                _ => {}
            }
        }
    }

    /// Adds pixels one by one, their number apart.
    fn add_pixels(&mut self, rgb: &[u8]) {
        for pixel in rgb.chunks_exact(3) {
            let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(u64::from);
            for (total, value) in self.sum.iter_mut().zip([r, g, b]) {
                *total += value;
            }
            let products = [r * r, r * g, r * b, g * g, g * b, b * b];
            for (total, value) in self.products.iter_mut().zip(products) {
                *total += value;
            }
        }
    }

    /// Adds what another has summed.
    pub fn merge(&mut self, other: &Self) {
        self.pixels += other.pixels;
        for (total, part) in self.sum.iter_mut().zip(other.sum) {
            *total += part;
        }
        for (total, part) in self.products.iter_mut().zip(other.products) {
            *total += part;
        }
    }

    /// Mean, standard deviation and principal colour components; `None` without pixels.
    #[must_use]
    pub fn statistics(&self) -> Option<Statistics> {
        Statistics::from_sums(self)
    }

    fn words(&self) -> [u64; 10] {
        let [r, g, b] = self.sum;
        let [rr, rg, rb, gg, gb, bb] = self.products;
        [self.pixels, r, g, b, rr, rg, rb, gg, gb, bb]
    }
}

/// Ten integers separated by spaces: pixels, R, G, B, RR, RG, RB, GG, GB, BB.
impl std::fmt::Display for ChannelSums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words().map(|word| word.to_string()).join(" "))
    }
}

impl FromStr for ChannelSums {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words: Vec<u64> = text
            .split(' ')
            .map(|word| word.parse().map_err(|_| ()))
            .collect::<Result<_, _>>()?;
        let [pixels, r, g, b, rr, rg, rb, gg, gb, bb] = words.try_into().map_err(|_| ())?;
        Ok(Self {
            pixels,
            sum: [r, g, b],
            products: [rr, rg, rb, gg, gb, bb],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_in_any_order_and_grouping() {
        let rgb: Vec<u8> = (0..3 * 100_000_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let mut whole = ChannelSums::default();
        whole.add_image(&rgb);
        let mut parts = ChannelSums::default();
        for part in rgb.chunks(3 * 777).rev() {
            let mut sums = ChannelSums::default();
            sums.add_image(part);
            parts.merge(&sums);
        }
        assert_eq!(whole, parts);
        let red_blue: u64 = rgb
            .chunks(3)
            .map(|p| u64::from(p[0]) * u64::from(p[2]))
            .sum();
        assert_eq!(whole.products[2], red_blue);
        assert_eq!(whole.to_string().parse(), Ok(whole));
    }

    #[test]
    fn lanes_match_naive_at_every_length() {
        let rgb: Vec<u8> = (0..3 * 100_u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        for pixels in 0..100 {
            let (mut found, mut naive) = (ChannelSums::default(), ChannelSums::default());
            found.add_image(&rgb[..3 * pixels]);
            naive.add_pixels(&rgb[..3 * pixels]);
            naive.pixels = pixels as u64;
            assert_eq!(found, naive, "{pixels}");
        }
    }

    #[test]
    fn white_images_do_not_overflow() {
        let mut sums = ChannelSums::default();
        sums.add_image(&vec![255; 3 * (BLOCK + 1)]);
        assert_eq!(sums.products, [255 * 255 * (BLOCK as u64 + 1); 6]);
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in [
            "",
            "1 2 3",
            "1 2 3 4 5 6 7 8 9 x",
            "1 2 3 4 5 6 7 8 9 10 11",
            "1  2 3 4 5 6 7 8 9 10",
        ] {
            assert_eq!(text.parse::<ChannelSums>(), Err(()), "{text:?}");
        }
    }
}
