//! The JPEG codec: baseline, 4:2:0, quality chosen at encoding.

use jpeg_encoder::SamplingFactor;
use shardmill_jpeg::{Image, Options, Region, Warnings};

use super::CodecError;
use super::window::{Rows, Window};
use crate::shape::RecordShape;

pub(super) struct Encoder {
    height: u16,
    width: u16,
    quality: u8,
}

impl Encoder {
    pub(super) fn new(shape: RecordShape, quality: u8) -> Result<Self, CodecError> {
        if !(1..=100).contains(&quality) {
            return Err(CodecError::Quality(quality));
        }
        let side =
            |side: u32| u16::try_from(side).expect("the format's longest side fits in 16 bits");
        Ok(Self {
            height: side(shape.height),
            width: side(shape.width),
            quality,
        })
    }

    pub(super) fn encode(&self, rgb: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let mut encoder = jpeg_encoder::Encoder::new(out, self.quality);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        // `Encoder::encode` is compiled for each of its nine colour types, which is a third of this crate's
        // build. These are the images that it uses for RGB.
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if std::arch::is_x86_feature_detected!("avx2") {
            let image = jpeg_encoder::RgbImageAVX2(rgb, self.width, self.height);
            return Ok(encoder.encode_image(image)?);
        }
        Ok(encoder.encode_image(jpeg_encoder::RgbImage(rgb, self.width, self.height))?)
    }
}

/// Decodes a window of a record of this shape.
///
/// A record that is damaged is an error, never a grey stripe: every block of the window is decoded, and a file
/// that libjpeg would warn about is refused.
pub(super) fn window(
    decoder: &mut shardmill_jpeg::Decoder,
    shape: RecordShape,
    stored: &[u8],
    window: Window,
    sink: &mut dyn FnMut(Rows<'_>),
) -> Result<(), CodecError> {
    let image = Image::parse(stored)?;
    if (image.height(), image.width()) != (shape.height as usize, shape.width as usize) {
        return Err(CodecError::Size {
            expected: shape,
            found_height: image.height(),
            found_width: image.width(),
        });
    }
    let region = Region {
        left: window.left,
        top: window.top,
        right: window.left + window.width,
        bottom: window.top + window.height,
    };
    let stride = window.width * 3;
    let report = decoder.rgb(&image, region, Options::default(), &mut |strip| {
        sink(Rows {
            top: strip.top,
            count: strip.rgb.len() / stride,
            rgb: strip.rgb,
            stride,
        });
    })?;
    match report.warnings {
        Warnings { no_end: true, .. } => Err(CodecError::JpegWarning(
            "it does not end with the end-of-image marker",
        )),
        Warnings {
            extra_bytes: true, ..
        } => Err(CodecError::JpegWarning(
            "it holds bytes that belong to no block",
        )),
        _ => Ok(()),
    }
}
