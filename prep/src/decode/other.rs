//! PNG, GIF, BMP and WebP, decoded by the image crate.

use std::io::{Cursor, ErrorKind};

use image::{
    DynamicImage, ImageBuffer, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits,
};

use super::budget::Budget;
use super::damage::Warning;
use super::options::{DecodeOptions, Exif};
use super::{PIXEL_LIMIT, Rgb, bmp, check_pixels, png, upright, webp};
use crate::reject::Reject;

pub(super) fn decode(
    bytes: &[u8],
    format: ImageFormat,
    options: &DecodeOptions,
    budget: &Budget,
) -> Result<(Rgb, Option<Warning>), Reject> {
    match format {
        ImageFormat::Png => {}
        ImageFormat::Bmp => {
            let bytes = bmp::placed(bytes)?;
            let warning = bmp::check_runs(&bytes)?;
            return Ok((decode_whole(&bytes, format, options, budget)?, warning));
        }
        ImageFormat::WebP => {
            let webp::Checked { bytes, warning } = webp::check(bytes)?;
            return Ok((decode_whole(bytes, format, options, budget)?, warning));
        }
        _ => return Ok((decode_whole(bytes, format, options, budget)?, None)),
    }
    let (bytes, was_added) = png::ended(bytes);
    match decode_whole(&bytes, format, options, budget) {
        Ok(image) => Ok((image, was_added.then_some(Warning::NoEnd))),
        // Whatever the decoder says of the end that was put after it: it is cut off there.
        Err(Reject::Damaged(_)) if was_added => Err(Reject::Truncated),
        Err(reject) => Err(reject),
    }
}

fn decode_whole(
    bytes: &[u8],
    format: ImageFormat,
    options: &DecodeOptions,
    budget: &Budget,
) -> Result<Rgb, Reject> {
    let reader = || ImageReader::with_format(Cursor::new(bytes), format);
    let mut decoding = reader();
    let (width, height) = reader().into_dimensions().map_err(refused)?;
    check_pixels(width as usize, height as usize)?;
    let mut limits = Limits::default();
    // Eight bytes a pixel hold 16-bit RGBA; as much again is room for the decoder itself.
    limits.max_alloc = Some(PIXEL_LIMIT as u64 * 16);
    decoding.limits(limits);
    let mut decoder = decoding.into_decoder().map_err(refused)?;
    let pixels = u64::from(width) * u64::from(height);
    // GIF has a whole picture in its decoder too, WebP a canvas and a frame; then RGBA and RGB are made.
    let within = match format {
        ImageFormat::Gif => 4,
        ImageFormat::WebP => 8,
        _ => 0,
    };
    let made = match decoder.color_type() {
        image::ColorType::Rgb8 => 0,
        color if color.has_alpha() => 4 + 3,
        _ => 3,
    };
    let _share = budget.take(decoder.total_bytes() + pixels * (within + made));
    // A broken EXIF block is no reason to refuse the picture.
    let orientation = match options.exif {
        Exif::Ignore => None,
        Exif::Apply => decoder.orientation().ok(),
    };
    let image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    let image = Rgb {
        width,
        height,
        pixels: to_rgb(image),
    };
    Ok(match orientation {
        Some(orientation) => upright(image, orientation),
        None => image,
    })
}

/// RGB of pixels of 1 channel (grey), 2 (grey and alpha), 3 or 4; `None` if there are not so many.
pub(super) fn rgb_of(width: u32, height: u32, channels: u8, pixels: Vec<u8>) -> Option<Vec<u8>> {
    // The image crate takes more bytes than needed.
    let bytes = (width as usize * height as usize).checked_mul(channels.into())?;
    if pixels.len() != bytes {
        return None;
    }
    Some(to_rgb(match channels {
        1 => DynamicImage::ImageLuma8(ImageBuffer::from_raw(width, height, pixels)?),
        2 => DynamicImage::ImageLumaA8(ImageBuffer::from_raw(width, height, pixels)?),
        3 => return Some(pixels),
        4 => DynamicImage::ImageRgba8(ImageBuffer::from_raw(width, height, pixels)?),
        _ => return None,
    }))
}

/// Pixels in 8 bits, transparent ones laid over white.
pub(super) fn to_rgb(image: DynamicImage) -> Vec<u8> {
    if image.color().has_alpha() {
        over_white(image)
    } else {
        image.into_rgb8().into_raw()
    }
}

/// Lays the picture over white, rounding to the nearest level.
fn over_white(image: DynamicImage) -> Vec<u8> {
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let rgba = image.into_rgba8().into_raw();
    let mut rgb = Vec::with_capacity(rgba.len() / 4 * 3);
    for pixel in rgba.as_chunks::<4>().0 {
        let [red, green, blue, alpha] = *pixel;
        rgb.extend([red, green, blue].map(|value| blend(value, alpha)));
    }
    rgb
}

fn refused(error: ImageError) -> Reject {
    // Some decoders keep the cause and some only its words.
    let words = ["unexpected end of file", "failed to fill whole buffer"];
    let text = error.to_string();
    let early =
        matches!(&error, ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof);
    if early
        || words
            .iter()
            .any(|words| text.to_lowercase().ends_with(words))
    {
        Reject::Truncated
    } else if let ImageError::Unsupported(_) = error {
        Reject::UnsupportedFormat(text.into())
    } else {
        Reject::Damaged(text)
    }
}
