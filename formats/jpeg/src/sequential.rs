//! One scan of all components, decoded block by block as it comes: only the blocks that a region needs are
//! transformed.

use crate::bits::Bits;
use crate::codes::{Levels, Values};
use crate::damage::{Damage, left_over, most_level};
use crate::entropy::Entropy;
use crate::float;
use crate::frame::Component;
use crate::header::Header;
use crate::planes::{Cut, Plane, Region, straddling};

/// The codes of an image.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    levels: [Levels; 4],
    values: [Values; 4],
}

/// What a component is decoded with.
pub(crate) struct Tools<'a> {
    pub(crate) component: Component,
    levels: &'a Levels,
    values: &'a Values,
    factors: [f32; 64],
    pub(crate) cut: Cut,
    previous: i32,
    /// The largest first value of a block that pixels can have, with room to spare.
    limit: u32,
}

impl Codes {
    /// Fills the tables that the components of an image use; `None` if there can be no such codes.
    pub(crate) fn fill(&mut self, header: &Header<'_>) -> Option<()> {
        let (mut levels, mut values) = ([false; 4], [false; 4]);
        for part in &header.frame.components {
            if !std::mem::replace(levels.get_mut(part.dc)?, true) {
                self.levels[part.dc].fill(header.tables.dc[part.dc].as_ref()?)?;
            }
            if !std::mem::replace(values.get_mut(part.ac)?, true) {
                self.values[part.ac].fill(header.tables.ac[part.ac].as_ref()?)?;
            }
        }
        Some(())
    }
}

pub(crate) fn tools<'a>(
    header: &Header<'_>,
    codes: &'a Codes,
    region: Region,
) -> Option<Vec<Tools<'a>>> {
    let frame = &header.frame;
    let tool = |&component: &Component| {
        let steps = header
            .tables
            .quantisers
            .get(component.quantiser)?
            .as_ref()?;
        Some(Tools {
            component,
            levels: codes.levels.get(component.dc)?,
            values: codes.values.get(component.ac)?,
            factors: float::factors(steps),
            cut: Cut::new(frame, &component, region, straddling),
            previous: 0,
            limit: most_level(steps[0]),
        })
    };
    frame.components.iter().map(tool).collect()
}

/// Decodes unit after unit, down to the last row that is needed, or that there is if `whole`; says whether
/// there are bytes that belong to no unit.
#[inline(always)]
pub(crate) fn scan(
    header: &Header<'_>,
    tools: &mut [Tools<'_>],
    planes: &mut [Plane],
    entropy: &Entropy,
    whole: bool,
) -> Result<bool, Damage> {
    let (units, all_rows) = header.frame.units();
    let restart = header.tables.restart;
    let needed = |tools: &Tools<'_>| tools.cut.rows.1.div_ceil(tools.component.down);
    let needed = tools.iter().map(needed).max().unwrap_or(all_rows);
    let rows = if whole { all_rows } else { needed };
    let (data, ends) = (&entropy.data, &entropy.ends);
    let mut interval = 0;
    let mut bits = Bits::new(data, 0);
    let mut left = restart;
    let mut extra = false;
    for row in 0..rows {
        for column in 0..units {
            if restart > 0 && left == 0 {
                extra |= ended(&bits, ends, interval)?;
                bits = Bits::new(data, ends[interval]);
                interval += 1;
                if interval >= ends.len() {
                    return Err(Damage::Ends);
                }
                if interval >= entropy.out_of_turn {
                    return Err(Damage::Restart);
                }
                left = restart;
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
            if !tools.cut.keeps(x, y) {
                bits.pass(tools.levels, tools.values, &mut tools.previous)?;
                continue;
            }
            let mut block = [0; 64];
            let length = bits.block(tools.levels, tools.values, &mut tools.previous, &mut block)?;
            // Ten coefficients fill the first four diagonals.
            let levels = match length {
                1 => float::flat(&block, &tools.factors),
                2..=10 => float::inverse::<4>(&block, &tools.factors),
                _ => float::inverse::<8>(&block, &tools.factors),
            };
            plane.put(&tools.cut, x, y, &levels);
        }
    }
    Some(())
}
