//! The JPEG codec: baseline, 4:2:0, quality chosen at encoding.

use jpeg_encoder::SamplingFactor;
use shardmill_jpeg::{Extent, Image, Options, Region, Strip};

use super::CodecError;
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

/// The marker EOI of ITU-T T.81, table B.1.
const END_OF_IMAGE: [u8; 2] = [0xFF, 0xD9];

/// Decodes records; keeps memory and tables from one to the next, and nearly all records have the same tables.
#[derive(Default)]
pub(super) struct Decoder(Box<shardmill_jpeg::Decoder>);

impl Decoder {
    /// Decodes a record to all of its pixels. A record that ends early is an error, never a grey stripe, and so
    /// is one with bytes that belong to no pixel: an encoder leaves none, so some of its data was lost.
    pub(super) fn decode(
        &mut self,
        shape: RecordShape,
        stored: &[u8],
        rgb: &mut [u8],
    ) -> Result<(), CodecError> {
        let refused = |why: &str| Err(CodecError::JpegDecode(why.to_owned()));
        if !stored.ends_with(&END_OF_IMAGE) {
            return refused("it does not end with the end-of-image marker");
        }
        let damaged = |error: shardmill_jpeg::Error| CodecError::JpegDecode(error.to_string());
        let image = Image::parse(stored).map_err(damaged)?;
        let (found_height, found_width) = (image.height(), image.width());
        if (found_height, found_width) != (shape.height as usize, shape.width as usize) {
            return Err(CodecError::Size {
                expected: shape,
                found_height,
                found_width,
            });
        }
        let options = Options {
            extent: Extent::Whole,
            ..Options::default()
        };
        let mut put = |strip: Strip<'_>| {
            let start = strip.top * found_width * 3;
            rgb[start..start + strip.rgb.len()].copy_from_slice(strip.rgb);
        };
        let region = Region::whole(found_width, found_height);
        let report = self.0.rgb(&image, region, options, &mut put);
        let warnings = report.map_err(damaged)?.warnings;
        if warnings.no_end {
            return refused("its data does not end with the end-of-image marker");
        }
        if warnings.extra_bytes {
            return refused("it holds bytes that belong to no pixel");
        }
        Ok(())
    }
}
