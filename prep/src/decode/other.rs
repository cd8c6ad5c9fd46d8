//! PNG, GIF, BMP and WebP, recognised by their first bytes and decoded by the image crate.

use std::io::Cursor;

use image::{DynamicImage, ImageError, ImageReader, Limits};

use super::{PIXEL_LIMIT, Rgb, check_pixels};
use crate::reject::Reject;

pub(super) fn decode(bytes: &[u8]) -> Result<Rgb, Reject> {
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
    let image = decoding.decode().map_err(refused)?;
    let pixels = if image.color().has_alpha() {
        over_white(image)
    } else {
        image.into_rgb8().into_raw()
    };
    Ok(Rgb {
        width,
        height,
        pixels,
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
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Reject::Truncated
        }
        error => Reject::Damaged(error.to_string()),
    }
}
