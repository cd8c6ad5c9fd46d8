//! JPEG of all but the ordinary kind, by zune-jpeg, which is given what [`Survey`] has made sure of.

use image::metadata::Orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::budget::Budget;
use super::damage::Warning;
use super::options::{DecodeOptions, Exif, Truncated};
use super::survey::Survey;
use super::{Rgb, upright};
use crate::reject::Reject;

/// Level of the pixels that damaged data does not reach.
const GREY: u8 = 128;

pub(super) fn decode(
    bytes: &[u8],
    options: &DecodeOptions,
    budget: &Budget,
) -> Result<(Rgb, Option<Warning>), Reject> {
    let survey = Survey::take(bytes)?;
    if let (Some(damage), Truncated::Reject) = (survey.damage, options.truncated) {
        return Err(damage.into());
    }
    let pixels = survey.frame.width as u64 * survey.frame.height as u64;
    // RGB, and of a progressive frame the values of all components in 16 bits.
    let each = if survey.frame.progressive { 3 + 8 } else { 3 };
    let _share = budget.take(pixels * each);
    let image = decode_clean(&survey)?;
    let orientation = match options.exif {
        Exif::Ignore => None,
        Exif::Apply => survey.exif.and_then(Orientation::from_exif_chunk),
    };
    let image = match orientation {
        Some(orientation) => upright(image, orientation),
        None => image,
    };
    // Damage is more than whatever else is wrong.
    let warning = match survey.damage {
        Some(_) => Some(Warning::Padded),
        None => survey.warning,
    };
    Ok((image, warning))
}

fn decode_clean(survey: &Survey<'_>) -> Result<Rgb, Reject> {
    let damaged = survey.damage.is_some();
    let options = DecoderOptions::default()
        .set_strict_mode(!damaged)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&*survey.clean), options);
    let refused = |error: zune_jpeg::errors::DecodeErrors| Reject::Damaged(error.to_string());
    decoder.decode_headers().map_err(refused)?;
    let (width, height) = (survey.frame.width, survey.frame.height);
    let mut pixels = vec![GREY; width * height * 3];
    if decoder.output_buffer_size() != Some(pixels.len()) {
        return Err(Reject::Damaged(
            "its colours cannot be turned into RGB".to_owned(),
        ));
    }
    match decoder.decode_into(&mut pixels) {
        Err(error) if !damaged => return Err(refused(error)),
        // What a damaged image lacks stays grey.
        _ => {}
    }
    Ok(Rgb {
        width: width as u32,
        height: height as u32,
        pixels,
    })
}
