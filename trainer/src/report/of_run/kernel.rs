//! A kernel of the first layer as pixels.

use crate::report::picture::Pixels;

/// Pixels of a picture for each weight, and between kernels.
pub(super) const ENLARGED: usize = 4;
pub(super) const GAP: usize = 4;

/// Width of a kernel on a page that has room for it, in units of the page's letters (16 pixels).
pub(super) const REM: usize = 4;

/// Between the kernels.
pub(super) const PAPER: u8 = 255;

/// Paints a kernel with its top left corner at (x, y): 0 is middle grey, the largest weight black or full.
pub(super) fn paint(pixels: &mut Pixels, kernel: &[f32], side: usize, x: usize, y: usize) {
    let largest = kernel.iter().map(|value| value.abs()).fold(0.0, f32::max);
    let scale = if largest > 0.0 { 127.5 / largest } else { 0.0 };
    for row in 0..side * ENLARGED {
        for column in 0..side * ENLARGED {
            let weight = (row / ENLARGED * side + column / ENLARGED) * 3;
            let pixel = ((y + row) * pixels.width + x + column) * 3;
            for channel in 0..3 {
                let value = 127.5 + scale * kernel[weight + channel];
                pixels.rgb[pixel + channel] = value.round().clamp(0.0, 255.0) as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_scaled_by_its_largest_weight_and_0_is_grey() {
        let mut pixels = Pixels {
            width: 2 * ENLARGED + 1,
            height: 2 * ENLARGED,
            rgb: vec![PAPER; (2 * ENLARGED + 1) * 2 * ENLARGED * 3],
        };
        let kernel = [-0.5, 0.0, 0.5, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.5];
        paint(&mut pixels, &kernel, 2, 1, 0);
        let at = |x: usize, y: usize| &pixels.rgb[(y * pixels.width + x) * 3..][..3];
        assert_eq!(at(0, 0), [PAPER; 3]);
        assert_eq!(at(1, 0), [0, 128, 255]);
        assert_eq!(at(ENLARGED, ENLARGED - 1), [0, 128, 255]);
        assert_eq!(at(ENLARGED + 1, 0), [191, 128, 128]);
        assert_eq!(at(2 * ENLARGED, 2 * ENLARGED - 1), [255; 3]);
    }

    #[test]
    fn weights_that_are_no_numbers_are_painted() {
        let mut pixels = Pixels {
            width: ENLARGED,
            height: ENLARGED,
            rgb: vec![PAPER; ENLARGED * ENLARGED * 3],
        };
        paint(&mut pixels, &[f32::NAN, 1.0, -1.0], 1, 0, 0);
        assert_eq!(pixels.rgb[1..3], [255, 0]);
    }
}
