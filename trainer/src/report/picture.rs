//! Pictures inside a page: pixels as PNG or JPEG in a `data:` address.

use image::ImageEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use maud::{Markup, Render, html};

/// RGB pixels, row after row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// `height * width * 3` bytes.
    pub(crate) rgb: Vec<u8>,
}

/// Why a picture cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    /// Sides that do not fit the bytes.
    #[error("{bytes} bytes are not {width}x{height} pixels")]
    Sides {
        width: usize,
        height: usize,
        bytes: usize,
    },
    /// The PNG encoder refused.
    #[error("a picture of {width}x{height} pixels cannot be written as PNG")]
    Png {
        width: usize,
        height: usize,
        source: image::ImageError,
    },
    /// The JPEG encoder refused.
    #[error("a picture of {width}x{height} pixels cannot be written as JPEG")]
    Jpeg {
        width: usize,
        height: usize,
        source: jpeg_encoder::EncodingError,
    },
}

/// A picture that a page holds itself.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    mime: &'static str,
    bytes: Vec<u8>,
    width: usize,
    height: usize,
    /// What it shows, for people who cannot see it; text from anywhere.
    pub(crate) alt: String,
    /// Whether its pixels are shown as squares.
    pub(crate) pixelated: bool,
}

/// Quality of photographs: they are small and there are many.
const QUALITY: u8 = 80;

impl Picture {
    /// Drawings, whose pixels stay as they are.
    ///
    /// # Errors
    /// Sides that do not fit the pixels.
    pub(crate) fn png(pixels: &Pixels, alt: impl Into<String>) -> Result<Self, PictureError> {
        let (width, height) = pixels.sides()?;
        let mut bytes = Vec::new();
        let encoder =
            PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive);
        let sides = (width as u32, height as u32);
        let written = encoder.write_image(
            &pixels.rgb,
            sides.0,
            sides.1,
            image::ExtendedColorType::Rgb8,
        );
        written.map_err(|source| PictureError::Png {
            width,
            height,
            source,
        })?;
        Ok(Self {
            mime: "image/png",
            bytes,
            width,
            height,
            alt: alt.into(),
            pixelated: false,
        })
    }

    /// Photographs.
    ///
    /// # Errors
    /// More than 65,535 pixels a side, or sides that do not fit the pixels.
    pub(crate) fn jpeg(pixels: &Pixels, alt: impl Into<String>) -> Result<Self, PictureError> {
        let (width, height) = pixels.sides()?;
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, QUALITY);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        // A side that does not fit becomes 0, which the encoder refuses.
        let side = |side: usize| u16::try_from(side).unwrap_or(0);
        let written = encoder.encode(&pixels.rgb, side(width), side(height), ColorType::Rgb);
        written.map_err(|source| PictureError::Jpeg {
            width,
            height,
            source,
        })?;
        Ok(Self {
            mime: "image/jpeg",
            bytes,
            width,
            height,
            alt: alt.into(),
            pixelated: false,
        })
    }
}

impl Picture {
    /// The picture itself, as an address.
    pub(crate) fn address(&self) -> String {
        format!("data:{};base64,{}", self.mime, base64::encode(&self.bytes))
    }
}

impl Render for Picture {
    fn render(&self) -> Markup {
        let address = self.address();
        html! {
            img class=[self.pixelated.then_some("pixelated")] src=(address) width=(self.width) height=(self.height)
                alt=(super::text::line(&self.alt));
        }
    }
}

impl Pixels {
    fn sides(&self) -> Result<(usize, usize), PictureError> {
        let (width, height, bytes) = (self.width, self.height, self.rgb.len());
        let expected = width
            .checked_mul(height)
            .and_then(|pixels| pixels.checked_mul(3));
        if bytes == 0 || expected != Some(bytes) {
            return Err(PictureError::Sides {
                width,
                height,
                bytes,
            });
        }
        Ok((width, height))
    }

    /// The same picture with sides divided by whole numbers or more, so that the longer one is at most
    /// `side`: each pixel is the mean of what it covers. Smaller pictures stay as they are.
    pub(crate) fn shrunk(&self, side: usize) -> Self {
        let longest = self.width.max(self.height);
        if longest <= side || side == 0 {
            return self.clone();
        }
        let scaled = |own: usize| (own * side).div_ceil(longest).clamp(1, side);
        let (width, height) = (scaled(self.width), scaled(self.height));
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            let rows = y * self.height / height..((y + 1) * self.height).div_ceil(height);
            for x in 0..width {
                let columns = x * self.width / width..((x + 1) * self.width).div_ceil(width);
                let count = (rows.len() * columns.len()) as u32;
                let mut sums = [0_u32; 3];
                for row in rows.clone() {
                    for column in columns.clone() {
                        let pixel = &self.rgb[(row * self.width + column) * 3..][..3];
                        for (sum, value) in sums.iter_mut().zip(pixel) {
                            *sum += u32::from(*value);
                        }
                    }
                }
                rgb.extend(sums.map(|sum| ((sum + count / 2) / count) as u8));
            }
        }
        Self { width, height, rgb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn striped(width: usize, height: usize) -> Pixels {
        let rgb = (0..width * height).flat_map(|i| [[0, 10, 200], [100, 30, 200]][i % width % 2]);
        Pixels {
            width,
            height,
            rgb: rgb.collect(),
        }
    }

    #[test]
    fn a_drawing_keeps_its_pixels() {
        let pixels = striped(5, 3);
        let picture = Picture::png(&pixels, "stripes").unwrap();
        let read = image::load_from_memory(&picture.bytes).unwrap().to_rgb8();
        assert_eq!(read.into_raw(), pixels.rgb);
    }

    #[test]
    fn shrinking_gives_the_mean() {
        let small = striped(8, 8).shrunk(4);
        assert_eq!((small.width, small.height), (4, 4));
        assert!(
            small
                .rgb
                .as_chunks()
                .0
                .iter()
                .all(|pixel| *pixel == [50, 20, 200])
        );
        assert_eq!(striped(4, 2).shrunk(4), striped(4, 2));
        let odd = striped(7, 3).shrunk(5);
        assert_eq!((odd.width, odd.height), (5, 3));
    }

    #[test]
    fn a_page_holds_the_picture_itself_and_says_what_it_is() {
        let picture = Picture::jpeg(&striped(16, 8), "a \"cat\" <b>\u{7}").unwrap();
        let text = picture.render().into_string();
        assert!(
            text.starts_with("<img src=\"data:image/jpeg;base64,/9j/"),
            "{text}"
        );
        assert!(
            text.contains("alt=\"a &quot;cat&quot; &lt;b&gt;\\u0007\""),
            "{text}"
        );
    }

    #[test]
    fn sides_that_do_not_fit_are_errors() {
        let mut pixels = striped(4, 4);
        pixels.rgb.pop();
        assert!(Picture::jpeg(&pixels, "").is_err());
        assert!(Picture::png(&pixels, "").is_err());
        let wide = Pixels {
            width: 70_000,
            height: 1,
            rgb: vec![0; 210_000],
        };
        assert!(Picture::jpeg(&wide, "").is_err());
    }
}
