//! JPEG, by zune-jpeg.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Rgb, check_pixels};
use crate::reject::Reject;

pub(super) fn decode(bytes: &[u8]) -> Result<Rgb, Reject> {
    if let Some(name) = unsupported_frame(bytes) {
        return Err(Reject::UnsupportedJpeg(name));
    }
    if is_truncated(bytes) {
        return Err(Reject::Truncated);
    }
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
    let mut pixels = vec![0; usize::from(info.width) * usize::from(info.height) * 3];
    if decoder.output_buffer_size() != Some(pixels.len()) {
        return Err(Reject::Damaged(
            "its colours cannot be turned into RGB".to_owned(),
        ));
    }
    decoder.decode_into(&mut pixels).map_err(refused)?;
    Ok(Rgb {
        width: info.width.into(),
        height: info.height.into(),
        pixels,
    })
}

/// Names the coding process of a frame header that the decoder does not know (ITU-T T.81, table
/// B.1), by walking the segments up to it.
fn unsupported_frame(bytes: &[u8]) -> Option<&'static str> {
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = bytes.get(at..at + 4) {
        match marker {
            0xC0..=0xC2 | 0xDA => return None,
            0xC3 => return Some("lossless"),
            0xC5..=0xC7 => return Some("hierarchical"),
            0xC9..=0xCB | 0xCD..=0xCF => return Some("arithmetic-coded"),
            0xFF => at += 1,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    None
}

/// Whether the end-of-image marker is missing behind the last scan. Inside of entropy-coded data
/// neither marker can occur, since 0xFF is followed by a zero or a restart marker there.
fn is_truncated(bytes: &[u8]) -> bool {
    let last = |marker| bytes.windows(2).rposition(|pair| pair == [0xFF, marker]);
    match (last(0xDA), last(0xD9)) {
        (Some(scan), Some(end)) => end < scan,
        _ => true,
    }
}
