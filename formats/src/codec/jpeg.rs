//! The JPEG codec: baseline, 4:2:0, quality chosen at encoding.

use jpeg_encoder::SamplingFactor;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

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

pub(super) fn decode(shape: RecordShape, stored: &[u8], rgb: &mut [u8]) -> Result<(), CodecError> {
    // A record that ends early is an error, never a grey stripe. The decoder tolerates a few missing
    // bytes even in its strict mode, but a cut removes the end marker.
    if !stored.ends_with(&END_OF_IMAGE) {
        return Err(CodecError::JpegDecode(
            "it does not end with the end-of-image marker".to_owned(),
        ));
    }
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_height(shape.height as usize)
        .set_max_width(shape.width as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stored), options);
    let refused =
        |error: zune_jpeg::errors::DecodeErrors| CodecError::JpegDecode(error.to_string());
    decoder.decode_headers().map_err(refused)?;
    let info = decoder
        .info()
        .ok_or_else(|| CodecError::JpegDecode("no frame header".to_owned()))?;
    let (found_height, found_width) = (usize::from(info.height), usize::from(info.width));
    if (found_height, found_width) != (shape.height as usize, shape.width as usize) {
        return Err(CodecError::Size {
            expected: shape,
            found_height,
            found_width,
        });
    }
    if decoder.output_buffer_size() != Some(rgb.len()) {
        return Err(CodecError::JpegDecode(
            "its colours cannot be turned into RGB".to_owned(),
        ));
    }
    // A stream that defines its scan anew leaves pixels unwritten, and those of an earlier record would show.
    rgb.fill(0);
    decoder.decode_into(rgb).map_err(refused)
}
