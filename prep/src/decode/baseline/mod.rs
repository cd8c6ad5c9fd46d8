//! Ordinary JPEGs, decoded only where the record needs them: baseline, one scan, grey or YCbCr.
//!
//! Colour planes are left at their own size, since resizing them brings them to the record's size
//! anyway. See `notes.md` for what this saves. Anything out of the ordinary is left to the general
//! decoder; damage is not, since that one would forgive it.

mod header;
pub(super) mod huffman;
mod idct;
pub(super) mod standard;
pub(super) mod tables;

use header::{Component, Header};
use huffman::Bits;
use tables::{Levels, Values};

use super::damage::{Damage, Warning, left_over};
use super::entropy::Entropy;
use super::vectorise::vectorised;

/// A block of pixels that are all white or all black has a first value of 1024, multiplied by its step.
/// Some encoders go beyond white and black on purpose, but none goes twice as far; data that is read from
/// the wrong bit on does so soon, since each value is added to the one before.
const MOST_LEVEL: u32 = 2048;

/// Bytes after the pixels of a plane, so that whole registers can be read at its end.
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
    entropy: Entropy,
    codes: Box<Codes>,
}

/// Why there are no planes.
pub(super) enum Refusal {
    /// The general decoder's business.
    NotOrdinary,
    /// Damage in the rows that were decoded.
    Damaged(Damage),
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
    /// The largest first value of a block that pixels can have, with room to spare.
    limit: u32,
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
    ///
    /// Damage is seen in the rows down to the region's last one, and in all of them if `whole` or if the
    /// file has no end marker.
    pub(super) fn decode(
        &mut self,
        image: &Ordinary<'_>,
        region: Region,
        whole: bool,
    ) -> Result<(&[Plane], Option<Warning>), Refusal> {
        let header = &image.header;
        let not_ordinary = || Refusal::NotOrdinary;
        self.codes.fill(header).ok_or_else(not_ordinary)?;
        let data = image.bytes.get(header.data..).ok_or_else(not_ordinary)?;
        self.entropy.take(data);
        if !matches!(self.entropy.behind, Some(0xD9) | None) {
            return Err(Refusal::NotOrdinary);
        }
        let Self {
            planes,
            entropy,
            codes,
        } = self;
        let mut tools = tools(header, codes, region).ok_or_else(not_ordinary)?;
        shape(planes, header, &tools);
        let no_end = entropy.behind.is_none();
        let whole = whole || no_end;
        // The closure must be moved into the call: see `vectorise.rs`.
        let extra = vectorised(
            #[inline(always)]
            || scan(header, &mut tools, planes, entropy, whole),
        );
        let extra = extra.map_err(Refusal::Damaged)?;
        let warning = match (no_end, extra) {
            (true, _) => Some(Warning::NoEnd),
            (false, true) => Some(Warning::ExtraBytes),
            (false, false) => None,
        };
        Ok((&self.planes, warning))
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
        let steps = header.quantisers.get(component.quantiser)?.as_ref()?;
        Some(Tools {
            component,
            levels: codes.levels.get(component.dc)?,
            values: codes.values.get(component.ac)?,
            factors: idct::factors(steps),
            columns: span(region.left, region.right, across, header.width),
            rows: span(region.top, region.bottom, down, header.height),
            previous: 0,
            limit: MOST_LEVEL / u32::from(steps[0]).max(1),
        })
    };
    header.components.iter().map(tool).collect()
}

/// Decodes unit after unit, down to the last row that is needed, or that there is if `whole`; says whether
/// there are bytes that belong to no unit.
#[inline(always)]
fn scan(
    header: &Header,
    tools: &mut [Tools<'_>],
    planes: &mut [Plane],
    entropy: &Entropy,
    whole: bool,
) -> Result<bool, Damage> {
    let (most_across, most_down) = most(header);
    let units = header.width.div_ceil(8 * most_across);
    let all_rows = header.height.div_ceil(8 * most_down);
    let needed = |tools: &Tools<'_>| tools.rows.1.div_ceil(tools.component.down);
    let needed = tools.iter().map(needed).max().unwrap_or(all_rows);
    let rows = if whole { all_rows } else { needed };
    let (data, ends) = (&entropy.data, &entropy.ends);
    let mut interval = 0;
    let mut bits = Bits::new(data, 0);
    let mut left = header.restart;
    let mut extra = false;
    for row in 0..rows {
        for column in 0..units {
            if header.restart > 0 && left == 0 {
                extra |= ended(&bits, ends, interval)?;
                bits = Bits::new(data, ends[interval]);
                interval += 1;
                if interval >= ends.len() {
                    return Err(Damage::Ends);
                }
                if interval >= entropy.out_of_turn {
                    return Err(Damage::Restart);
                }
                left = header.restart;
                tools.iter_mut().for_each(|tools| tools.previous = 0);
            }
            left = left.wrapping_sub(1);
            for (tools, plane) in tools.iter_mut().zip(&mut *planes) {
                if unit(&mut bits, tools, plane, row, column).is_none() {
                    // What follows the end of the data is no code either.
                    return Err(past(&bits, ends, interval).unwrap_or(Damage::Code));
                }
            }
        }
        // Once a row is enough: what is out of range stays so for long.
        let out_of_range = |tools: &Tools<'_>| tools.previous.unsigned_abs() > tools.limit;
        if tools.iter().any(out_of_range) {
            return Err(past(&bits, ends, interval).unwrap_or(Damage::Level));
        }
    }
    if let Some(damage) = past(&bits, ends, interval) {
        return Err(damage);
    }
    if rows == all_rows {
        extra |= ended(&bits, ends, interval)? || interval + 1 < ends.len();
    }
    Ok(extra)
}

/// Whether whole bytes of a restart interval are left over.
#[inline(always)]
fn ended(bits: &Bits<'_>, ends: &[usize], interval: usize) -> Result<bool, Damage> {
    match past(bits, ends, interval) {
        Some(damage) => Err(damage),
        None => left_over(bits.position(), ends[interval] * 8),
    }
}

/// What it means that more was read than a restart interval has.
#[inline(always)]
fn past(bits: &Bits<'_>, ends: &[usize], interval: usize) -> Option<Damage> {
    let last = interval + 1 == ends.len();
    let damage = if last { Damage::Ends } else { Damage::Interval };
    (bits.position() > ends[interval] * 8).then_some(damage)
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
