//! Ordinary JPEGs, decoded only where the record needs them: baseline, one scan, grey or YCbCr.
//!
//! Colour planes are left at their own size, since resizing them brings them to the record's size
//! anyway. See `notes.md` for what this saves. Anything out of the ordinary, damage included, is
//! left to the general decoder.

mod header;
mod huffman;
mod idct;
mod tables;

use header::{Component, Header};
use huffman::Bits;
use tables::{Levels, Values};

use super::vectorise::vectorised;

/// Zeros behind the data, so that the bit buffer is refilled by whole words to its end.
const PADDING: usize = 8;

/// Bytes behind the pixels of a plane, so that whole registers can be read at its end.
const SPARE: usize = 32;

/// The region of an image that is needed, in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

/// One component of an image, cut to the whole blocks that the region needs.
#[derive(Debug, Default)]
pub(super) struct Plane {
    /// Pixels of the image across and down for each one of the plane.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Place of the first pixel within the whole plane.
    pub(super) left: usize,
    pub(super) top: usize,
    /// Pixels that belong to the image; rows are `stride` long.
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) stride: usize,
    /// Rows that there are, those that only fill up the last blocks included.
    pub(super) lines: usize,
    /// The pixels, and perhaps what a larger image left behind them.
    pub(super) memory: Vec<u8>,
}

/// Memory for one image after another.
#[derive(Debug, Default)]
pub(super) struct Baseline {
    planes: Vec<Plane>,
    /// Entropy-coded data without stuffed zeros and markers.
    data: Vec<u8>,
    /// Where each restart interval of `data` ends.
    ends: Vec<usize>,
    codes: Box<Codes>,
}

/// The codes of an image.
#[derive(Debug, Default)]
struct Codes {
    levels: [Levels; 4],
    values: [Values; 4],
}

/// An image that [`Baseline`] can decode.
pub(super) struct Ordinary<'a> {
    header: Header,
    bytes: &'a [u8],
}

impl<'a> Ordinary<'a> {
    /// `None` for an image out of the ordinary.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let header = Header::parse(bytes)?;
        Some(Self { header, bytes })
    }

    pub(super) const fn size(&self) -> (usize, usize) {
        (self.header.width, self.header.height)
    }
}

/// What a component is decoded with.
struct Tools<'a> {
    component: Component,
    levels: &'a Levels,
    values: &'a Values,
    factors: [f32; 64],
    /// Blocks of the plane that are kept: first and end, across and down.
    columns: (usize, usize),
    rows: (usize, usize),
    previous: i32,
}

impl Codes {
    /// Fills the tables that the components of an image use; `None` if there can be no such codes.
    fn fill(&mut self, header: &Header) -> Option<()> {
        let (mut levels, mut values) = ([false; 4], [false; 4]);
        for part in &header.components {
            if !std::mem::replace(levels.get_mut(part.dc)?, true) {
                self.levels[part.dc].fill(header.dc[part.dc].as_ref()?)?;
            }
            if !std::mem::replace(values.get_mut(part.ac)?, true) {
                self.values[part.ac].fill(header.ac[part.ac].as_ref()?)?;
            }
        }
        Some(())
    }
}

impl Baseline {
    /// Decodes a region of an image: its grey plane, or luminance and two colour differences.
    /// `None` if the data is damaged.
    pub(super) fn decode(&mut self, image: &Ordinary<'_>, region: Region) -> Option<&[Plane]> {
        let header = &image.header;
        self.codes.fill(header)?;
        self.unstuff(image.bytes.get(header.data..)?)?;
        let Self {
            planes,
            data,
            ends,
            codes,
        } = self;
        let mut tools = tools(header, codes, region)?;
        shape(planes, header, &tools);
        // The closure must be moved into the call: see `vectorise.rs`.
        vectorised(
            #[inline(always)]
            || scan(header, &mut tools, planes, data, ends),
        )?;
        Some(&self.planes)
    }

    /// Copies the data of the scan without stuffed zeros; `None` if more than one scan follows.
    fn unstuff(&mut self, mut bytes: &[u8]) -> Option<()> {
        self.data.clear();
        self.ends.clear();
        loop {
            let mark = memchr::memchr(0xFF, bytes)?;
            let next = *bytes.get(mark + 1)?;
            match next {
                0 => self.data.extend_from_slice(&bytes[..=mark]),
                0xFF => {
                    // A fill byte: the next one may begin a marker.
                    self.data.extend_from_slice(&bytes[..mark]);
                    bytes = &bytes[mark + 1..];
                    continue;
                }
                0xD0..=0xD7 => {
                    self.data.extend_from_slice(&bytes[..mark]);
                    self.ends.push(self.data.len());
                }
                0xD9 => {
                    self.data.extend_from_slice(&bytes[..mark]);
                    self.ends.push(self.data.len());
                    self.data.extend_from_slice(&[0; PADDING]);
                    return Some(());
                }
                _ => return None,
            }
            bytes = &bytes[mark + 2..];
        }
    }
}

/// Gives the planes the sizes that the blocks to keep need.
fn shape(planes: &mut Vec<Plane>, header: &Header, tools: &[Tools<'_>]) {
    let (most_across, most_down) = most(header);
    planes.resize_with(tools.len(), Plane::default);
    for (plane, tools) in planes.iter_mut().zip(tools) {
        let (across, down) = (
            most_across / tools.component.across,
            most_down / tools.component.down,
        );
        let (left, top) = (tools.columns.0 * 8, tools.rows.0 * 8);
        let (right, bottom) = (tools.columns.1 * 8, tools.rows.1 * 8);
        (plane.across, plane.down) = (across, down);
        (plane.left, plane.top) = (left, top);
        plane.width = right.min(header.width.div_ceil(across)) - left;
        plane.height = bottom.min(header.height.div_ceil(down)) - top;
        plane.stride = right - left;
        plane.lines = bottom - top;
        // Every block of it will be written, so nothing is cleared.
        let bytes = plane.stride * plane.lines + SPARE;
        if plane.memory.len() < bytes {
            plane.memory.resize(bytes, 0);
        }
    }
}

/// Most blocks across and down that a component has in a unit of the scan.
fn most(header: &Header) -> (usize, usize) {
    let components = || header.components.iter();
    (
        components().map(|part| part.across).max().unwrap_or(1),
        components().map(|part| part.down).max().unwrap_or(1),
    )
}

fn tools<'a>(header: &Header, codes: &'a Codes, region: Region) -> Option<Vec<Tools<'a>>> {
    let (most_across, most_down) = most(header);
    let tool = |&component: &Component| {
        // A plane pixel more on either side, for the one that straddles the edge.
        let span = |from: usize, to: usize, step: usize, length: usize| {
            let end = (to.div_ceil(step) + 1)
                .min(length.div_ceil(step))
                .div_ceil(8);
            ((from / step).saturating_sub(1) / 8, end)
        };
        let (across, down) = (most_across / component.across, most_down / component.down);
        Some(Tools {
            component,
            levels: codes.levels.get(component.dc)?,
            values: codes.values.get(component.ac)?,
            factors: idct::factors(header.quantisers.get(component.quantiser)?.as_ref()?),
            columns: span(region.left, region.right, across, header.width),
            rows: span(region.top, region.bottom, down, header.height),
            previous: 0,
        })
    };
    header.components.iter().map(tool).collect()
}

/// Decodes unit after unit, down to the last row that is needed.
#[inline(always)]
fn scan(
    header: &Header,
    tools: &mut [Tools<'_>],
    planes: &mut [Plane],
    data: &[u8],
    ends: &[usize],
) -> Option<()> {
    let (most_across, _) = most(header);
    let units = header.width.div_ceil(8 * most_across);
    let needed = |tools: &Tools<'_>| tools.rows.1.div_ceil(tools.component.down);
    let rows = tools.iter().map(needed).max()?;
    let mut intervals = ends.iter();
    let mut end = *intervals.next()?;
    let mut bits = Bits::new(data, 0);
    let mut left = header.restart;
    for row in 0..rows {
        for column in 0..units {
            if header.restart > 0 && left == 0 {
                if bits.position() > end * 8 {
                    return None;
                }
                bits = Bits::new(data, end);
                end = *intervals.next()?;
                left = header.restart;
                tools.iter_mut().for_each(|tools| tools.previous = 0);
            }
            left = left.wrapping_sub(1);
            for (tools, plane) in tools.iter_mut().zip(&mut *planes) {
                unit(&mut bits, tools, plane, row, column)?;
            }
        }
    }
    (bits.position() <= end * 8).then_some(())
}

/// Decodes the blocks of one component in one unit of the scan.
#[inline(always)]
fn unit(
    bits: &mut Bits<'_>,
    tools: &mut Tools<'_>,
    plane: &mut Plane,
    row: usize,
    column: usize,
) -> Option<()> {
    let Component { across, down, .. } = tools.component;
    for y in row * down..(row + 1) * down {
        for x in column * across..(column + 1) * across {
            let kept = (tools.columns.0..tools.columns.1).contains(&x)
                && (tools.rows.0..tools.rows.1).contains(&y);
            if !kept {
                bits.pass(tools.levels, tools.values, &mut tools.previous)?;
                continue;
            }
            let mut block = [0; 64];
            let length = bits.block(tools.levels, tools.values, &mut tools.previous, &mut block)?;
            // Ten coefficients fill the first four diagonals.
            let levels = match length {
                1 => idct::flat(&block, &tools.factors),
                2..=10 => idct::inverse::<4>(&block, &tools.factors),
                _ => idct::inverse::<8>(&block, &tools.factors),
            };
            let start = (y - tools.rows.0) * 8 * plane.stride + (x - tools.columns.0) * 8;
            let lines = plane.memory[start..].chunks_mut(plane.stride);
            for (line, levels) in lines.zip(&levels) {
                line[..8].copy_from_slice(levels);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
