//! From the bytes of a file to RGB pixels at the size of a record.

mod jpeg;
mod other;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::geometry::center_square;
use crate::reject::Reject;

/// Most pixels that are decoded. The largest ImageNet original has 54 million (9331x5783 or so);
/// beyond this an image is a decompression bomb for our purposes.
pub(crate) const PIXEL_LIMIT: usize = 100_000_000;

/// Decoder and resizer, as the manifest names them. A test compares them with the lock file.
pub(crate) const DECODER: &str = "zune-jpeg 0.5.15, image 0.25.10";
/// See [`DECODER`].
pub(crate) const RESIZER: &str = "fast_image_resize 6.1.0";

/// A decoded image of any size.
#[derive(Debug)]
pub(crate) struct Rgb {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
}

/// Decodes images and brings them to the size of a record; one for each thread.
///
/// JPEG in every colour space that ImageNet holds (grayscale, YCbCr, RGB, CMYK and YCCK with Adobe's
/// inversion), PNG, GIF, BMP and WebP whatever the file is called; 16-bit values are brought to 8,
/// transparency is laid over white, and EXIF orientation is ignored.
pub struct ImageDecoder {
    size: u32,
    resizer: Resizer,
    record: Vec<u8>,
}

impl ImageDecoder {
    /// A decoder that makes squares of `size` pixels a side.
    #[must_use]
    pub fn new(size: u32) -> Self {
        let bytes = size as usize * size as usize * 3;
        Self {
            size,
            resizer: Resizer::new(),
            record: vec![0; bytes],
        }
    }

    /// Decodes `bytes`, brings the shorter side to the decoder's size with an antialiased bilinear
    /// filter and keeps the centre square: `size * size * 3` bytes of RGB, valid until the next call.
    ///
    /// # Errors
    /// The reason why the bytes cannot become a record.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<&[u8], Reject> {
        let image = decode_rgb(bytes)?;
        self.resize(&image)?;
        Ok(&self.record)
    }

    fn resize(&mut self, image: &Rgb) -> Result<(), Reject> {
        let refused = |error: &dyn std::fmt::Display| Reject::Damaged(error.to_string());
        let crop = center_square(image.width, image.height, self.size);
        let source = ImageRef::new(image.width, image.height, &image.pixels, PixelType::U8x3)
            .map_err(|error| refused(&error))?;
        let mut target =
            Image::from_slice_u8(self.size, self.size, &mut self.record, PixelType::U8x3)
                .map_err(|error| refused(&error))?;
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .crop(crop.left, crop.top, crop.width, crop.height);
        self.resizer
            .resize(&source, &mut target, &options)
            .map_err(|error| refused(&error))
    }
}

fn decode_rgb(bytes: &[u8]) -> Result<Rgb, Reject> {
    match bytes {
        [] => Err(Reject::Empty),
        [0xFF, 0xD8, 0xFF, ..] => jpeg::decode(bytes),
        _ => other::decode(bytes),
    }
}

fn check_pixels(width: usize, height: usize) -> Result<(), Reject> {
    let pixels = width.saturating_mul(height);
    if pixels > PIXEL_LIMIT {
        Err(Reject::TooLarge {
            width,
            height,
            limit: PIXEL_LIMIT,
        })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
