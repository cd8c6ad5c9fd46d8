//! Colour planes at the size of the luminance: each new value is three parts of the nearest sample and
//! one of the next nearest, in each direction that was sampled down (libjpeg's "fancy" upsampling,
//! which other tools use too).

use super::baseline::Plane;

/// One row of colours at full width, and the memory for making it.
#[derive(Debug, Default)]
pub(super) struct Upsampled {
    /// Samples of two rows of the plane put together, an additional one at either end.
    samples: Vec<i16>,
    /// All colours of the row, from the plane's first sample on.
    colours: Vec<u8>,
    /// Those that were asked for.
    pub(super) row: Vec<u8>,
}

impl Upsampled {
    /// Makes `width` colours from `place` on, which is a pixel of the whole image: its column and row.
    #[inline(always)]
    pub(super) fn fill(&mut self, plane: &Plane, place: (usize, usize), width: usize) {
        let (left, y) = place;
        let line = |y: usize| {
            // Rows outside the image are those at its edge.
            let y = y.saturating_sub(plane.top).min(plane.height - 1);
            &plane.pixels()[y * plane.stride..y * plane.stride + plane.width]
        };
        let near = line(y / plane.down);
        self.samples.resize(plane.width + 2, 0);
        let inner = &mut self.samples[1..=plane.width];
        // Samples are in quarters where rows are put together.
        let quarters = plane.down > 1;
        if quarters {
            let next = if y % 2 == 0 {
                line((y / 2).saturating_sub(1))
            } else {
                line(y / 2 + 1)
            };
            for ((sample, &near), &next) in inner.iter_mut().zip(near).zip(next) {
                *sample = 3 * i16::from(near) + i16::from(next);
            }
        } else {
            for (sample, &near) in inner.iter_mut().zip(near) {
                *sample = i16::from(near);
            }
        }
        if plane.across > 1 {
            self.samples[0] = self.samples[1];
            self.samples[plane.width + 1] = self.samples[plane.width];
            self.colours.resize(plane.width * 2, 0);
            let (pairs, _) = self.colours.as_chunks_mut::<2>();
            // The roundings alternate, as libjpeg's do, so that no side is favoured.
            let (shift, even, odd) = if quarters { (4, 8, 7) } else { (2, 1, 2) };
            let three = self.samples.iter().zip(&self.samples[1..]);
            for (pair, ((&before, &here), &after)) in
                pairs.iter_mut().zip(three.zip(&self.samples[2..]))
            {
                pair[0] = ((3 * here + before + even) >> shift) as u8;
                pair[1] = ((3 * here + after + odd) >> shift) as u8;
            }
        } else {
            self.colours.resize(plane.width, 0);
            let inner = &self.samples[1..=plane.width];
            // Rows alone: the rounding depends on which side the next row is.
            let bias = if y % 2 == 0 { 1 } else { 2 };
            for (colour, &sample) in self.colours.iter_mut().zip(inner) {
                *colour = if quarters {
                    ((sample + bias) >> 2) as u8
                } else {
                    sample as u8
                };
            }
        }
        let skipped = left - plane.left * plane.across;
        self.row.clear();
        self.row
            .extend_from_slice(&self.colours[skipped..skipped + width]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same rule from a whole plane, value by value, in f64.
    fn naive(plane: &Plane, x: usize, y: usize) -> f64 {
        let at = |x: isize, y: isize| {
            let x = x.clamp(0, plane.width as isize - 1) as usize;
            let y = y.clamp(0, plane.height as isize - 1) as usize;
            f64::from(plane.pixels()[y * plane.stride + x])
        };
        let parts = |place: usize, step: usize| {
            let near = (place / step) as isize;
            let next = if place.is_multiple_of(2) {
                near - 1
            } else {
                near + 1
            };
            if step == 1 {
                [(near, 1.0), (near, 0.0)]
            } else {
                [(near, 0.75), (next, 0.25)]
            }
        };
        let mut sum = 0.0;
        for (x, share) in parts(x, plane.across) {
            for (y, other) in parts(y, plane.down) {
                sum += share * other * at(x, y);
            }
        }
        sum
    }

    #[test]
    fn colours_match_naive_within_the_rounding() {
        for (across, down) in [(1, 2), (2, 1), (2, 2)] {
            for (width, height) in [(1, 1), (2, 3), (9, 5), (40, 7)] {
                let stride = width + 3;
                let pixels = (0..stride * height).map(|i| (i * i * 7 + i) as u8);
                let plane = Plane {
                    across,
                    down,
                    left: 0,
                    top: 0,
                    width,
                    height,
                    stride,
                    lines: height,
                    memory: pixels.collect(),
                };
                let mut upsampled = Upsampled::default();
                for y in 0..height * down {
                    for left in [0, 1] {
                        let wanted = width * across - left;
                        upsampled.fill(&plane, (left, y), wanted);
                        assert_eq!(upsampled.row.len(), wanted);
                        for (x, &found) in upsampled.row.iter().enumerate() {
                            let exact = naive(&plane, left + x, y);
                            let difference = (f64::from(found) - exact).abs();
                            assert!(
                                difference <= 0.5,
                                "{across}x{down} {left}+{x} {y}: {exact} {found}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_part_of_a_plane_gives_the_part_of_its_colours() {
        let whole = Plane {
            across: 2,
            down: 2,
            left: 0,
            top: 0,
            width: 32,
            height: 16,
            stride: 32,
            lines: 16,
            memory: (0..32 * 16).map(|i: usize| (i * 37) as u8).collect(),
        };
        let part = Plane {
            left: 8,
            top: 8,
            width: 24,
            height: 8,
            stride: 24,
            lines: 8,
            memory: whole
                .pixels()
                .chunks(32)
                .skip(8)
                .flat_map(|row| &row[8..])
                .copied()
                .collect(),
            ..Plane::default()
        };
        let part = Plane {
            across: 2,
            down: 2,
            ..part
        };
        let (mut a, mut b) = (Upsampled::default(), Upsampled::default());
        a.fill(&whole, (18, 19), 40);
        b.fill(&part, (18, 19), 40);
        assert_eq!(a.row, b.row);
    }
}
