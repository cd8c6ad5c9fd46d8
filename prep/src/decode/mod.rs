//! From the bytes of a file to RGB pixels at the size of a record.

mod bmp;
mod budget;
mod colours;
mod damage;
mod format;
mod geometry;
mod guard;
mod jpeg;
mod lanes;
mod options;
mod other;
mod planar;
mod png;
mod resized;
mod strip;
mod taps;
mod tiff;
mod vectorise;
mod webp;

use fast_image_resize::Resizer;
use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, RgbImage};

use crate::reject::Reject;
use format::Format;
use geometry::{CropBox, Size};
use jpeg::{JpegDecoder, Target};

pub use crate::choice::UnknownChoice;
pub(crate) use budget::Budget;
pub use damage::Warning;
pub(crate) use format::usual_extension;
pub use guard::silence_decoder_panics;
pub use options::{Check, DecodeOptions, Exif, Filter, Resize, Truncated};
pub(crate) use vectorise::vectorised;

/// Most pixels that are decoded. The largest ImageNet original has 54 million (9331x5783 or so);
/// beyond this an image is a decompression bomb for our purposes. A fuzzer gets a limit that it reaches quickly.
pub(crate) const PIXEL_LIMIT: usize = if cfg!(fuzzing) { 1 << 20 } else { 100_000_000 };

/// Decoder and resizer, as the manifest names them. A test compares them with the lock file.
pub(crate) const DECODER: &str = "shardmill-jpeg 5, shardmill-tiff 1, image 0.25.10, tiff 0.11.3";
/// See [`DECODER`].
pub(crate) const RESIZER: &str = "shardmill-resize 1, fast_image_resize 6.1.0";

/// A decoded image of any size.
#[derive(Debug)]
pub(crate) struct Rgb {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
}

impl Rgb {
    const fn size(&self) -> Size {
        Size {
            width: self.width as usize,
            height: self.height as usize,
        }
    }
}

/// Decodes images and brings them to the size of a record; one for each thread.
///
/// JPEG in every colour space that ImageNet holds (grayscale, YCbCr, RGB, CMYK and YCCK with Adobe's
/// inversion), PNG, GIF, BMP, WebP and TIFF whatever the file is called; 16-bit values are brought to 8,
/// transparency is laid over white. The rest is as [`DecodeOptions`] say.
pub struct ImageDecoder {
    size: u32,
    options: DecodeOptions,
    budget: Budget,
    warning: Option<Warning>,
    jpeg: JpegDecoder,
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
            budget: Budget::UNLIMITED,
            warning: None,
            jpeg: JpegDecoder::default(),
            resizer: Resizer::new(),
            record: vec![0; bytes],
        }
    }

    /// The same decoder, which takes the memory for large images from `budget`.
    pub(crate) fn with_budget(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// Decodes `bytes` and brings them to the decoder's size, by default the centre square of the
    /// image: `size * size * 3` bytes of RGB, valid until the next call.
    ///
    /// # Errors
    /// The reason why the bytes cannot become a record.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<&[u8], Reject> {
        self.attempt(|decoder| decoder.decode_any(bytes))?;
        Ok(&self.record)
    }

    /// Brings pixels to the decoder's size as those of a decoded image; pixels of that size stay as they are.
    /// `pixels` are rows from the top of `width * channels` bytes: 1 channel is grey, 2 are grey and alpha,
    /// 3 RGB and 4 RGBA, which is laid over white.
    ///
    /// # Errors
    /// Pixels of another number than their size says, or more than are decoded.
    pub fn resize_pixels(
        &mut self,
        width: u32,
        height: u32,
        channels: u8,
        pixels: Vec<u8>,
    ) -> Result<&[u8], Reject> {
        self.attempt(|decoder| {
            check_pixels(width as usize, height as usize)?;
            let pixels = other::rgb_of(width, height, channels, pixels).ok_or_else(|| {
                let message = format!("they are not {width}x{height} pixels of {channels} bytes");
                Reject::Damaged(message)
            })?;
            if (width, height) == (decoder.size, decoder.size) {
                decoder.record = pixels;
                return Ok(());
            }
            decoder.resize_whole(Rgb {
                width,
                height,
                pixels,
            })
        })?;
        Ok(&self.record)
    }

    /// The record of the last image, until its pixels are taken.
    pub(crate) fn record(&self) -> &[u8] {
        &self.record
    }

    /// What was wrong with the last image that was decoded, though it became a record.
    #[must_use]
    pub const fn warning(&self) -> Option<Warning> {
        self.warning
    }

    /// Does `work`; a panic is a reject, and what it leaves behind is not used again.
    fn attempt(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        self.warning = None;
        guard::guarded(|| work(self)).unwrap_or_else(|panic| {
            let budget = self.budget.clone();
            *self = Self::with_options(self.size, self.options).with_budget(budget);
            Err(Reject::DecoderFault(panic))
        })
    }

    fn decode_any(&mut self, bytes: &[u8]) -> Result<(), Reject> {
        let Some(format) = Format::of(bytes) else {
            return Err(match format::unsupported(bytes) {
                _ if bytes.is_empty() => Reject::Empty,
                Some(name) => Reject::UnsupportedFormat(name.into()),
                None => Reject::NotAnImage,
            });
        };
        let (options, budget) = (&self.options, &self.budget);
        let other = |format| other::decode(bytes, format, options, budget);
        let (image, warning) = match format {
            Format::Jpeg => return self.decode_jpeg(bytes),
            Format::Tiff => tiff::decode(bytes, budget)?,
            Format::Png => other(ImageFormat::Png)?,
            Format::Gif => other(ImageFormat::Gif)?,
            Format::Bmp => other(ImageFormat::Bmp)?,
            Format::WebP => other(ImageFormat::WebP)?,
        };
        self.warning = warning;
        self.resize_whole(image)
    }

    fn decode_jpeg(&mut self, bytes: &[u8]) -> Result<(), Reject> {
        let target = Target {
            options: &self.options,
            budget: &self.budget,
            size: self.size,
        };
        let decoded = self.jpeg.decode(bytes, target, &mut self.record)?;
        self.warning = decoded.warning;
        match decoded.pixels {
            Some((image, crop)) => self.resize(image, crop),
            None => Ok(()),
        }
    }

    /// Takes the pixels of the last record, and leaves memory for the next one.
    pub(crate) fn exchange(&mut self, other: &mut Vec<u8>) {
        other.resize(self.record.len(), 0);
        std::mem::swap(&mut self.record, other);
    }

    fn resize_whole(&mut self, image: Rgb) -> Result<(), Reject> {
        let crop = self.options.crop(image.size(), self.size);
        self.resize(image, crop)
    }

    /// Resizes a region of an image to the record.
    fn resize(&mut self, image: Rgb, crop: CropBox) -> Result<(), Reject> {
        let (options, size) = (&self.options, self.size);
        resized::resize(
            &mut self.resizer,
            image,
            crop,
            options,
            &mut self.record,
            size,
        )
        .map_err(|error| Reject::Damaged(error.to_string()))
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
    if pixels == 0 {
        // The record would keep the pixels of another image.
        Err(Reject::Damaged("a side of it has 0 pixels".to_owned()))
    } else if pixels > PIXEL_LIMIT {
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
mod kinds_tests;
#[cfg(test)]
mod odd_tests;
#[cfg(test)]
mod ordinary_tests;
#[cfg(test)]
mod reject_tests;
#[cfg(test)]
mod test_kit;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tiff_tests;
