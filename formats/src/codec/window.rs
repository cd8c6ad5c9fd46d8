//! A part of a record, and the rows that it is decoded to.

use crate::shape::RecordShape;

/// A part of a record, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
}

/// Consecutive rows of a [`Window`].
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Number of the first one, counted from the window's top.
    pub top: usize,
    /// How many there are, at least one.
    pub count: usize,
    /// Interleaved R, G, B from the first pixel of the first row on. What lies behind a row's pixels is not
    /// the window's.
    pub rgb: &'a [u8],
    /// Bytes from the beginning of a row to the beginning of the next.
    pub stride: usize,
}

impl<'a> Rows<'a> {
    /// The rows, from the top down: `width` pixels each.
    pub fn iter(&self, width: usize) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let rows = self.rgb.chunks(self.stride).take(self.count);
        rows.map(move |row| &row[..width * 3])
    }
}

impl Window {
    /// All of a record.
    #[must_use]
    pub const fn whole(shape: RecordShape) -> Self {
        Self {
            top: 0,
            left: 0,
            height: shape.height as usize,
            width: shape.width as usize,
        }
    }

    /// Panics for a window without pixels, or one that does not lie in a record of this shape.
    pub(super) fn check(self, shape: RecordShape) {
        let within = |start: usize, length: usize, side: u32| {
            length > 0
                && start
                    .checked_add(length)
                    .is_some_and(|end| end <= side as usize)
        };
        assert!(
            within(self.top, self.height, shape.height)
                && within(self.left, self.width, shape.width),
            "{self:?} is out of the range of a record of {shape}"
        );
    }

    /// Rows of whole records, cut to the window's columns: `first` is counted from the record's top.
    pub(super) fn cut(self, rows: &[u8], stride: usize, first: usize, count: usize) -> Rows<'_> {
        Rows {
            top: first - self.top,
            count,
            rgb: &rows[self.left * 3..],
            stride,
        }
    }
}
