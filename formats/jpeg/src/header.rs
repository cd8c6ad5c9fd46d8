//! What a file says in front of its pixels: everything up to the data of the first scan.

use crate::colour_space::{ColourMarks, ColourSpace};
use crate::damage::{Damage, Error, Warnings};
use crate::frame::{Component, Frame, unsupported};
use crate::scan_header::ScanHeader;
use crate::segments::Segments;
use crate::tables::{Steps, Tables};

/// A JPEG whose headers were read.
#[derive(Debug)]
pub struct Image<'a> {
    pub(crate) header: Header<'a>,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Image<'a> {
    /// Reads the headers of a file, up to its first scan. Takes no memory for pixels, whatever their number.
    ///
    /// # Errors
    /// A kind of JPEG that is not known, or headers that give no picture.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let header = Header::parse(bytes)?;
        Ok(Self { header, bytes })
    }

    /// Columns, in pixels.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.header.frame.width
    }

    /// Rows, in pixels.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.header.frame.height
    }

    /// What the components are.
    #[must_use]
    pub const fn colour_space(&self) -> ColourSpace {
        self.header.space
    }

    /// Pixels of the image across and down for each sample of each component, from 1 to 4.
    pub fn ratios(&self) -> impl ExactSizeIterator<Item = (usize, usize)> {
        let frame = &self.header.frame;
        frame.components.iter().map(|part| frame.ratio(part))
    }

    /// Whether the image comes in one scan of all components, which is decoded as it comes; of any other image all
    /// coefficients are kept in memory until the last scan was read, two bytes for each sample.
    #[must_use]
    pub fn is_one_scan(&self) -> bool {
        let Header { frame, scan, .. } = &self.header;
        let places = scan.places().iter().copied();
        !frame.progressive && places.eq(0..frame.components.len())
    }

    /// The first EXIF block, without its `Exif` mark: a TIFF header and its directories.
    #[must_use]
    pub const fn exif(&self) -> Option<&'a [u8]> {
        self.header.exif
    }
}

/// Everything in front of the entropy-coded data.
#[derive(Clone, Debug)]
pub(crate) struct Header<'a> {
    pub(crate) frame: Frame,
    pub(crate) tables: Tables,
    /// The first scan.
    pub(crate) scan: ScanHeader,
    pub(crate) space: ColourSpace,
    pub(crate) exif: Option<&'a [u8]>,
    pub(crate) warnings: Warnings,
    /// Where the data begins.
    pub(crate) data: usize,
}

impl<'a> Header<'a> {
    /// Step sizes of each component as they stand at the first scan; `None` if some are missing.
    pub(crate) fn steps(&self) -> Option<[Steps; 4]> {
        let mut all = [[0; 64]; 4];
        for (steps, component) in all.iter_mut().zip(&self.frame.components) {
            *steps = (*self.tables.quantisers.get(component.quantiser)?)?;
        }
        Some(all)
    }

    fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        if !bytes.starts_with(&[0xFF, 0xD8]) {
            return Err(Damage::Header("it does not begin as a JPEG").into());
        }
        let mut segments = Segments::new(bytes, 2);
        let mut frame: Option<Frame> = None;
        let mut exif = None;
        let mut tables = Tables::default();
        let mut marks = ColourMarks::default();
        loop {
            let (marker, body) = segments.next()?;
            if let Some(name) = unsupported(marker) {
                return Err(Error::Unsupported(name));
            }
            match marker {
                0xC0..=0xC2 if frame.is_some() => {
                    return Err(Damage::Header("it has two frame headers").into());
                }
                0xC0..=0xC2 => frame = Some(Frame::parse(marker, body)?),
                0xC4 | 0xCC | 0xDB | 0xDD => tables.define(marker, body)?,
                0xDA => {
                    let none = Damage::Header("it has no frame header");
                    let mut frame = frame.ok_or(none)?;
                    let scan = ScanHeader::parse(body, &mut frame)?;
                    frame.check_unit(scan.places())?;
                    if !frame.progressive {
                        tables.complete();
                    }
                    let mut warnings = Warnings {
                        extra_bytes: segments.extra,
                        odd_header: !frame.progressive && !scan.is_sequential(),
                        ..Warnings::default()
                    };
                    let ids = frame.components.iter().map(|part: &Component| part.id);
                    let space = marks.space(ids, &mut warnings);
                    return Ok(Self {
                        space: space.ok_or(Error::Unsupported("many-component"))?,
                        frame,
                        tables,
                        scan,
                        exif,
                        warnings,
                        data: segments.at,
                    });
                }
                0xE0..=0xEF => {
                    marks.look(marker, body);
                    if marker == 0xE1 && exif.is_none() {
                        exif = body.strip_prefix(b"Exif\0\0");
                    }
                }
                // A comment.
                0xFE => {}
                0xD9 => return Err(Damage::Ends.into()),
                _ => return Err(Damage::Header("it holds a marker that is none").into()),
            }
        }
    }
}
