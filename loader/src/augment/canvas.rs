//! Where a window is drawn at its final size before the kernel takes it, for policies that resize
//! or change colours beyond a shift. The result is bytes; the kernel reflects and normalises them.

use fast_image_resize::images::{CroppedImage, Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use shardmill_formats::RecordShape;

use super::View;
use super::kernel::Colours;

/// A worker's canvas.
#[derive(Default)]
pub(crate) struct Canvas {
    resizer: Resizer,
    colours: Colours,
    rgb: Vec<u8>,
}

impl Canvas {
    /// The view's part of `record` at `crop` by `crop` pixels, tinted but not reflected.
    ///
    /// Resizing is bilinear with antialiasing over the window alone, as if it had been cut out
    /// first; integer sums give the same bytes on every processor.
    pub(crate) fn draw(
        &mut self,
        record: &[u8],
        shape: RecordShape,
        view: &View,
        crop: usize,
    ) -> &mut [u8] {
        self.rgb.resize(crop * crop * 3, 0);
        let pitch = shape.width as usize * 3;
        if (view.height, view.width) == (crop, crop) {
            let rows = record.chunks_exact(pitch).skip(view.top);
            for (out, row) in self.rgb.chunks_exact_mut(crop * 3).zip(rows) {
                out.copy_from_slice(&row[view.left * 3..][..crop * 3]);
            }
        } else {
            self.resize(record, shape, view, crop);
        }
        if let Some(tint) = &view.tint {
            self.colours.tint(tint, &mut self.rgb);
        }
        &mut self.rgb
    }

    fn resize(&mut self, record: &[u8], shape: RecordShape, view: &View, crop: usize) {
        let kind = PixelType::U8x3;
        let source = ImageRef::new(shape.width, shape.height, record, kind)
            .expect("a record holds its pixels");
        let side = |pixels: usize| pixels as u32;
        let window = CroppedImage::new(
            &source,
            side(view.left),
            side(view.top),
            side(view.width),
            side(view.height),
        )
        .expect("a window lies in its record");
        let mut out = Image::from_slice_u8(side(crop), side(crop), &mut self.rgb, kind)
            .expect("the canvas holds its pixels");
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        self.resizer
            .resize(&window, &mut out, &options)
            .expect("both images have three bytes a pixel");
    }
}

#[cfg(test)]
mod tests;
