//! Resizes pixels of images that are not ordinary JPEGs.

use std::error::Error;

use fast_image_resize::images::TypedImage;
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{ResizeAlg, ResizeOptions, Resizer};

use super::Rgb;
use super::geometry::CropBox;
use super::options::{DecodeOptions, Filter};

// Images are of the type that the resizer makes between its two passes: another one is compiled for itself, half a
// megabyte of code.
type Image<'a> = TypedImage<'a, U8x3>;

/// Makes the region `crop` of an image a square of `size` pixels a side in `record`.
pub(super) fn resize(
    resizer: &mut Resizer,
    mut image: Rgb,
    crop: CropBox,
    options: &DecodeOptions,
    record: &mut [u8],
    size: u32,
) -> Result<(), Box<dyn Error>> {
    let source = Image::from_buffer(image.width, image.height, &mut image.pixels)?;
    let mut target = Image::from_buffer(size, size, record)?;
    let mut convolve = |source: &Image<'_>, target: &mut Image<'_>, crop: CropBox| {
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(options.filter_type()))
            .crop(crop.left, crop.top, crop.width, crop.height);
        // The call without a type is compiled for all thirteen pixel types: a fifth of every build.
        resizer.resize_typed(source, target, &options)
    };
    // Between its two passes the resizer (6.1.0) keeps the columns that the first and the last pixel need. In
    // between, some need one more where a bicubic enlargement puts the first or the last pixel right on one of the
    // image: weights of zero are left out there. It then reads pixels of other rows, or beyond its memory. A pass
    // for each call keeps all columns, and the weights, so the pixels of all other images, are the same.
    if options.filter == Filter::Bicubic && crop.width < f64::from(size) {
        let reach = options.filter_reach().ceil() + 1.0;
        let end = (crop.left + crop.width + reach).ceil();
        let columns = end.min(f64::from(image.width));
        let mut between = Image::new(columns as u32, size);
        let down = CropBox {
            left: 0.0,
            width: columns,
            ..crop
        };
        let across = CropBox {
            top: 0.0,
            height: f64::from(size),
            ..crop
        };
        convolve(&source, &mut between, down)?;
        convolve(&between, &mut target, across)?;
    } else {
        convolve(&source, &mut target, crop)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::geometry::center_square;
    use super::*;

    /// One line of pixels resized by the filter's definition; `step` is from one pixel to the next.
    fn naive(
        line: &[f64],
        start: f64,
        length: f64,
        size: u32,
        options: &DecodeOptions,
    ) -> Vec<f64> {
        let scale = length / f64::from(size);
        let wide = scale.max(1.0);
        let pixel = |out: u32| {
            let center = start + (f64::from(out) + 0.5) * scale - 0.5;
            let weight = |at: usize| options.weight((at as f64 - center) / wide);
            let sum: f64 = (0..line.len()).map(weight).sum();
            let value = line
                .iter()
                .enumerate()
                .map(|(at, value)| value * weight(at))
                .sum::<f64>();
            (value / sum).round().clamp(0.0, 255.0)
        };
        (0..size).map(pixel).collect()
    }

    #[test]
    fn enlarged_pixels_come_from_their_own_rows() {
        let size = 12;
        for filter in [Filter::Bicubic, Filter::Bilinear, Filter::Lanczos3] {
            let options = DecodeOptions {
                filter,
                ..DecodeOptions::default()
            };
            for (width, height) in (3..40).flat_map(|width| [(width, 4), (4, width), (width, 9)]) {
                let value = |x: u32, y: u32| (x * 97 + y * 59 + x * y * 31) as u8;
                let rows = (0..height).flat_map(|y| (0..width).map(move |x| value(x, y)));
                let pixels: Vec<u8> = rows.flat_map(|value| [value, 255 - value, 7]).collect();
                let crop = center_square(width, height, size);
                let mut record = vec![0; (size * size * 3) as usize];
                let image = Rgb {
                    width,
                    height,
                    pixels,
                };
                resize(
                    &mut Resizer::new(),
                    image,
                    crop,
                    &options,
                    &mut record,
                    size,
                )
                .unwrap();
                let columns = (0..width).map(|x| {
                    let column: Vec<f64> = (0..height).map(|y| value(x, y).into()).collect();
                    naive(&column, crop.top, crop.height, size, &options)
                });
                let columns: Vec<Vec<f64>> = columns.collect();
                for y in 0..size as usize {
                    let row: Vec<f64> = columns.iter().map(|column| column[y]).collect();
                    let wanted = naive(&row, crop.left, crop.width, size, &options);
                    for (x, wanted) in wanted.into_iter().enumerate() {
                        let found = f64::from(record[(y * size as usize + x) * 3]);
                        let text =
                            format!("{filter} {width}x{height}, {x} {y}: {found} for {wanted}");
                        assert!((found - wanted).abs() <= 2.0, "{text}");
                    }
                }
            }
        }
    }
}
