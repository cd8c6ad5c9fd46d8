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
            // Longer from an earlier image is left as it is: clearing takes time.
            let bytes = luma.pixels().len() * 3;
            if self.rgb.len() < bytes {
                self.rgb.resize(bytes, 0);
            }
            let Self {
                rgb,
                blue: blues,
                red: reds,
                ..
            } = self;
            let rgb = &mut rgb[..bytes];
            vectorised(
                #[inline(always)]
                || whole_colours(luma, [blue, red], [blues, reds], rgb),
            );
            return job.run(luma, rgb, PixelType::U8x3, record);
        }
        let luma = planes.first()?;
        self.grey.resize(pixels, 0);
        job.run(luma, luma.pixels(), PixelType::U8, &mut self.grey)?;
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
        return colours(luma.pixels(), blue.pixels(), red.pixels(), rgb);
    }
    let rows = luma.pixels().chunks_exact(luma.stride);
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
        let rows = plane.pixels().len() / plane.stride;
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

/// Pixels put together at once: whole registers of 16-bit values, and their bytes.
const LANES: usize = 32;

/// JFIF 1.02, in 1/32 of a level, so that 16 bits are enough: the upper halves of 16-bit products.
#[inline(always)]
fn colours(luma: &[u8], blue: &[u8], red: &[u8], record: &mut [u8]) {
    let (lumas, luma_rest) = luma.as_chunks::<LANES>();
    let (blues, blue_rest) = blue.as_chunks::<LANES>();
    let (reds, red_rest) = red.as_chunks::<LANES>();
    let (records, record_rest) = record.split_at_mut(lumas.len() * LANES * 3);
    for (((record, luma), blue), red) in records
        .chunks_exact_mut(LANES * 3)
        .zip(lumas)
        .zip(blues)
        .zip(reds)
    {
        lanes(luma, blue, red, record);
    }
    if !luma_rest.is_empty() {
        let padded = |rest: &[u8]| {
            let mut values = [0; LANES];
            values[..rest.len()].copy_from_slice(rest);
            values
        };
        let mut last = [0; LANES * 3];
        lanes(
            &padded(luma_rest),
            &padded(blue_rest),
            &padded(red_rest),
            &mut last,
        );
        let wanted = luma_rest.len() * 3;
        record_rest[..wanted].copy_from_slice(&last[..wanted]);
    }
}

#[inline(always)]
fn lanes(luma: &[u8; LANES], blue: &[u8; LANES], red: &[u8; LANES], record: &mut [u8]) {
    // `factor` is in 1/8192, and a difference of 1 is 256.
    let part =
        |difference: i16, factor: i16| ((i32::from(difference) * i32::from(factor)) >> 16) as i16;
    let level = |value: i16| ((value + 16) >> 5).clamp(0, 255) as u8;
    let mut planes = [[0; LANES]; 3];
    for i in 0..LANES {
        let luma = i16::from(luma[i]) << 5;
        let (blue, red) = (
            (i16::from(blue[i]) - 128) << 8,
            (i16::from(red[i]) - 128) << 8,
        );
        planes[0][i] = level(luma + part(red, 11_485));
        planes[1][i] = level(luma - part(blue, 2_819) - part(red, 5_850));
        planes[2][i] = level(luma + part(blue, 14_516));
    }
    let (pixels, _) = record.as_chunks_mut::<3>();
    for (i, pixel) in pixels.iter_mut().enumerate().take(LANES) {
        *pixel = [planes[0][i], planes[1][i], planes[2][i]];
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

    /// The definition, in f64.
    fn naive([luma, blue, red]: [u8; 3]) -> [f64; 3] {
        let (luma, blue, red) = (
            f64::from(luma),
            f64::from(blue) - 128.0,
            f64::from(red) - 128.0,
        );
        [
            luma + 1.402 * red,
            luma - 0.344_136 * blue - 0.714_136 * red,
            luma + 1.772 * blue,
        ]
        .map(|level| level.clamp(0.0, 255.0))
    }

    #[test]
    fn colours_are_within_the_rounding_of_naive() {
        let mut sum = 0.0;
        for blue in 0..=255_u8 {
            for red in 0..=255_u8 {
                let luma: Vec<u8> = (0..53).map(|i| (i * 5) as u8 ^ blue ^ red).collect();
                let mut found = vec![0; luma.len() * 3];
                let (blues, reds) = (vec![blue; luma.len()], vec![red; luma.len()]);
                colours(&luma, &blues, &reds, &mut found);
                for (found, luma) in found.chunks_exact(3).zip(luma) {
                    for (found, exact) in found.iter().zip(naive([luma, blue, red])) {
                        let difference = f64::from(*found) - exact;
                        assert!(
                            difference.abs() < 0.57,
                            "{luma} {blue} {red}: {exact} {found}"
                        );
                        sum += difference;
                    }
                }
            }
        }
        let mean = sum / (53.0 * 3.0 * 65_536.0);
        assert!(mean.abs() < 0.02, "{mean}");
    }
}
