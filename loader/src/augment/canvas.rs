//! Where a window is drawn at its final size before the kernel takes it, for policies that resize
//! or change colours beyond a shift. The result is bytes; the kernel reflects and normalises them.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
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
        let source = TypedImageRef::<U8x3>::from_buffer(shape.width, shape.height, record)
            .expect("a record holds its pixels");
        let side = |pixels: usize| pixels as u32;
        let window = TypedCroppedImage::new(
            source,
            side(view.left),
            side(view.top),
            side(view.width),
            side(view.height),
        )
        .expect("a window lies in its record");
        let mut out = TypedImage::<U8x3>::from_buffer(side(crop), side(crop), &mut self.rgb)
            .expect("the canvas holds its pixels");
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        // The call without a type is compiled for all thirteen pixel types: a fifth of every build.
        self.resizer
            .resize_typed(&window, &mut out, &options)
            .expect("no image is larger than the resizer takes");
    }
}

#[cfg(test)]
mod tests;
