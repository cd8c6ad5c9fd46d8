//! The part of a record that a row of a batch shows, the rows that it arrives in, and how its values
//! are changed and laid out.

/// An image: rows of R, G, B.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// The bytes, three a pixel.
    pub rgb: &'a [u8],
    /// Columns.
    pub width: usize,
}

impl<'a> Image<'a> {
    /// The rows of the part that `area` names.
    ///
    /// # Panics
    /// If the area does not lie in the image.
    #[must_use]
    pub fn strip(&self, area: Rectangle) -> Strip<'a> {
        assert!(
            area.left + area.width <= self.width
                && (area.top + area.height) * self.width * 3 <= self.rgb.len(),
            "an area out of its image's range"
        );
        let start = (area.top * self.width + area.left) * 3;
        Strip {
            rgb: &self.rgb[start.min(self.rgb.len())..],
            stride: self.width * 3,
            rows: area.height,
        }
    }
}

/// Consecutive rows of R, G, B, as they come from a record or from a decoder.
#[derive(Clone, Copy, Debug)]
pub struct Strip<'a> {
    /// The bytes, from the first pixel of the first row on; what lies behind a row's pixels is not
    /// used.
    pub rgb: &'a [u8],
    /// Bytes from the beginning of a row to the beginning of the next.
    pub stride: usize,
    /// Number of rows.
    pub rows: usize,
}

impl<'a> Strip<'a> {
    /// The first `width` pixels of row `y`.
    #[inline(always)]
    pub(crate) fn row(&self, y: usize, width: usize) -> &'a [u8] {
        &self.rgb[y * self.stride..][..width * 3]
    }

    /// Panics if the strip does not hold its rows of `width` pixels each.
    pub(crate) fn check(&self, width: usize) {
        let last = self.rows.saturating_sub(1);
        let bytes = last * self.stride + width * 3;
        assert!(
            self.rows == 0 || bytes <= self.rgb.len(),
            "a strip of {} bytes does not hold {} rows of {width} pixels, {} bytes apart",
            self.rgb.len(),
            self.rows,
            self.stride
        );
    }
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
    /// The window's rows. Panics if it does not lie in its image.
    pub(crate) fn strip(&self) -> Strip<'a> {
        let image = Image {
            rgb: self.rgb,
            width: self.width,
        };
        image.strip(Rectangle {
            top: self.top,
            left: self.left,
            height: self.crop,
            width: self.crop,
        })
    }
}

/// Consecutive rows of a window of `crop` by `crop` pixels, on their way to its output.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    strip: Strip<'a>,
    /// Row of the window that is the strip's first.
    pub(crate) first: usize,
    pub(crate) crop: usize,
    /// Whether the rows are reflected left to right.
    pub(crate) flip: bool,
}

impl<'a> Part<'a> {
    /// Panics if the strip does not hold its rows, or if they do not lie in the window.
    pub(crate) fn new(strip: Strip<'a>, first: usize, crop: usize, flip: bool) -> Self {
        strip.check(crop);
        assert!(
            first + strip.rows <= crop,
            "rows {first} to {} of a window of {crop}",
            first + strip.rows
        );
        Self {
            strip,
            first,
            crop,
            flip,
        }
    }

    /// Number of rows.
    #[inline(always)]
    pub(crate) const fn rows(&self) -> usize {
        self.strip.rows
    }

    /// Row `y` of the part.
    #[inline(always)]
    pub(crate) fn row(&self, y: usize) -> &'a [u8] {
        self.strip.row(y, self.crop)
    }

    /// Where the part's values lie in the window's, in NHWC.
    #[inline(always)]
    pub(crate) fn interleaved<'o, T>(&self, out: &'o mut [T]) -> &'o mut [T] {
        let row = self.crop * 3;
        &mut out[self.first * row..][..self.strip.rows * row]
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
