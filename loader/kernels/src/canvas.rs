//! Where a window is drawn at its final size before the kernel takes it, for changes of colour that need
//! its pixels first. The result is bytes; the kernel reflects and normalises them.

use crate::colour::Colours;
use crate::kernel::{Kernel, Values};
use crate::resize::Resize;
use crate::tint::Tint;
use crate::window::{Image, Layout, Rectangle};

/// A worker's canvas.
pub struct Canvas {
    resize: Resize,
    kernel: Kernel,
    colours: Colours,
    rgb: Vec<u8>,
}

impl Default for Canvas {
    /// The fastest code for this processor. What is drawn is read at once, so it stays in the caches.
    fn default() -> Self {
        Self {
            resize: Resize::default(),
            kernel: Kernel::new(false),
            colours: Colours::default(),
            rgb: Vec::new(),
        }
    }
}

impl Canvas {
    /// The part of `image` that `area` names, at `crop` by `crop` pixels, tinted.
    ///
    /// It is resized as by [`Resize`], unless it has that size.
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
        let values = Values::Bytes(&mut self.rgb);
        let mut slot = self.kernel.slot(crop, false, Layout::Nhwc, values);
        if (area.height, area.width) == (crop, crop) {
            slot.write(0, image.strip(area));
            drop(slot);
        } else {
            let mut window = self.resize.begin(area.height, area.width, slot);
            window.rows(image.strip(area));
        }
        if let Some(tint) = tint {
            self.colours.tint(tint, &mut self.rgb);
        }
        &mut self.rgb
    }
}
