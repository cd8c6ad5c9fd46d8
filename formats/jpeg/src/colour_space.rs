//! Which colours the components of a JPEG are: libjpeg's rule, which everybody's pictures are made for.

/// Meaning of a frame's components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourSpace {
    Grey,
    YCbCr,
    Rgb,
    Cmyk,
    Ycck,
}

/// The marks in front of a frame that say something about colours.
#[derive(Clone, Copy, Debug, Default)]
pub struct ColourMarks {
    jfif: bool,
    /// Transform of the last Adobe segment.
    adobe: Option<u8>,
}

impl ColourMarks {
    /// Looks at a segment; most say nothing about colours.
    pub fn look(&mut self, marker: u8, body: &[u8]) {
        match marker {
            0xE0 if body.len() >= 14 && body.starts_with(b"JFIF\0") => self.jfif = true,
            0xEE if body.len() >= 12 && body.starts_with(b"Adobe") => self.adobe = Some(body[11]),
            _ => {}
        }
    }

    /// The colours of components with these identifiers; `None` if there are two, or more than four.
    ///
    /// JFIF comes before Adobe, and Adobe before identifiers (`default_decompress_parms` of libjpeg).
    pub fn space(self, mut ids: impl ExactSizeIterator<Item = u8>) -> Option<ColourSpace> {
        match (ids.len(), self.adobe) {
            (1, _) => Some(ColourSpace::Grey),
            (3, _) if self.jfif => Some(ColourSpace::YCbCr),
            (3, Some(0)) => Some(ColourSpace::Rgb),
            (3, None) if ids.by_ref().eq(*b"RGB") => Some(ColourSpace::Rgb),
            (3, _) => Some(ColourSpace::YCbCr),
            (4, Some(0) | None) => Some(ColourSpace::Cmyk),
            (4, Some(_)) => Some(ColourSpace::Ycck),
            _ => None,
        }
    }
}

impl ColourSpace {
    /// The transform of an Adobe segment that says the same to every decoder.
    pub const fn adobe(self) -> u8 {
        match self {
            Self::Grey | Self::Rgb | Self::Cmyk => 0,
            Self::YCbCr => 1,
            Self::Ycck => 2,
        }
    }
}
