//! From planes to rows of RGB, as soon as the samples are there.

use crate::colour::{ACROSS, convert};
use crate::colour_space::ColourSpace;
use crate::damage::{Damage, Error, Report, Warnings};
use crate::decoder::{Decoder, Extent, Options};
use crate::entropy::Entropy;
use crate::header::{Header, Image};
use crate::integer::Integer;
use crate::lanes::Lanes;
use crate::planes::{Plane, Region, shape};
use crate::sequential::{Reading, Scan, Tools, most, tools};
use crate::upsample::{Row, Way, reach};
use crate::vectorise::{WithLanes, vectorised_lanes};

/// Some finished rows of a region.
#[derive(Clone, Copy, Debug)]
pub struct Strip<'a> {
    /// Number of the first one, counted from the region's top.
    pub top: usize,
    /// Whole rows of interleaved RGB, `3 * (right - left)` bytes each: at least one.
    pub rgb: &'a [u8],
}

/// Memory for rows on their way.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    parts: [Row; 4],
    rgb: Vec<u8>,
}

/// Rows of a region that become RGB.
pub(crate) struct Rows<'a> {
    memory: &'a mut Memory,
    space: ColourSpace,
    region: Region,
    ways: [Way; 4],
    /// Rows that wait for the samples below them: 1 if rows are interpolated, else 0.
    lag: usize,
    /// The next row of the image.
    next: usize,
}

impl<'a> Rows<'a> {
    /// Rows of a region of an image that is `width` pixels wide, from planes of this shape.
    pub(crate) fn new(
        memory: &'a mut Memory,
        space: ColourSpace,
        width: usize,
        region: Region,
        planes: &[Plane],
    ) -> Self {
        let mut ways = [Way::Same; 4];
        for (way, plane) in ways.iter_mut().zip(planes) {
            *way = Way::of(plane.across, plane.down, width.div_ceil(plane.across));
        }
        Self {
            memory,
            space,
            region,
            ways,
            lag: usize::from(ways.into_iter().any(Way::looks_down)),
            next: region.top,
        }
    }

    /// Hands over the rows that can be made of planes whose samples are there for all rows of the image above
    /// `bottom`: a row that depends on the samples below waits for them, except at the image's end, which is
    /// where `last` is set.
    #[inline(always)]
    pub(crate) fn finish(
        &mut self,
        lanes: impl Lanes,
        planes: &[Plane],
        (bottom, last): (usize, bool),
        sink: &mut dyn FnMut(Strip<'_>),
    ) {
        let lag = if last { 0 } else { self.lag };
        let end = bottom.saturating_sub(lag).min(self.region.bottom);
        if end <= self.next {
            return;
        }
        let Memory { parts, rgb } = &mut *self.memory;
        let length = 3 * (self.region.right - self.region.left);
        let whole = length.next_multiple_of(3 * ACROSS);
        let rows = end - self.next;
        if rgb.len() < rows * length + 3 * ACROSS {
            rgb.resize(rows * length + 3 * ACROSS, 0);
        }
        for y in self.next..end {
            let mut made: [&[u8]; 4] = [&[]; 4];
            for (i, (plane, row)) in planes.iter().zip(&mut *parts).enumerate() {
                made[i] = row.make(plane, self.ways[i], y, self.region, ACROSS);
            }
            // The last chunk reaches into the next row, which is made after it.
            let start = (y - self.next) * length;
            convert(lanes, self.space, &made, &mut rgb[start..start + whole]);
        }
        sink(Strip {
            top: self.next - self.region.top,
            rgb: &rgb[..rows * length],
        });
        self.next = end;
    }
}

impl Decoder {
    /// Decodes a region of an image to RGB, and hands its rows over from the top down, some at a time: all of
    /// them if it succeeds. An image's pixels are those of libjpeg-turbo with its default settings, to the bit.
    ///
    /// Only the blocks that the region needs are decoded; with [`Extent::Needed`] restart markers are used to
    /// jump over others, so damage outside the region may not be seen. With [`Extent::Whole`] all blocks are
    /// looked at.
    ///
    /// # Errors
    /// Damage in what was looked at, or a kind of JPEG that is not known. Damage is found while rows are being
    /// made: those above it were handed over by then, and must be dropped by whoever wants all or nothing.
    ///
    /// # Panics
    /// If the region is empty, or not within the image.
    pub fn rgb(
        &mut self,
        image: &Image<'_>,
        region: Region,
        options: Options,
        sink: &mut dyn FnMut(Strip<'_>),
    ) -> Result<Report, Error> {
        let header = &image.header;
        assert!(
            region.left < region.right
                && region.right <= header.width
                && region.top < region.bottom
                && region.bottom <= header.height,
            "a region within the image"
        );
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
            memory,
        } = self;
        let tools = tools(header, codes, region, reach).ok_or_else(irregular)?;
        shape(planes, header, &tools);
        let space = match planes.len() {
            1 => ColourSpace::Grey,
            _ => ColourSpace::YCbCr,
        };
        let no_end = entropy.behind.is_none();
        let rows = Rows::new(memory, space, header.width, region, planes);
        let work = ToRgb {
            header,
            tools,
            planes,
            entropy,
            reading: match options.extent == Extent::Whole || no_end {
                true => Reading::Whole,
                false => Reading::Needed,
            },
            rows,
            sink,
        };
        let extra_bytes = vectorised_lanes(work).ok_or_else(irregular)??;
        let warnings = Warnings {
            extra_bytes,
            no_end,
        };
        Ok(Report { warnings })
    }
}

/// A scan that becomes rows.
struct ToRgb<'a> {
    header: &'a Header,
    tools: Vec<Tools<'a>>,
    planes: &'a mut [Plane],
    entropy: &'a Entropy,
    reading: Reading,
    rows: Rows<'a>,
    sink: &'a mut dyn FnMut(Strip<'_>),
}

impl WithLanes for ToRgb<'_> {
    type Output = Option<Result<bool, Damage>>;

    #[inline(always)]
    fn run(self, lanes: impl Lanes) -> Self::Output {
        let Self {
            header,
            mut rows,
            sink,
            ..
        } = self;
        let scan = Scan {
            header,
            tools: self.tools,
            planes: self.planes,
            entropy: self.entropy,
            transform: Integer::new(header, lanes)?,
            reading: self.reading,
        };
        let unit = 8 * most(header).1;
        Some(scan.run(
            #[inline(always)]
            |planes, done| {
                let bottom = (done * unit).min(header.height);
                let last = bottom == header.height;
                rows.finish(lanes, planes, (bottom, last), sink);
            },
        ))
    }
}
