//! TIFF: the first picture of a file, uncompressed or packed by one of the lossless ways.

use std::io::Cursor;

use image::DynamicImage;
use image::metadata::Orientation;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::budget::Budget;
use super::options::{DecodeOptions, Exif};
use super::other::to_rgb;
use super::{PIXEL_LIMIT, Rgb, check_pixels, upright};
use crate::reject::Reject;

pub(super) fn decode(
    bytes: &[u8],
    options: &DecodeOptions,
    budget: &Budget,
) -> Result<Rgb, Reject> {
    let mut limits = Limits::default();
    // Eight bytes a pixel hold 16-bit RGBA.
    limits.decoding_buffer_size = PIXEL_LIMIT * 8;
    let decoder = Decoder::new(Cursor::new(bytes)).map_err(refused)?;
    let mut decoder = decoder.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(refused)?;
    check_pixels(width as usize, height as usize)?;
    let kind = Kind::of(&mut decoder)?;
    let pixels = u64::from(width) * u64::from(height);
    let _share = budget.take(pixels * (kind.bytes_per_pixel() as u64 + 2 * 4));
    let mut samples = DecodingResult::U8(Vec::new());
    let layout = decoder
        .read_image_to_buffer(&mut samples)
        .map_err(refused)?;
    let samples = match samples {
        DecodingResult::U8(samples) => samples,
        // As `image` brings 16 bits to 8: to the nearest level.
        DecodingResult::U16(samples) => samples.iter().map(|&sample| to_8_bits(sample)).collect(),
        _ => return Err(unsupported("TIFF with samples that are no whole numbers")),
    };
    let samples = match kind.bits {
        1 | 2 | 4 => unpacked(&samples, kind.bits, width as usize),
        _ => samples,
    };
    let samples = match layout.planes {
        0 | 1 => samples,
        planes => interleaved(&samples, planes),
    };
    let whole = pixels as usize * kind.samples;
    if samples.len() < whole {
        return Err(Reject::Truncated);
    }
    let image = kind.picture(width, height, samples[..whole].to_vec());
    let image = Rgb {
        width,
        height,
        pixels: to_rgb(image.ok_or(Reject::Truncated)?),
    };
    let orientation = match options.exif {
        Exif::Ignore => None,
        Exif::Apply => {
            let noted = decoder.find_tag_unsigned(Tag::Orientation).ok().flatten();
            noted.and_then(Orientation::from_exif)
        }
    };
    Ok(match orientation {
        Some(orientation) => upright(image, orientation),
        None => image,
    })
}

/// What the samples of a pixel are.
struct Kind {
    samples: usize,
    bits: u8,
    ink: bool,
    /// Colours are multiplied by the alpha already.
    premultiplied: bool,
}

impl Kind {
    fn of(decoder: &mut Decoder<Cursor<&[u8]>>) -> Result<Self, Reject> {
        let color = match decoder.colortype() {
            Err(TiffError::UnsupportedError(_)) => {
                return Err(unsupported("TIFF with a palette or other rare colours"));
            }
            color => color.map_err(refused)?,
        };
        // 1 is alpha that colours are multiplied by, 2 alpha that they are not; 0 has no meaning.
        let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples);
        let extra = extra.ok().flatten().unwrap_or_default();
        let (samples, bits) = match color {
            ColorType::Gray(bits @ (1 | 2 | 4 | 8 | 16)) => (1, bits),
            ColorType::Multiband {
                bit_depth: bits @ (8 | 16),
                num_samples: 2,
            } if matches!(extra[..], [1 | 2]) => (2, bits),
            ColorType::RGB(bits @ (8 | 16)) => (3, bits),
            ColorType::RGBA(bits @ (8 | 16)) => (4, bits),
            ColorType::CMYK(bits @ (8 | 16)) => (4, bits),
            _ => return Err(unsupported("TIFF with rare colours or depths")),
        };
        Ok(Self {
            samples,
            bits,
            ink: matches!(color, ColorType::CMYK(_)),
            premultiplied: extra.first() == Some(&1),
        })
    }

    fn bytes_per_pixel(&self) -> usize {
        self.samples * usize::from(self.bits).div_ceil(8)
    }

    /// A picture of 8-bit samples.
    fn picture(&self, width: u32, height: u32, mut samples: Vec<u8>) -> Option<DynamicImage> {
        if self.ink {
            let rgb = samples.chunks_exact(4).flat_map(|ink| {
                let light = |ink: u8, black: u8| {
                    let light = u32::from(255 - ink) * u32::from(255 - black);
                    ((light + 127) / 255) as u8
                };
                [ink[0], ink[1], ink[2]].map(|colour| light(colour, ink[3]))
            });
            let rgb = image::RgbImage::from_raw(width, height, rgb.collect())?;
            return Some(DynamicImage::ImageRgb8(rgb));
        }
        if self.premultiplied && matches!(self.samples, 2 | 4) {
            for pixel in samples.chunks_exact_mut(self.samples) {
                let (colours, alpha) = pixel.split_at_mut(self.samples - 1);
                let alpha = u32::from(alpha[0]).max(1);
                for colour in colours {
                    *colour = ((u32::from(*colour) * 255 + alpha / 2) / alpha).min(255) as u8;
                }
            }
        }
        Some(match self.samples {
            1 => image::GrayImage::from_raw(width, height, samples)?.into(),
            2 => image::GrayAlphaImage::from_raw(width, height, samples)?.into(),
            3 => image::RgbImage::from_raw(width, height, samples)?.into(),
            _ => image::RgbaImage::from_raw(width, height, samples)?.into(),
        })
    }
}

const fn to_8_bits(sample: u16) -> u8 {
    ((sample as u32 + 128) / 257) as u8
}

/// Samples of fewer than eight bits, whose rows begin with a byte, as levels.
fn unpacked(packed: &[u8], bits: u8, width: usize) -> Vec<u8> {
    let bits = usize::from(bits);
    let most = (1_u8 << bits) - 1;
    let row = (width * bits).div_ceil(8);
    let levels = packed.chunks_exact(row).flat_map(|row| {
        (0..width).map(move |x| {
            let shift = 8 - bits - x * bits % 8;
            (row[x * bits / 8] >> shift & most) * (255 / most)
        })
    });
    levels.collect()
}

/// Planes of samples, one behind the other, pixel by pixel.
fn interleaved(samples: &[u8], planes: usize) -> Vec<u8> {
    let length = samples.len() / planes;
    let pixels = (0..length).flat_map(|i| (0..planes).map(move |plane| plane * length + i));
    pixels.map(|place| samples[place]).collect()
}

fn unsupported(what: &'static str) -> Reject {
    Reject::UnsupportedFormat(what.into())
}

fn refused(error: TiffError) -> Reject {
    match error {
        TiffError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Reject::Truncated
        }
        TiffError::UnsupportedError(what) => {
            Reject::UnsupportedFormat(format!("TIFF of this kind ({what})").into())
        }
        error => Reject::Damaged(error.to_string()),
    }
}
