//! PNG, GIF, BMP and WebP, recognised by their first bytes and decoded by the image crate.

use std::io::{Cursor, ErrorKind};

use image::{DynamicImage, ImageDecoder as _, ImageError, ImageReader, Limits};

use super::options::{DecodeOptions, Exif};
use super::{PIXEL_LIMIT, Rgb, check_pixels, upright};
use crate::reject::Reject;

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Rgb, Reject> {
    let reader = || ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut decoding = reader().map_err(|error| Reject::Damaged(error.to_string()))?;
    if decoding.format().is_none() {
        return Err(Reject::NotAnImage);
    }
    let sized = reader().map_err(|error| Reject::Damaged(error.to_string()))?;
    let (width, height) = sized.into_dimensions().map_err(refused)?;
    check_pixels(width as usize, height as usize)?;
    let mut limits = Limits::default();
    // Eight bytes a pixel hold 16-bit RGBA; as much again is room for the decoder itself.
    limits.max_alloc = Some(PIXEL_LIMIT as u64 * 16);
    decoding.limits(limits);
    let mut decoder = decoding.into_decoder().map_err(refused)?;
    // A broken EXIF block is no reason to refuse the picture.
    let orientation = match options.exif {
        Exif::Ignore => None,
        Exif::Apply => decoder.orientation().ok(),
    };
    let image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    let pixels = if image.color().has_alpha() {
        over_white(image)
    } else {
        image.into_rgb8().into_raw()
    };
    let image = Rgb {
        width,
        height,
        pixels,
    };
    Ok(match orientation {
        Some(orientation) => upright(image, orientation),
        None => image,
    })
}

/// Lays the picture over white, rounding to the nearest level.
fn over_white(image: DynamicImage) -> Vec<u8> {
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let rgba = image.into_rgba8().into_raw();
    rgba.chunks_exact(4)
        .flat_map(|p| [p[0], p[1], p[2]].map(|value| blend(value, p[3])))
        .collect()
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
    } else {
        Reject::Damaged(text)
    }
}
