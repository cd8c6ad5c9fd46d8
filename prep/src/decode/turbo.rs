//! Ordinary JPEGs by libjpeg-turbo, a C library: faster, but its build needs cmake and nasm.

use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat};

use super::segments::Segments;
use super::{Rgb, check_pixels};
use crate::reject::Reject;

/// The library's state and memory for one image after another.
#[derive(Default)]
pub(super) struct Turbo {
    decompressor: Option<Decompressor>,
    pixels: Vec<u8>,
}

impl Turbo {
    /// Decodes an undamaged image of the common colour spaces; `None` for any other, which is left
    /// to the general decoder. Its memory should come back by [`recycle`](Self::recycle).
    ///
    /// # Errors
    /// More pixels than are decoded.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<Option<Rgb>, Reject> {
        let segments = Segments::walk(bytes);
        if segments.unsupported().is_some() || segments.truncated(bytes) {
            return Ok(None);
        }
        if self.decompressor.is_none() {
            self.decompressor = Decompressor::new().ok();
        }
        let Some(decompressor) = &mut self.decompressor else {
            return Ok(None);
        };
        let Ok(header) = decompressor.read_header(bytes) else {
            return Ok(None);
        };
        let (width, height) = (header.width, header.height);
        check_pixels(width, height)?;
        if matches!(header.colorspace, Colorspace::CMYK | Colorspace::YCCK) {
            return Ok(None);
        }
        let mut pixels = std::mem::take(&mut self.pixels);
        pixels.resize(width * height * 3, 0);
        let target = Image {
            pixels: pixels.as_mut_slice(),
            width,
            pitch: width * 3,
            height,
            format: PixelFormat::RGB,
        };
        // A warning counts as an error here, so damaged data is left to the general decoder.
        if decompressor.decompress(bytes, target).is_err() {
            self.pixels = pixels;
            return Ok(None);
        }
        Ok(Some(Rgb {
            width: width as u32,
            height: height as u32,
            pixels,
        }))
    }

    /// Takes back the memory of an image.
    pub(super) fn recycle(&mut self, image: Rgb) {
        self.pixels = image.pixels;
    }
}
