//! From the bytes of a file to RGB pixels at the size of a record.

mod baseline;
mod colours;
mod jpeg;
mod lanes;
mod options;
mod other;
mod planar;
mod segments;
mod strip;
mod taps;
mod vectorise;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{ResizeAlg, ResizeOptions, Resizer};

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

use crate::geometry::{CropBox, center_square};
use crate::reject::Reject;
use baseline::{Baseline, Ordinary};
use planar::Planar;

pub(crate) use options::choice;
pub use options::{DecodeOptions, Exif, Filter, Resize, Truncated, UnknownChoice};
pub(crate) use vectorise::vectorised;

/// Most pixels that are decoded. The largest ImageNet original has 54 million (9331x5783 or so);
/// beyond this an image is a decompression bomb for our purposes.
pub(crate) const PIXEL_LIMIT: usize = 100_000_000;

/// Decoder and resizer, as the manifest names them. A test compares them with the lock file.
pub(crate) const DECODER: &str = "shardmill-jpeg 2, zune-jpeg 0.5.15, image 0.25.10";
/// See [`DECODER`].
pub(crate) const RESIZER: &str = "shardmill-resize 1, fast_image_resize 6.1.0";

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
/// transparency is laid over white. The rest is as [`DecodeOptions`] say.
pub struct ImageDecoder {
    size: u32,
    options: DecodeOptions,
    baseline: Baseline,
    planar: Planar,
    resizer: Resizer,
    record: Vec<u8>,
}

impl ImageDecoder {
    /// A decoder that makes squares of `size` pixels a side, by the default options.
    #[must_use]
    pub fn new(size: u32) -> Self {
        Self::with_options(size, DecodeOptions::default())
    }

    /// A decoder that makes squares of `size` pixels a side as `options` say.
    #[must_use]
    pub fn with_options(size: u32, options: DecodeOptions) -> Self {
        let bytes = size as usize * size as usize * 3;
        Self {
            size,
            options,
            baseline: Baseline::default(),
            planar: Planar::default(),
            resizer: Resizer::new(),
            record: vec![0; bytes],
        }
    }

    /// Decodes `bytes` and brings them to the decoder's size, by default the centre square of the
    /// image: `size * size * 3` bytes of RGB, valid until the next call.
    ///
    /// # Errors
    /// The reason why the bytes cannot become a record.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<&[u8], Reject> {
        if self.decode_ordinary(bytes)?.is_some() {
            return Ok(&self.record);
        }
        let image = decode_rgb(bytes, &self.options)?;
        self.resize(&image)?;
        Ok(&self.record)
    }

    /// `None`, and nothing done, for all but undamaged JPEGs of the common kind.
    fn decode_ordinary(&mut self, bytes: &[u8]) -> Result<Option<()>, Reject> {
        let jpeg = bytes.starts_with(&[0xFF, 0xD8, 0xFF]);
        let plain = jpeg && self.options.exif == Exif::Ignore;
        let Some(image) = plain.then(|| Ordinary::new(bytes)).flatten() else {
            return Ok(None);
        };
        let (width, height) = image.size();
        check_pixels(width, height)?;
        let crop = self.crop(width as u32, height as u32);
        let region = planar::region(crop, self.size, &self.options, (width, height));
        let Some(planes) = self.baseline.decode(&image, region) else {
            return Ok(None);
        };
        let (options, record) = (&self.options, &mut self.record);
        self.planar
            .resize(planes, crop, (width, height), options, record);
        Ok(Some(()))
    }

    /// Takes the pixels of the last record, and leaves memory for the next one.
    pub(crate) fn exchange(&mut self, other: &mut Vec<u8>) {
        other.resize(self.record.len(), 0);
        std::mem::swap(&mut self.record, other);
    }

    /// The region that becomes the record.
    fn crop(&self, width: u32, height: u32) -> CropBox {
        match self.options.resize {
            Resize::ShortSide => center_square(width, height, self.size),
            Resize::Squash => CropBox::whole(width, height),
        }
    }

    fn resize(&mut self, image: &Rgb) -> Result<(), Reject> {
        let refused = |error: &dyn std::fmt::Display| Reject::Damaged(error.to_string());
        let crop = self.crop(image.width, image.height);
        let source = TypedImageRef::<U8x3>::from_buffer(image.width, image.height, &image.pixels)
            .map_err(|error| refused(&error))?;
        let mut target = TypedImage::<U8x3>::from_buffer(self.size, self.size, &mut self.record)
            .map_err(|error| refused(&error))?;
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(self.options.filter_type()))
            .crop(crop.left, crop.top, crop.width, crop.height);
        // The call without a type is compiled for all thirteen pixel types: a fifth of every build.
        self.resizer
            .resize_typed(&source, &mut target, &options)
            .map_err(|error| refused(&error))
    }
}

fn decode_rgb(bytes: &[u8], options: &DecodeOptions) -> Result<Rgb, Reject> {
    match bytes {
        [] => Err(Reject::Empty),
        [0xFF, 0xD8, 0xFF, ..] => jpeg::decode(bytes, options),
        _ => other::decode(bytes, options),
    }
}

/// Turns and mirrors an image.
fn upright(image: Rgb, orientation: Orientation) -> Rgb {
    if orientation == Orientation::NoTransforms {
        return image;
    }
    let pixels = RgbImage::from_raw(image.width, image.height, image.pixels);
    let mut turned = DynamicImage::ImageRgb8(pixels.expect("an image holds all of its pixels"));
    turned.apply_orientation(orientation);
    Rgb {
        width: turned.width(),
        height: turned.height(),
        pixels: turned.into_rgb8().into_raw(),
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
mod damage_tests;
#[cfg(test)]
mod odd_tests;
#[cfg(test)]
mod reject_tests;
#[cfg(test)]
mod test_kit;
#[cfg(test)]
mod tests;
