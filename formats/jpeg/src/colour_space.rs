//! Which colours the components of a JPEG are: libjpeg's rule, which everybody's pictures are made for.

use crate::damage::Warnings;

/// Meaning of a frame's components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColourSpace {
    /// One component.
    Grey,
    /// Luminance and two colour differences (JFIF 1.02).
    YCbCr,
    /// Red, green and blue.
    Rgb,
    /// Four inks, inverted in most files: 255 is no ink.
    Cmyk,
    /// The first three inks of [`Cmyk`](Self::Cmyk), as a luminance and two colour differences, and black.
    Ycck,
}

/// The marks in front of a scan that say something about colours.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ColourMarks {
    /// Major version of the last JFIF segment.
    jfif: Option<u8>,
    /// Transform of the last Adobe segment.
    adobe: Option<u8>,
}

impl ColourMarks {
    /// Looks at a segment; most say nothing about colours.
    pub(crate) fn look(&mut self, marker: u8, body: &[u8]) {
        match marker {
            0xE0 if body.len() >= 14 && body.starts_with(b"JFIF\0") => self.jfif = Some(body[5]),
            0xEE if body.len() >= 12 && body.starts_with(b"Adobe") => self.adobe = Some(body[11]),
            _ => {}
        }
    }

    /// The colours of components with these identifiers; `None` if there are two, or more than four. Marks that
    /// libjpeg warns of are noted in `warnings`.
    ///
    /// JFIF comes before Adobe, and Adobe before identifiers (`default_decompress_parms` of libjpeg).
    pub(crate) fn space(
        self,
        mut ids: impl ExactSizeIterator<Item = u8>,
        warnings: &mut Warnings,
    ) -> Option<ColourSpace> {
        warnings.jfif_version |= self.jfif.is_some_and(|major| major != 1);
        let mut unknown = |space| {
            warnings.adobe_transform = true;
            Some(space)
        };
        match (ids.len(), self.adobe) {
            (1, _) => Some(ColourSpace::Grey),
            (3, _) if self.jfif.is_some() => Some(ColourSpace::YCbCr),
            (3, Some(0)) => Some(ColourSpace::Rgb),
            (3, None) if ids.by_ref().eq(*b"RGB") => Some(ColourSpace::Rgb),
            (3, None | Some(1)) => Some(ColourSpace::YCbCr),
            (3, Some(_)) => unknown(ColourSpace::YCbCr),
            (4, None | Some(0)) => Some(ColourSpace::Cmyk),
            (4, Some(2)) => Some(ColourSpace::Ycck),
            (4, Some(_)) => unknown(ColourSpace::Ycck),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_nobody_knows_are_noted() {
        let marks = |jfif, adobe| ColourMarks { jfif, adobe };
        let noted = |marks: ColourMarks, ids: &[u8]| {
            let mut warnings = Warnings::default();
            let space = marks.space(ids.iter().copied(), &mut warnings);
            (
                space.unwrap(),
                warnings.jfif_version,
                warnings.adobe_transform,
            )
        };
        let (three, four) = (&[1, 2, 3][..], &[1, 2, 3, 4][..]);
        let (luma, inks) = (ColourSpace::YCbCr, ColourSpace::Ycck);
        assert_eq!(noted(marks(Some(1), Some(7)), three), (luma, false, false));
        assert_eq!(noted(marks(Some(2), None), three), (luma, true, false));
        assert_eq!(noted(marks(None, Some(1)), three), (luma, false, false));
        assert_eq!(noted(marks(None, Some(2)), three), (luma, false, true));
        assert_eq!(noted(marks(None, Some(2)), four), (inks, false, false));
        assert_eq!(noted(marks(Some(1), Some(1)), four), (inks, false, true));
        let grey = (ColourSpace::Grey, false, false);
        assert_eq!(noted(marks(None, Some(9)), &[1]), grey);
    }
}
