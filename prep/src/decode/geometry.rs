//! Which part of an image becomes the record.

/// Width and height of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// The source region of a record, in source pixels: what torchvision's `Resize(size)` followed by
/// `CenterCrop(size)` keeps. Resizing only this region gives the same values as resizing all and
/// cropping then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CropBox {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl CropBox {
    /// All of an image.
    pub(crate) fn whole(width: u32, height: u32) -> Self {
        Self {
            left: 0.0,
            top: 0.0,
            width: f64::from(width),
            height: f64::from(height),
        }
    }

    /// The same region, seen from a part of the image that begins at this column and row.
    pub(crate) fn within(self, left: usize, top: usize) -> Self {
        Self {
            left: self.left - left as f64,
            top: self.top - top as f64,
            ..self
        }
    }
}

/// The region of an image of `width` x `height` pixels that becomes `size` x `size`.
///
/// The shorter side becomes `size`, the longer one `floor(size * long / short)`
/// (torchvision `_compute_resized_output_size`); the square begins at `round((long - size) / 2)`,
/// a half going to the even number as Python's `round` has it (`center_crop`).
pub(crate) fn center_square(width: u32, height: u32, size: u32) -> CropBox {
    let (left, width_kept) = side(width, height, size);
    let (top, height_kept) = side(height, width, size);
    CropBox {
        left,
        top,
        width: width_kept,
        height: height_kept,
    }
}

/// Start and length, in source pixels, of what is kept along a side of `length` pixels.
fn side(length: u32, other: u32, size: u32) -> (f64, f64) {
    if length <= other {
        return (0.0, f64::from(length));
    }
    let resized = u64::from(size) * u64::from(length) / u64::from(other);
    let start = (((resized - u64::from(size)) as f64) / 2.0).round_ties_even();
    let scale = f64::from(length) / resized as f64;
    let start = start * scale;
    // The last bit of a product must not lead out of the image.
    (
        start,
        (f64::from(size) * scale).min(f64::from(length) - start),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_is_kept_whole() {
        assert_eq!(
            center_square(300, 300, 256),
            CropBox {
                left: 0.0,
                top: 0.0,
                width: 300.0,
                height: 300.0
            }
        );
    }

    #[test]
    fn halves_go_to_the_even_number() {
        // 500x375: the long side becomes floor(341.33) = 341; (341 - 256) / 2 = 42.5 goes to 42.
        let crop = center_square(500, 375, 256);
        assert_eq!((crop.top, crop.height), (0.0, 375.0));
        assert!((crop.left - 42.0 * 500.0 / 341.0).abs() < 1e-9);
        assert!((crop.width - 256.0 * 500.0 / 341.0).abs() < 1e-9);
        // 259 is 3 too many: 1.5 goes to 2. 261 is 5 too many: 2.5 goes to 2.
        assert_eq!(center_square(259, 256, 256).left, 2.0);
        assert_eq!(center_square(261, 256, 256).left, 2.0);
    }

    #[test]
    fn the_region_stays_inside_for_every_shape() {
        for (width, height) in [
            (1, 1),
            (1, 7),
            (20_000, 20),
            (20, 20_000),
            (257, 256),
            (31, 32),
            (500, 333),
        ] {
            for size in [32, 224, 256] {
                let crop = center_square(width, height, size);
                assert!(
                    crop.left >= 0.0 && crop.left + crop.width <= f64::from(width) + 1e-9,
                    "{width}x{height}"
                );
                assert!(
                    crop.top >= 0.0 && crop.top + crop.height <= f64::from(height) + 1e-9,
                    "{width}x{height}"
                );
            }
        }
    }
}
