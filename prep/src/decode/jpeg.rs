//! JPEG: ordinary images as planes, which are resized as they are, all others as RGB.

use image::metadata::Orientation;
use shardmill_jpeg::{
    ColourSpace, Decoder, Error, Extent, Image, Limits, OnDamage, Options, Region,
};

use super::budget::Budget;
use super::damage::{Warning, warning};
use super::geometry::{CropBox, Size};
use super::options::{Check, DecodeOptions, Exif, Truncated};
use super::planar::{Planar, region};
use super::{PIXEL_LIMIT, Rgb, check_pixels, upright};
use crate::reject::Reject;

/// Decodes one JPEG after another.
#[derive(Default)]
pub(super) struct JpegDecoder {
    pub(super) decoder: Decoder,
    planar: Planar,
}

/// What was decoded.
pub(super) struct Decoded {
    pub(super) warning: Option<Warning>,
    /// The pixels, and what of them becomes the record; `None` if they are the record's already.
    pub(super) pixels: Option<(Rgb, CropBox)>,
}

/// What an image is decoded for.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) options: &'a DecodeOptions,
    pub(super) budget: &'a Budget,
    /// Side of the record.
    pub(super) size: u32,
}

impl JpegDecoder {
    /// Decodes an image, straight to `record` if that is possible.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        target: Target<'_>,
        record: &mut [u8],
    ) -> Result<Decoded, Reject> {
        let image = Image::parse(bytes)?;
        check_pixels(image.width(), image.height())?;
        let share = target.budget.take(memory(&image, target.options));
        let turned = orientation(&image, target.options);
        let decoded = match turned {
            None if is_planar(&image) => self.resized(&image, target, record),
            _ => self.rgb(&image, target, turned),
        };
        if share.is_some() {
            // A large image's planes are not kept for small ones.
            self.decoder = Decoder::default();
        }
        decoded
    }

    fn resized(
        &mut self,
        image: &Image<'_>,
        target: Target<'_>,
        record: &mut [u8],
    ) -> Result<Decoded, Reject> {
        let Target { options, size, .. } = target;
        let whole = size_of(image);
        let crop = options.crop(whole, size);
        let needed = region(crop, size, options, whole);
        let (planes, report) = self.decoder.planes(image, needed, of(options))?;
        self.planar.resize(planes, crop, whole, options, record);
        Ok(Decoded {
            warning: warning(&report),
            pixels: None,
        })
    }

    /// The pixels that the record is made of, or all of them if they are to be turned.
    pub(super) fn rgb(
        &mut self,
        image: &Image<'_>,
        target: Target<'_>,
        turned: Option<Orientation>,
    ) -> Result<Decoded, Reject> {
        let Target { options, size, .. } = target;
        let whole = size_of(image);
        let crop = options.crop(whole, size);
        let needed = match turned {
            None => region(crop, size, options, whole),
            Some(_) => Region::whole(whole.width, whole.height),
        };
        let (width, height) = (needed.right - needed.left, needed.bottom - needed.top);
        let mut pixels = vec![0; width * height * 3];
        // These are rare, so all of the file is looked at.
        let of = Options {
            extent: Extent::Whole,
            ..of(options)
        };
        let report = self.decoder.rgb(image, needed, of, &mut |strip| {
            pixels[strip.top * width * 3..][..strip.rgb.len()].copy_from_slice(strip.rgb);
        })?;
        let rgb = Rgb {
            width: width as u32,
            height: height as u32,
            pixels,
        };
        let pixels = match turned {
            None => (rgb, crop.within(needed.left, needed.top)),
            Some(orientation) => {
                let rgb = upright(rgb, orientation);
                let crop = options.crop(rgb.size(), size);
                (rgb, crop)
            }
        };
        Ok(Decoded {
            warning: warning(&report),
            pixels: Some(pixels),
        })
    }
}

/// Whether the planes of an image are resized as they are: one scan of grey, or of luminance and colours that are
/// stored at its size or at half of it. The colours of others are made as large as the image first, as libjpeg
/// makes them, which is nearer to Pillow's pixels.
fn is_planar(image: &Image<'_>) -> bool {
    let usual = match image.colour_space() {
        ColourSpace::Grey => true,
        ColourSpace::YCbCr => {
            let mut ratios = image.ratios();
            let luma = ratios.next();
            let first = ratios.next();
            luma == Some((1, 1)) && first == ratios.next() && matches!(first, Some((1 | 2, 1 | 2)))
        }
        _ => false,
    };
    usual && image.is_one_scan()
}

/// How a picture must be turned, if it must.
fn orientation(image: &Image<'_>, options: &DecodeOptions) -> Option<Orientation> {
    let block = match options.exif {
        Exif::Ignore => None,
        Exif::Apply => image.exif(),
    };
    let orientation = block.and_then(Orientation::from_exif_chunk);
    orientation.filter(|&orientation| orientation != Orientation::NoTransforms)
}

/// Bytes that decoding takes: samples, coefficients of two bytes for each of them unless all comes in one scan, and
/// pixels where the planes are not resized as they are, once more if they are turned.
fn memory(image: &Image<'_>, options: &DecodeOptions) -> u64 {
    let kept = !image.is_one_scan() || options.truncated == Truncated::Pad;
    let pixels = image.width() as u64 * image.height() as u64;
    let part = |(across, down)| pixels.div_ceil(across as u64 * down as u64);
    let samples: u64 = image.ratios().map(part).sum();
    let rgb = match orientation(image, options) {
        Some(_) => 6,
        None if is_planar(image) => 0,
        None => 3,
    };
    samples * if kept { 3 } else { 1 } + pixels * rgb
}

fn of(options: &DecodeOptions) -> Options {
    Options {
        extent: match options.check {
            Check::Whole => Extent::Whole,
            Check::Decoded => Extent::Needed,
        },
        damage: match options.truncated {
            Truncated::Reject => OnDamage::Refuse,
            Truncated::Pad => OnDamage::Keep,
        },
        limits: Limits {
            pixels: PIXEL_LIMIT,
            ..Limits::default()
        },
    }
}

fn size_of(image: &Image<'_>) -> Size {
    Size {
        width: image.width(),
        height: image.height(),
    }
}

impl From<Error> for Reject {
    fn from(error: Error) -> Self {
        match error {
            Error::Unsupported(name) => Self::UnsupportedJpeg(name),
            Error::TooLarge {
                width,
                height,
                limit,
            } => Self::TooLarge {
                width,
                height,
                limit,
            },
            Error::Damaged(damage) => damage.into(),
            error => Self::Damaged(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use jpeg_encoder::ColorType;

    use super::super::test_kit::{jpeg, orientation_block, with_app1};
    use super::*;

    #[test]
    fn the_memory_of_an_image_counts_samples_coefficients_and_pixels() {
        let bytes_a_pixel = |file: &[u8], options: &DecodeOptions| {
            memory(&Image::parse(file).unwrap(), options) / (16 * 16)
        };
        let file = |color, samples: usize, progressive| {
            jpeg(&vec![90_u8; 16 * 16 * samples], 16, 16, color, progressive)
        };
        let reject = DecodeOptions::default();
        let pad = DecodeOptions {
            truncated: Truncated::Pad,
            ..reject
        };
        let apply = DecodeOptions {
            exif: Exif::Apply,
            ..reject
        };
        let turned = with_app1(&file(ColorType::Luma, 1, false), &orientation_block(6));
        // Planes that are resized as they are, whose coefficients are kept if damage is.
        assert_eq!(bytes_a_pixel(&turned, &reject), 1);
        assert_eq!(bytes_a_pixel(&turned, &pad), 1 + 2);
        assert_eq!(bytes_a_pixel(&turned, &apply), 1 + 6);
        let inks = file(ColorType::Cmyk, 4, false);
        assert_eq!(bytes_a_pixel(&inks, &reject), 4 + 3);
        let inks = file(ColorType::Cmyk, 4, true);
        assert_eq!(bytes_a_pixel(&inks, &reject), 4 + 8 + 3);
    }
}
