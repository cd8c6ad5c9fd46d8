//! Where a window is drawn at its final size before the kernel takes it, for policies that resize
//! or change colours beyond a shift. The result is bytes; the kernel reflects and normalises them.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::colour::Colours;
use crate::tint::Tint;
use crate::window::{Image, Rectangle};

/// A worker's canvas.
#[derive(Default)]
pub struct Canvas {
    resizer: Resizer,
    colours: Colours,
    rgb: Vec<u8>,
}

impl Canvas {
    /// The part of `image` that `area` names, at `crop` by `crop` pixels, tinted.
    ///
    /// Resizing is bilinear with antialiasing over the area alone, as if it had been cut out first;
    /// integer sums give the same bytes on every processor.
    ///
    /// # Panics
    /// If the area does not lie in the image.
    pub fn draw(
        &mut self,
        image: Image<'_>,
        area: Rectangle,
        tint: Option<&Tint>,
        crop: usize,
    ) -> &mut [u8] {
        self.rgb.resize(crop * crop * 3, 0);
        if (area.height, area.width) == (crop, crop) {
            let rows = image.rgb.chunks_exact(image.width * 3).skip(area.top);
            for (out, row) in self.rgb.chunks_exact_mut(crop * 3).zip(rows) {
                out.copy_from_slice(&row[area.left * 3..][..crop * 3]);
            }
        } else {
            self.resize(image, area, crop);
        }
        if let Some(tint) = tint {
            self.colours.tint(tint, &mut self.rgb);
        }
        &mut self.rgb
    }

    fn resize(&mut self, image: Image<'_>, area: Rectangle, crop: usize) {
        let side = |pixels: usize| pixels as u32;
        let height = image.rgb.len() / (image.width * 3);
        let source = TypedImageRef::<U8x3>::from_buffer(side(image.width), side(height), image.rgb)
            .expect("an image holds its pixels");
        let window = TypedCroppedImage::new(
            source,
            side(area.left),
            side(area.top),
            side(area.width),
            side(area.height),
        )
        .expect("an area lies in its image");
        let mut out = TypedImage::<U8x3>::from_buffer(side(crop), side(crop), &mut self.rgb)
            .expect("the canvas holds its pixels");
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        // The call without a type is compiled for all thirteen pixel types: a fifth of every build.
        self.resizer
            .resize_typed(&window, &mut out, &options)
            .expect("no image is larger than the resizer takes");
    }
}
