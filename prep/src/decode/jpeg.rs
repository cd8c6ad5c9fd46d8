//! JPEG, by zune-jpeg.

use image::metadata::Orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::options::{DecodeOptions, Exif, Truncated};
use super::segments::Segments;
use super::{Rgb, check_pixels, upright};
use crate::reject::Reject;

/// Level of the pixels that a truncated image does not reach.
const GREY: u8 = 128;

pub(super) fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Rgb, Reject> {
    let segments = Segments::walk(bytes);
    if let Some(name) = segments.unsupported() {
        return Err(Reject::UnsupportedJpeg(name));
    }
    let truncated = segments.truncated(bytes);
    if truncated && (options.truncated == Truncated::Reject || segments.scan.is_none()) {
        return Err(Reject::Truncated);
    }
    let image = pixels(bytes, truncated)?;
    let orientation = match options.exif {
        Exif::Ignore => None,
        Exif::Apply => segments.exif.and_then(Orientation::from_exif_chunk),
    };
    Ok(match orientation {
        Some(orientation) => upright(image, orientation),
        None => image,
    })
}

fn pixels(bytes: &[u8], truncated: bool) -> Result<Rgb, Reject> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let refused = |error: zune_jpeg::errors::DecodeErrors| Reject::Damaged(error.to_string());
    decoder.decode_headers().map_err(refused)?;
    let info = decoder.info().ok_or(Reject::NotAnImage)?;
    check_pixels(info.width.into(), info.height.into())?;
    let mut pixels = vec![GREY; usize::from(info.width) * usize::from(info.height) * 3];
    if decoder.output_buffer_size() != Some(pixels.len()) {
        return Err(Reject::Damaged(
            "its colours cannot be turned into RGB".to_owned(),
        ));
    }
    match decoder.decode_into(&mut pixels) {
        Err(error) if !truncated => return Err(refused(error)),
        // What a truncated image lacks stays grey.
        _ => {}
    }
    Ok(Rgb {
        width: info.width.into(),
        height: info.height.into(),
        pixels,
    })
}
