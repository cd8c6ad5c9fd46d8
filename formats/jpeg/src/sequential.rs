//! One scan of all components, decoded block by block as it comes: only the blocks that a region needs are
//! transformed.

use crate::bits::Bits;
use crate::codes::{Levels, Listed, Values};
use crate::damage::{Damage, left_over, most_level};
use crate::entropy::Entropy;
use crate::frame::Component;
use crate::header::Header;
use crate::planes::{Cut, Plane, Reach, Region};
use crate::transform::Transform;

/// The codes of an image, kept for the next one, which often has the same.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    levels: [Levels; 4],
    values: [Values; 4],
    /// What the tables hold.
    level_lists: [Option<Listed>; 4],
    value_lists: [Option<Listed>; 4],
}

/// What a component is decoded with.
pub(crate) struct Tools<'a> {
    pub(crate) component: Component,
    levels: &'a Levels,
    values: &'a Values,
    pub(crate) cut: Cut,
    previous: i32,
    /// The largest first value of a block that pixels can have, with room to spare.
    limit: u32,
}

impl Codes {
    /// Fills the tables that the components of an image use, if they hold others; `None` if there can be no such
    /// codes.
    pub(crate) fn fill(&mut self, header: &Header<'_>) -> Option<()> {
        for part in &header.frame.components {
            let listed = header.tables.dc.get(part.dc)?.as_ref()?;
            let held = &mut self.level_lists[part.dc];
            if held.as_ref() != Some(listed) {
                *held = None;
                self.levels[part.dc].fill(listed)?;
                *held = Some(listed.clone());
            }
            let listed = header.tables.ac.get(part.ac)?.as_ref()?;
            let held = &mut self.value_lists[part.ac];
            if held.as_ref() != Some(listed) {
                *held = None;
                self.values[part.ac].fill(listed)?;
                *held = Some(listed.clone());
            }
        }
        Some(())
    }
}

pub(crate) fn tools<'a>(
    header: &Header<'_>,
    codes: &'a Codes,
    region: Region,
    reach: Reach,
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
            cut: Cut::new(frame, &component, region, reach),
            previous: 0,
            limit: most_level(steps[0]),
        })
    };
    frame.components.iter().map(tool).collect()
}

/// How much of a scan is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All of it.
    Whole,
    /// Down to the last row that is needed.
    Down,
    /// Only what is needed, as far as restart markers allow to jump.
    Needed,
}

/// A scan that is decoded.
pub(crate) struct Scan<'a, T> {
    pub(crate) header: &'a Header<'a>,
    pub(crate) tools: Vec<Tools<'a>>,
    pub(crate) planes: &'a mut [Plane],
    pub(crate) entropy: &'a Entropy,
    pub(crate) transform: T,
    pub(crate) reading: Reading,
}

/// Where a scan is.
struct Cursor<'a> {
    bits: Bits<'a>,
    /// Its restart interval.
    interval: usize,
    /// Units to the next restart marker.
    left: usize,
    /// The next unit.
    row: usize,
    column: usize,
}

/// Units that are needed: first and end, across and down.
struct Needed {
    columns: (usize, usize),
    rows: (usize, usize),
}

impl<'a> Scan<'a, ()> {
    /// The scan with a transform.
    #[inline(always)]
    pub(crate) fn with<T>(self, transform: T) -> Scan<'a, T> {
        let Self {
            header,
            tools,
            planes,
            entropy,
            reading,
            ..
        } = self;
        Scan {
            header,
            tools,
            planes,
            entropy,
            transform,
            reading,
        }
    }
}

impl<T: Transform> Scan<'_, T> {
    /// Decodes unit after unit and calls `finished` after each row of them, with the planes and the number of
    /// rows done; says whether there are bytes that belong to no unit.
    #[inline(always)]
    pub(crate) fn run(mut self, mut finished: impl FnMut(&[Plane], usize)) -> Result<bool, Damage> {
        let (units, all_rows) = self.header.frame.units();
        let needed = self.needed();
        let whole = self.reading == Reading::Whole;
        let rows = if whole { all_rows } else { needed.rows.1 };
        let jumps = self.reading == Reading::Needed;
        // Column up to which a row is read before a jump.
        let stop = if jumps { needed.columns.1 } else { units };
        let mut at = Cursor {
            bits: Bits::new(&self.entropy.data, 0),
            interval: 0,
            left: self.header.tables.restart,
            row: 0,
            column: 0,
        };
        let mut extra = false;
        if jumps && let Some(unit) = self.jump(&mut at, needed.rows.0 * units + needed.columns.0)? {
            (at.row, at.column) = (unit / units, unit % units);
        }
        let mut end = stop;
        loop {
            extra |= self.walk(&mut at, end)?;
            if end < units && self.is_beyond() {
                // Values may come back into range until the row ends, and only there are they judged.
                end = units;
                continue;
            }
            if end < units && at.row + 1 < rows {
                let row = needed.rows.0.max(at.row + 1);
                let unit = self.jump(&mut at, row * units + needed.columns.0)?;
                let unit = unit.unwrap_or(at.row * units + at.column);
                let row = at.row;
                if unit / units == row {
                    (at.column, end) = (unit % units, units);
                    continue;
                }
                self.end_row(&at)?;
                finished(self.planes, row + 1);
                (at.row, at.column) = (unit / units, unit % units);
            } else {
                self.end_row(&at)?;
                (at.row, at.column) = (at.row + 1, 0);
                finished(self.planes, at.row);
                if at.row >= rows {
                    break;
                }
            }
            end = stop;
        }
        let ends = &self.entropy.ends;
        if let Some(damage) = past(&at, ends) {
            return Err(damage);
        }
        if rows == all_rows && !jumps {
            extra |= ended(&at, ends)? || at.interval + 1 < ends.len();
        }
        Ok(extra)
    }

    fn needed(&self) -> Needed {
        let mut needed = Needed {
            columns: (usize::MAX, 1),
            rows: (usize::MAX, 1),
        };
        for tools in &self.tools {
            let Component { across, down, .. } = tools.component;
            let widen = |span: &mut (usize, usize), blocks: (usize, usize), each: usize| {
                *span = (
                    span.0.min(blocks.0 / each),
                    span.1.max(blocks.1.div_ceil(each)),
                );
            };
            widen(&mut needed.columns, tools.cut.columns, across);
            widen(&mut needed.rows, tools.cut.rows, down);
        }
        needed
    }

    /// Goes to the start of the restart interval that holds a unit, and gives the interval's first unit, if it
    /// is another interval than this one.
    fn jump<'a>(&mut self, at: &mut Cursor<'a>, unit: usize) -> Result<Option<usize>, Damage>
    where
        Self: 'a,
    {
        let Some(interval) = unit.checked_div(self.header.tables.restart) else {
            return Ok(None);
        };
        if interval <= at.interval {
            return Ok(None);
        }
        // Blocks of the region may have been read from the data of another interval.
        if let Some(damage) = past(at, &self.entropy.ends) {
            return Err(damage);
        }
        self.enter(at, interval)?;
        Ok(Some(interval * self.header.tables.restart))
    }

    /// Begins a restart interval.
    #[inline(always)]
    fn enter(&mut self, at: &mut Cursor<'_>, interval: usize) -> Result<(), Damage> {
        let ends = &self.entropy.ends;
        if interval >= ends.len() {
            return Err(Damage::Ends);
        }
        if interval >= self.entropy.out_of_turn {
            return Err(Damage::Restart);
        }
        at.bits.go(ends[interval - 1]);
        at.interval = interval;
        at.left = self.header.tables.restart;
        self.tools.iter_mut().for_each(|tools| tools.previous = 0);
        Ok(())
    }

    /// Decodes the units of a row up to a column; says whether a restart interval held more bytes than they.
    #[inline(always)]
    fn walk(&mut self, at: &mut Cursor<'_>, end: usize) -> Result<bool, Damage> {
        let mut extra = false;
        while at.column < end {
            if self.header.tables.restart > 0 && at.left == 0 {
                extra |= ended(at, &self.entropy.ends)?;
                self.enter(at, at.interval + 1)?;
            }
            at.left = at.left.wrapping_sub(1);
            if self.unit(at).is_none() {
                // What follows the end of the data is no code either.
                return Err(past(at, &self.entropy.ends).unwrap_or(Damage::Code));
            }
            at.column += 1;
        }
        Ok(extra)
    }

    /// Decodes the blocks of one unit; `None` for data that is no block.
    #[inline(always)]
    fn unit(&mut self, at: &mut Cursor<'_>) -> Option<()> {
        let bits = &mut at.bits;
        for (number, tools) in self.tools.iter_mut().enumerate() {
            let Component { across, down, .. } = tools.component;
            for y in at.row * down..(at.row + 1) * down {
                for x in at.column * across..(at.column + 1) * across {
                    if !tools.cut.keeps(x, y) {
                        bits.pass(tools.levels, tools.values, &mut tools.previous)?;
                        continue;
                    }
                    let block = self.transform.block();
                    let (levels, values) = (tools.levels, tools.values);
                    let length =
                        bits.block(levels, values, &mut tools.previous, &T::PLACES, block)?;
                    let stride = self.planes[number].stride;
                    let start = tools.cut.start(x, y, stride);
                    self.transform.put(self.planes, number, start, length);
                }
            }
        }
        Some(())
    }

    /// Completes a row of units. Out of range are first values at the end of a whole row: once a row is enough, since
    /// they stay so for long, and at the same places for every region, so that a part of a good image is good.
    #[inline(always)]
    fn end_row(&mut self, at: &Cursor<'_>) -> Result<(), Damage> {
        if self.is_beyond() {
            return Err(past(at, &self.entropy.ends).unwrap_or(Damage::Level));
        }
        self.transform.flush(self.planes);
        Ok(())
    }

    /// Whether the last blocks have first values that no pixels have.
    #[inline(always)]
    fn is_beyond(&self) -> bool {
        let beyond = |tools: &Tools<'_>| tools.previous.unsigned_abs() > tools.limit;
        self.tools.iter().any(beyond)
    }
}

/// Whether whole bytes of a restart interval are left over.
#[inline(always)]
fn ended(at: &Cursor<'_>, ends: &[usize]) -> Result<bool, Damage> {
    match past(at, ends) {
        Some(damage) => Err(damage),
        None => left_over(at.bits.position(), ends[at.interval] * 8),
    }
}

/// What it means that more was read than a restart interval has.
#[inline(always)]
fn past(at: &Cursor<'_>, ends: &[usize]) -> Option<Damage> {
    let last = at.interval + 1 == ends.len();
    let damage = if last { Damage::Ends } else { Damage::Interval };
    (at.bits.position() > ends[at.interval] * 8).then_some(damage)
}
