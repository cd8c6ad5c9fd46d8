//! Decodes one image after another.

use crate::damage::{Error, Report, Warnings};
use crate::entropy::Entropy;
use crate::float::Float;
use crate::header::Image;
use crate::planes::{Plane, Region, shape};
use crate::rows::Memory;
use crate::sequential::{Codes, Reading, Scan, straddling, tools};
use crate::vectorise::vectorised;

/// How far an image is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Down to the last row that is needed: damage after it is not seen.
    #[default]
    Needed,
    /// To the end.
    Whole,
}

/// How an image is decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How far it is looked at.
    pub extent: Extent,
}

/// Decodes one image after another; keeps memory and tables from one to the next.
#[derive(Debug, Default)]
pub struct Decoder {
    pub(crate) planes: Vec<Plane>,
    pub(crate) entropy: Entropy,
    pub(crate) codes: Box<Codes>,
    pub(crate) memory: Memory,
}

impl Decoder {
    /// Decodes a region of an image: its grey plane, or luminance and two colour differences, each at the
    /// size it is stored at. Valid until the next call.
    ///
    /// Damage is seen in the rows down to the region's last one, and in all of them with [`Extent::Whole`] or
    /// if the file has no end marker.
    ///
    /// # Errors
    /// Damage in the rows that were looked at, or a kind of JPEG that is not known.
    pub fn planes(
        &mut self,
        image: &Image<'_>,
        region: Region,
        options: Options,
    ) -> Result<(&[Plane], Report), Error> {
        let header = &image.header;
        let irregular = || Error::Unsupported("irregular");
        self.codes.fill(header).ok_or_else(irregular)?;
        let data = image.bytes.get(header.data..).ok_or_else(irregular)?;
        self.entropy.take(data);
        if !matches!(self.entropy.behind, Some(0xD9) | None) {
            return Err(irregular());
        }
        let Self {
            planes,
            entropy,
            codes,
            ..
        } = self;
        let tools = tools(header, codes, region, straddling).ok_or_else(irregular)?;
        shape(planes, header, &tools);
        let no_end = entropy.behind.is_none();
        let scan = Scan {
            header,
            tools,
            planes,
            entropy,
            transform: Float::new(header).ok_or_else(irregular)?,
            reading: match options.extent == Extent::Whole || no_end {
                true => Reading::Whole,
                false => Reading::Down,
            },
        };
        // The closure must be moved into the call: see `vectorise.rs`.
        let extra_bytes = vectorised(
            #[inline(always)]
            || scan.run(|_, _| ()),
        )?;
        let warnings = Warnings {
            extra_bytes,
            no_end,
        };
        Ok((&self.planes, Report { warnings }))
    }
}
