//! What the samples of a TIFF's pixels mean (TIFF 6.0, sections 3 to 6, 16 and 18).

use image::{DynamicImage, GrayAlphaImage, GrayImage, RgbImage, RgbaImage};
use tiff::tags::Tag;

use super::{Directory, number, numbers, unsupported};
use crate::reject::Reject;

/// What the samples of a pixel are.
#[derive(Debug)]
pub(super) struct Kind {
    colours: Colours,
    /// Bits of a sample: 1, 2, 4, 8 or 16.
    pub(super) bits: usize,
    /// Samples of a pixel in the file, those that are not used included.
    pub(super) stored: usize,
    alpha: Alpha,
}

#[derive(Debug)]
enum Colours {
    Grey { white_is_zero: bool },
    Rgb,
    Cmyk,
    Palette(Vec<[u8; 3]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alpha {
    None,
    Straight,
    /// Colours are multiplied by it already.
    Premultiplied,
}

impl Kind {
    pub(super) fn of(directory: &mut Directory<'_>) -> Result<Self, Reject> {
        let bits = numbers(directory, Tag::BitsPerSample)?;
        // One value may stand for all; others are the same, or the directory was refused.
        let bits = bits.first().map_or(1, |&bits| bits as usize);
        for format in numbers(directory, Tag::SampleFormat)? {
            match format {
                // Whole numbers, or of unknown meaning, which is read like them.
                1 | 4 => {}
                2 => return Err(unsupported("TIFF with signed samples")),
                3 => return Err(unsupported("TIFF with floating-point samples")),
                _ => return Err(unsupported("TIFF with complex samples")),
            }
        }
        let photometric = number(directory, Tag::PhotometricInterpretation)?;
        let colours = match photometric {
            Some(white @ (0 | 1)) => Colours::Grey {
                white_is_zero: white == 0,
            },
            Some(2) => Colours::Rgb,
            Some(3) => Colours::Palette(palette(directory, bits)?),
            Some(5) => Colours::Cmyk,
            Some(4) => return Err(unsupported("TIFF that is a mask")),
            Some(6) => return Err(unsupported("TIFF in YCbCr")),
            Some(8..=10) => return Err(unsupported("TIFF in L*a*b*")),
            _ => return Err(unsupported("TIFF with rare colours")),
        };
        let stored = number(directory, Tag::SamplesPerPixel)?.unwrap_or(1) as usize;
        // 1 is alpha that colours are multiplied by, 2 alpha that they are not; 0 has no meaning.
        let extra = numbers(directory, Tag::ExtraSamples)?;
        let alpha = match (extra.first(), stored.checked_sub(extra.len())) {
            // Programs forget to say that the fourth sample is alpha.
            (_, Some(4)) if matches!(colours, Colours::Rgb) => Alpha::Straight,
            (_, declared) if declared != Some(colours.samples()) => {
                return Err(unsupported("TIFF with an odd number of samples"));
            }
            (Some(1), _) => Alpha::Premultiplied,
            (Some(2), _) => Alpha::Straight,
            _ => Alpha::None,
        };
        if alpha != Alpha::None && matches!(colours, Colours::Cmyk) {
            return Err(unsupported("TIFF in CMYK with alpha"));
        }
        let few = stored == 1 && matches!(bits, 1 | 2 | 4);
        if !few && !matches!(bits, 8 | 16) {
            return Err(unsupported(format!("TIFF with {bits} bits a sample")));
        }
        Ok(Self {
            colours,
            bits,
            stored,
            alpha,
        })
    }

    /// Samples of a pixel that are used: the first ones.
    pub(super) const fn samples(&self) -> usize {
        let alpha = match self.alpha {
            Alpha::None => 0,
            Alpha::Straight | Alpha::Premultiplied => 1,
        };
        self.colours.samples() + alpha
    }

    /// A picture of samples, pixel by pixel: of 16 bits the levels in 8, of fewer than 8 as they are stored.
    ///
    /// # Panics
    /// If there are not as many samples as the picture has.
    pub(super) fn picture(&self, width: u32, height: u32, mut samples: Vec<u8>) -> DynamicImage {
        let used = self.samples();
        match &self.colours {
            Colours::Cmyk => {
                samples = samples.as_chunks::<4>().0.iter().flat_map(inks).collect();
            }
            Colours::Palette(palette) => {
                let colours = samples.chunks_exact(used).flat_map(|pixel| {
                    let colour = palette[usize::from(pixel[0])];
                    colour.into_iter().chain(pixel[1..].iter().copied())
                });
                samples = colours.collect();
            }
            Colours::Grey { white_is_zero } => {
                let most = if self.bits < 8 {
                    (1 << self.bits) - 1
                } else {
                    255
                };
                for pixel in samples.chunks_exact_mut(used) {
                    let level = pixel[0] * (255 / most);
                    pixel[0] = if *white_is_zero { 255 - level } else { level };
                }
            }
            Colours::Rgb => {}
        }
        let colours = match self.colours {
            Colours::Grey { .. } => 1,
            _ => 3,
        };
        if self.alpha == Alpha::Premultiplied {
            divide(&mut samples, colours);
        }
        let whole = "there is a sample for each pixel";
        match (colours, self.alpha == Alpha::None) {
            (1, true) => GrayImage::from_raw(width, height, samples)
                .expect(whole)
                .into(),
            (1, false) => GrayAlphaImage::from_raw(width, height, samples)
                .expect(whole)
                .into(),
            (_, true) => RgbImage::from_raw(width, height, samples)
                .expect(whole)
                .into(),
            (_, false) => RgbaImage::from_raw(width, height, samples)
                .expect(whole)
                .into(),
        }
    }
}

impl Colours {
    const fn samples(&self) -> usize {
        match self {
            Self::Grey { .. } | Self::Palette(_) => 1,
            Self::Rgb => 3,
            Self::Cmyk => 4,
        }
    }
}

/// A colour for each value of a sample.
fn palette(directory: &mut Directory<'_>, bits: usize) -> Result<Vec<[u8; 3]>, Reject> {
    if bits > 8 {
        return Err(unsupported("TIFF with a palette of more than 256 colours"));
    }
    let map = numbers(directory, Tag::ColorMap)?;
    let colours = 1 << bits;
    if map.len() < 3 * colours {
        return Err(Reject::Damaged("its palette is too short".to_owned()));
    }
    // All red levels, then all green ones, then all blue ones, in 16 bits. Some programs write 8 bits, which
    // libtiff tells by this too.
    let shift = if map.iter().all(|&level| level < 256) {
        0
    } else {
        8
    };
    let colour = |place| [0, 1, 2].map(|part| (map[part * colours + place] >> shift) as u8);
    Ok((0..colours).map(colour).collect())
}

/// The colour of inks on white.
fn inks(&[cyan, magenta, yellow, black]: &[u8; 4]) -> [u8; 3] {
    [cyan, magenta, yellow].map(|ink| {
        let light = u32::from(255 - ink) * u32::from(255 - black);
        ((light + 127) / 255) as u8
    })
}

/// Divides colours by the alpha after them.
fn divide(samples: &mut [u8], colours: usize) {
    for pixel in samples.chunks_exact_mut(colours + 1) {
        let (colours, alpha) = pixel.split_at_mut(colours);
        let alpha = u32::from(alpha[0]).max(1);
        for colour in colours {
            *colour = ((u32::from(*colour) * 255 + alpha / 2) / alpha).min(255) as u8;
        }
    }
}
