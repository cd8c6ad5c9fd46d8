//! Exact sums over pixels, from which a dataset's mean and colour statistics follow.

use std::str::FromStr;

/// Integer sums over RGB pixels. They add up to the same value in any order, so statistics depend
/// neither on the number of threads nor on the number of machines.
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

/// Pixels whose products add up in 32 bits: `255 * 255 * BLOCK < 2^31`. Three planes of 16-bit values
/// stay in the first cache.
const BLOCK: usize = 1024;

/// A block of pixels, channel by channel, so that the compiler computes each sum of products with
/// instructions that multiply and add pairs of 16-bit values.
struct Planes([[i16; BLOCK]; 3]);

impl Planes {
    /// A short block is filled up with zeros.
    #[inline(always)]
    fn of(rgb: &[u8]) -> Self {
        let mut planes = [[0; BLOCK]; 3];
        let [red, green, blue] = &mut planes;
        let (pixels, _) = rgb.as_chunks::<3>();
        for (((pixel, red), green), blue) in pixels.iter().zip(red).zip(green).zip(blue) {
            *red = i16::from(pixel[0]);
            *green = i16::from(pixel[1]);
            *blue = i16::from(pixel[2]);
        }
        Self(planes)
    }

    #[inline(always)]
    fn sum(&self, channel: usize) -> u64 {
        let sum: i32 = self.0[channel].iter().map(|&value| i32::from(value)).sum();
        sum as u64
    }

    #[inline(always)]
    fn product(&self, a: usize, b: usize) -> u64 {
        let pairs = self.0[a].iter().zip(&self.0[b]);
        let sum: i32 = pairs.map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
        sum as u64
    }
}

impl ChannelSums {
    /// Adds the pixels of an image; `rgb` holds interleaved R, G, B bytes. It is inlined into its caller,
    /// and so uses the vector instructions that the caller is compiled for.
    ///
    /// # Panics
    /// If the length is not a multiple of three.
    #[inline(always)]
    pub fn add_image(&mut self, rgb: &[u8]) {
        assert!(
            rgb.len().is_multiple_of(3),
            "{} bytes are not RGB pixels",
            rgb.len()
        );
        for block in rgb.chunks(3 * BLOCK) {
            let planes = Planes::of(block);
            for channel in 0..3 {
                self.sum[channel] += planes.sum(channel);
            }
            let pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)];
            for (total, (a, b)) in self.products.iter_mut().zip(pairs) {
                *total += planes.product(a, b);
            }
        }
        self.pixels += (rgb.len() / 3) as u64;
    }

    /// Adds the sums of another.
    pub fn merge(&mut self, other: &Self) {
        self.pixels += other.pixels;
        for (total, part) in self.sum.iter_mut().zip(other.sum) {
            *total += part;
        }
        for (total, part) in self.products.iter_mut().zip(other.products) {
            *total += part;
        }
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

    /// Adds pixels one by one.
    fn naive(rgb: &[u8]) -> ChannelSums {
        let mut sums = ChannelSums::default();
        for pixel in rgb.chunks_exact(3) {
            let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(u64::from);
            sums.pixels += 1;
            for (total, value) in sums.sum.iter_mut().zip([r, g, b]) {
                *total += value;
            }
            let products = [r * r, r * g, r * b, g * g, g * b, b * b];
            for (total, value) in sums.products.iter_mut().zip(products) {
                *total += value;
            }
        }
        sums
    }

    #[test]
    fn blocks_match_naive_at_every_length() {
        let rgb: Vec<u8> = (0..3 * (2 * BLOCK as u32 + 2))
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let edges = [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1];
        for pixels in (0..100).chain(edges) {
            let mut found = ChannelSums::default();
            found.add_image(&rgb[..3 * pixels]);
            assert_eq!(found, naive(&rgb[..3 * pixels]), "{pixels}");
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
