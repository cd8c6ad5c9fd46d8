//! From colour planes to a record. Colours that were sampled down are brought to the size of the
//! luminance as libjpeg does it, so that pixels are the same as other tools'; then one resize of
//! three channels, which is faster than three of one.

use fast_image_resize::images::{CroppedImage, Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::baseline::{Plane, Region};
use super::options::DecodeOptions;
use super::upsample::Upsampled;
use super::vectorise::vectorised;
use crate::geometry::CropBox;

/// Memory for pixels on their way.
#[derive(Debug, Default)]
pub(super) struct Planar {
    grey: Vec<u8>,
    rgb: Vec<u8>,
    blue: Upsampled,
    red: Upsampled,
}

/// How a resize is done.
struct Job<'a> {
    resizer: &'a mut Resizer,
    crop: CropBox,
    filter: FilterType,
    size: u32,
}

impl Planar {
    /// Resizes `crop`, a region of the whole image, into `record`, `size * size` pixels of RGB.
    /// `None` if the resizer refuses.
    pub(super) fn resize(
        &mut self,
        resizer: &mut Resizer,
        planes: &[Plane],
        crop: CropBox,
        options: &DecodeOptions,
        record: &mut [u8],
    ) -> Option<()> {
        let pixels = record.len() / 3;
        let mut job = Job {
            resizer,
            crop,
            filter: options.filter_type(),
            size: pixels.isqrt() as u32,
        };
        if let [luma, blue, red] = planes {
            self.rgb.resize(luma.pixels.len() * 3, 0);
            let Self {
                rgb,
                blue: blues,
                red: reds,
                ..
            } = self;
            vectorised(
                #[inline(always)]
                || whole_colours(luma, [blue, red], [blues, reds], rgb),
            );
            return job.run(luma, rgb, PixelType::U8x3, record);
        }
        let luma = planes.first()?;
        self.grey.resize(pixels, 0);
        job.run(luma, &luma.pixels, PixelType::U8, &mut self.grey)?;
        for (pixel, &level) in record.chunks_exact_mut(3).zip(&self.grey) {
            pixel.fill(level);
        }
        Some(())
    }
}

/// Puts the colours of all of the luminance's pixels together.
#[inline(always)]
fn whole_colours(
    luma: &Plane,
    colours_of: [&Plane; 2],
    [blues, reds]: [&mut Upsampled; 2],
    rgb: &mut [u8],
) {
    let [blue, red] = colours_of;
    if blue.across * blue.down == 1 {
        return colours(&luma.pixels, &blue.pixels, &red.pixels, rgb);
    }
    let rows = luma.pixels.chunks_exact(luma.stride);
    let rows = rows.zip(rgb.chunks_exact_mut(luma.stride * 3));
    for (y, (row, rgb)) in rows.enumerate().take(luma.height) {
        let place = (luma.left, luma.top + y);
        blues.fill(blue, place, luma.width);
        reds.fill(red, place, luma.width);
        colours(&row[..luma.width], &blues.row, &reds.row, rgb);
    }
}

impl Job<'_> {
    /// Resizes `stored`, the pixels of `plane` or as many of another kind.
    fn run(
        &mut self,
        plane: &Plane,
        stored: &[u8],
        kind: PixelType,
        target: &mut [u8],
    ) -> Option<()> {
        let mut target = Image::from_slice_u8(self.size, self.size, target, kind).ok()?;
        let rows = plane.pixels.len() / plane.stride;
        let stored = ImageRef::new(plane.stride as u32, rows as u32, stored, kind).ok()?;
        let (width, height) = (plane.width as u32, plane.height as u32);
        let source = CroppedImage::new(&stored, 0, 0, width, height).ok()?;
        let cut = |start: f64, length: f64, step: usize, offset: usize, most: usize| {
            let start = (start / step as f64 - offset as f64).max(0.0);
            (start, (length / step as f64).min(most as f64 - start))
        };
        let crop = self.crop;
        let (left, width) = cut(crop.left, crop.width, plane.across, plane.left, plane.width);
        let (top, height) = cut(crop.top, crop.height, plane.down, plane.top, plane.height);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(self.filter))
            .crop(left, top, width, height);
        self.resizer.resize(&source, &mut target, &options).ok()
    }
}

/// The pixels that resizing `crop` to `size` looks at, with some to spare.
pub(super) fn region(
    crop: CropBox,
    size: u32,
    options: &DecodeOptions,
    (width, height): (usize, usize),
) -> Region {
    let span = |start: f64, length: f64, most: usize| {
        let reach = options.filter_reach() * (length / f64::from(size)).max(1.0) + 2.0;
        let from = (start - reach).max(0.0) as usize;
        (from, ((start + length + reach).ceil() as usize).min(most))
    };
    let (left, right) = span(crop.left, crop.width, width);
    let (top, bottom) = span(crop.top, crop.height, height);
    Region {
        left,
        top,
        right,
        bottom,
    }
}

/// JFIF 1.02, in 1/65536.
#[inline(always)]
fn colours(luma: &[u8], blue: &[u8], red: &[u8], record: &mut [u8]) {
    for (((pixel, &luma), &blue), &red) in record.chunks_exact_mut(3).zip(luma).zip(blue).zip(red) {
        let luma = (i32::from(luma) << 16) + (1 << 15);
        let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
        let level = |value: i32| (value >> 16).clamp(0, 255) as u8;
        pixel[0] = level(luma + 91_881 * red);
        pixel[1] = level(luma - 22_554 * blue - 46_802 * red);
        pixel[2] = level(luma + 116_130 * blue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_jfif() {
        for (ycc, wanted) in [
            ([0, 128, 128], [0, 0, 0]),
            ([255, 128, 128], [255, 255, 255]),
            ([76, 85, 255], [254, 0, 0]),
            ([150, 44, 21], [0, 255, 1]),
            ([29, 255, 107], [0, 0, 254]),
        ] {
            let mut pixel = [0; 3];
            colours(&ycc[..1], &ycc[1..2], &ycc[2..], &mut pixel);
            assert_eq!(pixel, wanted);
        }
    }
}
