//! How the pixels of an image become a record.

use fast_image_resize::FilterType;

use super::geometry::{CropBox, Size, center_square};
use crate::choice::choice;

choice! {
    /// Which part of an image is kept, and in which shape.
    Resize, "resize" {
        /// The shorter side becomes the record's, the centre square is kept.
        #[default]
        ShortSide = "short-side",
        /// The whole image, its two sides scaled on their own.
        Squash = "squash",
    }
}

choice! {
    /// Filter of the resize, widened by the scale when shrinking, as Pillow does.
    Filter, "filter" {
        /// Triangle.
        #[default]
        Bilinear = "bilinear",
        /// Catmull-Rom, a = -0.5.
        Bicubic = "bicubic",
        /// Windowed sinc of three lobes.
        Lanczos3 = "lanczos3",
        /// Mean over the pixel's area.
        Box = "box",
    }
}

choice! {
    /// What is done with the orientation that a camera noted.
    Exif, "exif" {
        /// Nothing, as ImageNet's common readers do. A TIFF's own orientation is followed all the same,
        /// since Pillow follows it whenever it loads one.
        #[default]
        Ignore = "ignore",
        /// The picture is turned and mirrored upright before it is cropped.
        Apply = "apply",
    }
}

choice! {
    /// What is done with a JPEG that lacks pixels, since its data ends before the picture does or is
    /// damaged.
    Truncated, "truncated" {
        /// It is a reject.
        #[default]
        Reject = "reject",
        /// It is kept, and counted as [`Padded`](crate::decode::Warning::Padded): what the data does not reach is
        /// grey, or as the decoder left it.
        Pad = "pad",
    }
}

choice! {
    /// How much of a JPEG is looked through for damage.
    Check, "check" {
        /// What must be decoded anyway: ordinary ones down to the last row that the record needs.
        #[default]
        Decoded = "decoded",
        /// All of it, which takes more time.
        Whole = "whole",
    }
}

/// Settings of the decoder; the default is what torchvision does with `Resize` and `CenterCrop`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Which part is kept.
    pub resize: Resize,
    /// Filter of the resize.
    pub filter: Filter,
    /// Orientation.
    pub exif: Exif,
    /// Data that ends early or is damaged.
    pub truncated: Truncated,
    /// Where damage is looked for.
    pub check: Check,
}

impl DecodeOptions {
    /// The geometry as the manifest says it.
    pub(crate) const fn geometry(&self) -> &'static str {
        match self.resize {
            Resize::ShortSide => "short-side-center-crop",
            Resize::Squash => "squash",
        }
    }

    /// The filter as the manifest says it.
    pub(crate) const fn filter(&self) -> &'static str {
        match self.filter {
            Filter::Bilinear => "bilinear-antialiased",
            Filter::Bicubic => "bicubic-antialiased",
            Filter::Lanczos3 => "lanczos3-antialiased",
            Filter::Box => "box-antialiased",
        }
    }

    /// The manifest's `exif`, which is left out where orientation is ignored.
    pub(crate) fn exif_noted(&self) -> Option<String> {
        (self.exif != Exif::default()).then(|| self.exif.name().to_owned())
    }

    /// The manifest's `truncated`, which is left out where such images are rejects.
    pub(crate) fn truncated_noted(&self) -> Option<String> {
        (self.truncated != Truncated::default()).then(|| self.truncated.name().to_owned())
    }

    /// The region of an image that becomes a square record of `size` pixels a side.
    pub(super) fn crop(&self, image: Size, size: u32) -> CropBox {
        let (width, height) = (image.width as u32, image.height as u32);
        match self.resize {
            Resize::ShortSide => center_square(width, height, size),
            Resize::Squash => CropBox::whole(width, height),
        }
    }

    /// How far the filter reaches, in pixels of the larger scale.
    pub(super) const fn filter_reach(&self) -> f64 {
        match self.filter {
            Filter::Box => 0.5,
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
            Filter::Lanczos3 => 3.0,
        }
    }

    /// The filter at `x`, not yet brought to a sum of one.
    pub(super) fn weight(&self, x: f64) -> f64 {
        let side = x;
        let x = x.abs();
        match self.filter {
            // One edge belongs to it and one does not, so that each pixel is in one box.
            Filter::Box => f64::from(x < 0.5 || side == 0.5),
            Filter::Bilinear => (1.0 - x).max(0.0),
            // Keys, a = -0.5.
            Filter::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Filter::Bicubic if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            Filter::Lanczos3 if x < 3.0 => sinc(x) * sinc(x / 3.0),
            Filter::Bicubic | Filter::Lanczos3 => 0.0,
        }
    }

    pub(super) const fn filter_type(&self) -> FilterType {
        match self.filter {
            Filter::Bilinear => FilterType::Bilinear,
            Filter::Bicubic => FilterType::CatmullRom,
            Filter::Lanczos3 => FilterType::Lanczos3,
            Filter::Box => FilterType::Box,
        }
    }
}

/// `sin(pi x) / (pi x)`; the sine is libm's, which is the same on every machine.
fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    libm::sin(x) / x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        for &filter in Filter::ALL {
            assert_eq!(filter.name().parse(), Ok(filter));
        }
        let error = "nearest".parse::<Filter>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown filter \"nearest\": use bilinear, bicubic, lanczos3, box"
        );
    }

    #[test]
    fn the_default_is_noted_as_it_always_was() {
        let options = DecodeOptions::default();
        assert_eq!(options.geometry(), "short-side-center-crop");
        assert_eq!(options.filter(), "bilinear-antialiased");
        assert_eq!(
            (options.exif_noted(), options.truncated_noted()),
            (None, None)
        );
    }
}
