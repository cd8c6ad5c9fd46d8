//! The size of a dataset's records.

use crate::schema::SIDE_LIMIT;

/// Height and width of every record of a dataset, in pixels. A record has three channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordShape {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
}

impl RecordShape {
    /// A shape within the format's limits (1 to 8192 a side); `None` outside them.
    #[must_use]
    pub const fn new(height: u32, width: u32) -> Option<Self> {
        if height == 0 || width == 0 || height > SIDE_LIMIT || width > SIDE_LIMIT {
            return None;
        }
        Some(Self { height, width })
    }

    /// Pixels of a record.
    #[must_use]
    pub const fn pixels(self) -> usize {
        self.height as usize * self.width as usize
    }

    /// Bytes of a decoded record: three a pixel.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.pixels() * 3
    }
}

impl std::fmt::Display for RecordShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}
