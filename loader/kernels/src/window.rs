//! The part of a record that a row of a batch shows, and how its values are changed and laid out.

/// An image: rows of R, G, B.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// The bytes, three a pixel.
    pub rgb: &'a [u8],
    /// Columns.
    pub width: usize,
}

/// A part of an image, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rectangle {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
}

/// A square window of an image.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// The image: rows of R, G, B.
    pub rgb: &'a [u8],
    /// Columns of the image.
    pub width: usize,
    /// First row of the window.
    pub top: usize,
    /// First column of the window.
    pub left: usize,
    /// Side of the window, in pixels.
    pub crop: usize,
    /// Whether it is reflected left to right.
    pub flip: bool,
}

impl<'a> Window<'a> {
    pub(crate) fn row(&self, y: usize) -> &'a [u8] {
        let start = ((self.top + y) * self.width + self.left) * 3;
        &self.rgb[start..start + self.crop * 3]
    }

    /// Panics if the window does not lie in its image or `values` is not the number of its values.
    pub(crate) fn check(&self, values: usize) {
        assert_eq!(values, self.crop * self.crop * 3, "values of the output");
        assert!(
            self.left + self.crop <= self.width
                && (self.top + self.crop) * self.width * 3 <= self.rgb.len(),
            "a window out of its record's range"
        );
    }
}

/// A value `v` of channel `c` becomes `v * scale[c] + offset[c]`, which must stay finite.
#[derive(Clone, Copy, Debug)]
pub struct Affine {
    /// Factors of R, G, B.
    pub scale: [f32; 3],
    /// What is added to R, G, B.
    pub offset: [f32; 3],
}

/// Order of a batch's axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Rows, height, width, channels.
    Nhwc,
    /// Rows, channels, height, width.
    Nchw,
}
