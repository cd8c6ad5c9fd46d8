//! A scan: its header, and whether its data is all there.

use super::blocks::{Brings, PartCodes, Walker};
use super::frame::Frame;
use super::tables::Tables;
use crate::reject::Reject;
use shardmill_jpeg::Damage;
use shardmill_jpeg::survey::Bits;
use shardmill_jpeg::survey::Entropy;
use shardmill_jpeg::survey::left_over;

/// A scan header.
pub(super) struct Scan {
    /// Which components it brings, and their tables, as the file has them.
    pub(super) parts: Vec<(usize, u8)>,
    pub(super) first: u8,
    pub(super) last: u8,
    /// Lowest bit that was there before, and the one that is there with it.
    pub(super) high: u8,
    pub(super) low: u8,
}

impl Scan {
    /// The outer error is for scans that no decoder here is known to get right.
    pub(super) fn parse(body: &[u8], frame: &Frame) -> Result<Result<Self, Damage>, Reject> {
        Ok(match Self::read(body, frame) {
            Some(scan) if !scan.parts.is_sorted_by(|a, b| a.0 < b.0) => {
                return Err(Reject::UnsupportedJpeg("out-of-order"));
            }
            Some(scan) if !frame.progressive && scan.parts.len() < frame.parts.len() => {
                return Err(Reject::UnsupportedJpeg("non-interleaved"));
            }
            Some(scan) => Ok(scan),
            None => Err(Damage::Header("a scan header makes no sense")),
        })
    }

    fn read(body: &[u8], frame: &Frame) -> Option<Self> {
        let (&count, rest) = body.split_first()?;
        let listed = rest.get(..2 * usize::from(count))?;
        let &[first, last, bits] = rest.get(listed.len()..)? else {
            return None;
        };
        let mut parts: Vec<(usize, u8)> = Vec::new();
        for pair in listed.chunks_exact(2) {
            // Two components may have one identifier: the first that is left, as libjpeg has it.
            let mut places = (0..).zip(&frame.parts);
            let (place, _) = places.find(|(place, part)| {
                part.id == pair[0] && parts.iter().all(|(taken, _)| taken != place)
            })?;
            parts.push((place, pair[1]));
        }
        let scan = Self {
            parts,
            first,
            last,
            high: bits >> 4,
            low: bits & 15,
        };
        let sound = !frame.progressive
            || scan.last < 64
                && scan.low <= 13
                && (scan.high == 0 || scan.high == scan.low + 1)
                && match scan.first {
                    0 => scan.last == 0,
                    first => first <= scan.last && scan.parts.len() == 1,
                };
        (sound && !scan.parts.is_empty()).then_some(scan)
    }

    /// Whether its header says of a sequential scan what it must say.
    pub(super) const fn is_plain(&self) -> bool {
        matches!((self.first, self.last, self.high, self.low), (0, 63, 0, 0))
    }

    fn brings(&self, progressive: bool) -> Brings {
        let (first, last) = (u32::from(self.first), u32::from(self.last));
        match (progressive, first, self.high) {
            (false, ..) => Brings::Everything,
            (true, 0, 0) => Brings::FirstValue,
            (true, 0, _) => Brings::FirstValueBit,
            (true, _, 0) => Brings::Values(first, last),
            (true, ..) => Brings::ValuesBit(first, last),
        }
    }

    /// Walks through the scan's data. Gives the end of what belongs to blocks, for each restart interval,
    /// and whether there is more than that.
    pub(super) fn walk(
        &self,
        frame: &Frame,
        tables: &Tables,
        entropy: &Entropy,
        known: &mut Known,
    ) -> Result<(Vec<usize>, bool), Damage> {
        let codes: Vec<PartCodes<'_>> = self.parts.iter().map(|part| tables.of(part.1)).collect();
        let brings = self.brings(frame.progressive);
        let missing = |codes: &PartCodes<'_>| match brings {
            Brings::Everything => codes.dc.is_none() || codes.ac.is_none(),
            Brings::FirstValue => codes.dc.is_none(),
            Brings::FirstValueBit => false,
            Brings::Values(..) | Brings::ValuesBit(..) => codes.ac.is_none(),
        };
        if codes.iter().any(missing) {
            return Err(Damage::Header(
                "a Huffman table is missing or makes no sense",
            ));
        }
        let mut walker = Walker::new(brings);
        let grid = Grid::new(frame, &self.parts);
        let ends = &entropy.ends;
        let (mut used, mut extra) = (Vec::new(), false);
        let mut bits = Bits::new(&entropy.data, 0);
        let mut left = tables.restart;
        let mut end_interval = |bits: &Bits<'_>, interval: usize| {
            let (position, end) = (bits.position(), ends[interval] * 8);
            if position > end {
                let last = interval + 1 == ends.len();
                return Err(if last { Damage::Ends } else { Damage::Interval });
            }
            extra |= left_over(position, end)?;
            used.push(position.div_ceil(8));
            Ok(())
        };
        let mut interval = 0;
        for row in 0..grid.down {
            if bits.position() > ends[interval] * 8 {
                // What follows is walked through for nothing.
                break;
            }
            for column in 0..grid.across {
                if tables.restart > 0 && left == 0 {
                    end_interval(&bits, interval)?;
                    bits = Bits::new(&entropy.data, ends[interval]);
                    interval += 1;
                    if interval >= ends.len() {
                        return Err(Damage::Ends);
                    }
                    if interval >= entropy.out_of_turn {
                        return Err(Damage::Restart);
                    }
                    left = tables.restart;
                    walker.restart();
                }
                left = left.wrapping_sub(1);
                for (&(part, _), codes) in self.parts.iter().zip(&codes) {
                    let (across, down) = grid.blocks(frame, part);
                    for y in row * down..(row + 1) * down {
                        for x in column * across..(column + 1) * across {
                            let known = known.of(part, x, y);
                            if walker.block(&mut bits, *codes, known).is_none() {
                                return Err(match end_interval(&bits, interval) {
                                    Err(damage @ (Damage::Ends | Damage::Interval)) => damage,
                                    _ => Damage::Code,
                                });
                            }
                        }
                    }
                }
            }
        }
        end_interval(&bits, interval)?;
        Ok((used, extra || interval + 1 < ends.len()))
    }
}

/// Units of a scan (A.2).
struct Grid {
    across: usize,
    down: usize,
    /// Whether a unit is one block of the only component.
    alone: bool,
}

impl Grid {
    fn new(frame: &Frame, parts: &[(usize, u8)]) -> Self {
        let (most_across, most_down) = frame.most();
        match *parts {
            [(part, _)] => {
                let part = frame.parts[part];
                Self {
                    across: (frame.width * part.across).div_ceil(8 * most_across),
                    down: (frame.height * part.down).div_ceil(8 * most_down),
                    alone: true,
                }
            }
            _ => Self {
                across: frame.width.div_ceil(8 * most_across),
                down: frame.height.div_ceil(8 * most_down),
                alone: false,
            },
        }
    }

    fn blocks(&self, frame: &Frame, part: usize) -> (usize, usize) {
        let part = frame.parts[part];
        if self.alone {
            (1, 1)
        } else {
            (part.across, part.down)
        }
    }
}

/// Which values of each block of a progressive frame are not zero, as far as the scans have come.
pub(super) struct Known {
    /// For each component: blocks in a row, and the blocks.
    parts: Vec<(usize, Vec<u64>)>,
    /// For each component and place: the lowest bit that is there.
    bits: Vec<[Option<u8>; 64]>,
    /// Stands for all blocks of a sequential frame, where nothing need be known.
    none: u64,
}

impl Known {
    pub(super) fn new(frame: &Frame) -> Self {
        let (most_across, most_down) = frame.most();
        let units = (
            frame.width.div_ceil(8 * most_across),
            frame.height.div_ceil(8 * most_down),
        );
        let blocks = |part: &super::frame::Part| {
            let row = units.0 * part.across;
            (row, vec![0; row * units.1 * part.down])
        };
        Self {
            parts: match frame.progressive {
                true => frame.parts.iter().map(blocks).collect(),
                false => Vec::new(),
            },
            bits: vec![[None; 64]; frame.parts.len()],
            none: 0,
        }
    }

    fn of(&mut self, part: usize, x: usize, y: usize) -> &mut u64 {
        match self.parts.get_mut(part) {
            Some((row, blocks)) => &mut blocks[y * *row + x],
            None => &mut self.none,
        }
    }

    /// A scan has brought its part.
    pub(super) fn brought(&mut self, scan: &Scan) {
        for &(part, _) in &scan.parts {
            let places = usize::from(scan.first)..=usize::from(scan.last.min(63));
            self.bits[part][places].fill(Some(scan.low));
        }
    }

    /// Whether each component has come at least roughly, which is what makes a picture.
    pub(super) fn is_picture(&self) -> bool {
        self.bits.iter().all(|places| places[0].is_some())
    }

    /// Whether every bit has come.
    pub(super) fn is_complete(&self) -> bool {
        self.bits.as_flattened().iter().all(|&low| low == Some(0))
    }
}
