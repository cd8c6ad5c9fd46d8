//! Images of several scans, and damaged ones of which the pixels that there are are kept: coefficients wait in
//! memory until the last scan was read.

use crate::bits::Bits;
use crate::blocks::{Brings, PartCodes, Reader};
use crate::codes::Codes;
use crate::coefficients::Coefficients;
use crate::damage::{Damage, Error, Report, left_over, most_level};
use crate::entropy::Entropy;
use crate::frame::Frame;
use crate::header::{Header, Image};
use crate::intervals::{Interval, Intervals};
use crate::progression::Progression;
use crate::scan_header::ScanHeader;
use crate::segments::Segments;
use crate::tables::{Steps, Tables};

/// A second scan of all components. It would change what has come, and libjpeg expects none.
pub(crate) const SECOND_SCAN: Damage = Damage::Header("a scan follows a whole picture");

/// What is kept from one image to the next.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) coefficients: Coefficients,
    dc: [Codes; 4],
    ac: [Codes; 4],
}

/// What the scans of an image have brought, besides coefficients.
pub(crate) struct Brought {
    pub(crate) report: Report,
    /// Step sizes of each component. One of which nothing has come is grey with any.
    pub(crate) steps: [Steps; 4],
}

/// Reads all scans of an image. Damage is an error unless `keep`.
pub(crate) fn read(
    memory: &mut Memory,
    entropy: &mut Entropy,
    image: &Image<'_>,
    keep: bool,
    most_scans: usize,
) -> Result<Brought, Error> {
    let Header {
        frame,
        tables,
        scan,
        warnings,
        data,
        ..
    } = image.header.clone();
    let blocks = Coefficients::blocks(&frame);
    let mut scans = Scans {
        progression: Progression::new(&frame),
        frame,
        tables,
        keep,
        steps: [None; 4],
        report: Report {
            warnings,
            damage: None,
        },
    };
    // Each block takes a bit at least in the scan that brings its first value, so a file that claims more than
    // it can hold is seen before memory is taken.
    if blocks > image.bytes.len().saturating_mul(8) {
        scans.note(Damage::Ends)?;
    }
    memory.coefficients.clear(&scans.frame);
    let mut segments = Segments::new(image.bytes, data);
    let mut next = Some(scan);
    let mut count = 0;
    while let Some(scan) = next {
        count += 1;
        if count > most_scans {
            return Err(Error::Unsupported("many-scan"));
        }
        entropy.take(segments.rest());
        segments.at += entropy.length;
        scans.read(memory, entropy, &scan)?;
        next = scans.behind(&mut segments)?;
        if next.is_some() && image.is_one_scan() {
            scans.note(SECOND_SCAN)?;
            break;
        }
    }
    if !scans.progression.is_picture() {
        scans.note(Damage::Ends)?;
    }
    scans.report.warnings.extra_bytes |= segments.extra;
    scans.report.warnings.fewer_scans = !scans.progression.is_complete();
    Ok(Brought {
        report: scans.report,
        steps: scans.steps.map(|steps| steps.unwrap_or([1; 64])),
    })
}

/// The scans on their way.
struct Scans {
    frame: Frame,
    tables: Tables,
    progression: Progression,
    keep: bool,
    steps: [Option<Steps>; 4],
    report: Report,
}

impl Scans {
    /// Takes note of damage, which is an error unless it is kept.
    fn note(&mut self, damage: Damage) -> Result<(), Error> {
        if !self.keep {
            return Err(damage.into());
        }
        self.report.damage.get_or_insert(damage);
        Ok(())
    }

    /// Reads a scan.
    fn read(
        &mut self,
        memory: &mut Memory,
        entropy: &Entropy,
        scan: &ScanHeader,
    ) -> Result<(), Error> {
        if let Err(damage) = self.prepare(memory, scan) {
            return self.note(damage);
        }
        let Memory {
            coefficients,
            dc,
            ac,
        } = memory;
        let mut units = Units::new(self, scan, coefficients, dc, ac);
        let mut intervals = Intervals::new(entropy);
        let (mut damage, mut extra) = (None, false);
        let restart = self.tables.restart;
        let length = if restart == 0 { units.count } else { restart };
        for (number, start) in (0..units.count).step_by(length).enumerate() {
            let (interval, turn) = intervals.take(number);
            damage = damage.or(turn);
            if let (Some(interval), true) = (interval, damage.is_none() || self.keep) {
                let end = (start + length).min(units.count);
                match units.read(entropy, &interval, start..end) {
                    Ok(left) => extra |= left,
                    Err(found) => damage = damage.or(Some(found)),
                }
            }
            let over = matches!(turn, Some(Damage::Ends));
            if damage.is_some() && (!self.keep || over) {
                break;
            }
        }
        self.report.warnings.extra_bytes |= extra || intervals.is_left();
        match damage {
            Some(damage) => self.note(damage),
            None => Ok(()),
        }
    }

    /// Sees to it that all is there that a scan needs.
    fn prepare(&mut self, memory: &mut Memory, scan: &ScanHeader) -> Result<(), Damage> {
        let progressive = self.frame.progressive;
        let (dc, ac) = Brings::of(scan, progressive).needs();
        for &place in scan.places() {
            let component = self.frame.components[place];
            if self.progression.is_new(place) {
                let steps = self.tables.quantisers.get(component.quantiser);
                let steps = steps.copied().flatten();
                self.steps[place] = Some(steps.ok_or(Damage::Header("a quantiser is missing"))?);
            }
            let missing = Damage::Header("a Huffman table is missing or makes no sense");
            if dc {
                let listed = self.tables.dc.get(component.dc).and_then(Option::as_ref);
                let listed = listed.filter(|listed| listed.symbols.iter().all(|&size| size < 16));
                let filled = listed.and_then(|listed| memory.dc[component.dc].fill(listed));
                filled.ok_or(missing)?;
            }
            if ac {
                let listed = self.tables.ac.get(component.ac).and_then(Option::as_ref);
                let filled = listed.and_then(|listed| memory.ac[component.ac].fill(listed));
                filled.ok_or(missing)?;
            }
        }
        let warnings = &mut self.report.warnings;
        warnings.odd_header |= !progressive && !scan.is_sequential();
        warnings.progression |= !self.progression.begin(scan, progressive);
        Ok(())
    }

    /// Reads on from the end of a scan to the next one's header; `None` at the end of the image.
    fn behind(&mut self, segments: &mut Segments<'_>) -> Result<Option<ScanHeader>, Error> {
        match self.next_scan(segments) {
            Ok(scan) => Ok(scan),
            // What cannot be read after a whole picture is not missed.
            Err(Error::Damaged(damage)) => {
                self.report.warnings.no_end = true;
                if !self.progression.is_complete() {
                    self.note(damage)?;
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn next_scan(&mut self, segments: &mut Segments<'_>) -> Result<Option<ScanHeader>, Error> {
        match behind(segments, &mut self.tables)? {
            None => Ok(None),
            Some(body) => {
                let scan = ScanHeader::parse(body, &mut self.frame)?;
                self.frame.check_unit(scan.places())?;
                Ok(Some(scan))
            }
        }
    }
}

/// Reads on from the end of a scan to the body of the next one's header; `None` at the end of the image.
pub(crate) fn behind<'a>(
    segments: &mut Segments<'a>,
    tables: &mut Tables,
) -> Result<Option<&'a [u8]>, Damage> {
    loop {
        let (marker, body) = segments.next()?;
        match marker {
            0xD9 => return Ok(None),
            0xDA => return Ok(Some(body)),
            0xC4 | 0xCC | 0xDB | 0xDD => tables.define(marker, body)?,
            // A height that the frame has said already, as libjpeg has it.
            0xDC | 0xE0..=0xEF | 0xFE => {}
            _ => return Err(Damage::Header("it holds a marker that is none")),
        }
    }
}

/// A component in a scan.
#[derive(Clone, Copy)]
struct Part<'a> {
    /// Its place in the frame.
    place: usize,
    codes: PartCodes<'a>,
    /// Its blocks in a unit, across and down.
    across: usize,
    down: usize,
    /// The largest first value that pixels can have.
    most: u32,
}

/// The units of a scan (A.2).
struct Units<'a> {
    parts: Vec<Part<'a>>,
    reader: Reader,
    coefficients: &'a mut Coefficients,
    /// Units in a row, and all of them.
    across: usize,
    count: usize,
    /// Whether a block that reaches beyond its data is left as it was.
    keep: bool,
}

impl<'a> Units<'a> {
    fn new(
        scans: &Scans,
        scan: &ScanHeader,
        coefficients: &'a mut Coefficients,
        dc: &'a [Codes; 4],
        ac: &'a [Codes; 4],
    ) -> Self {
        let frame = &scans.frame;
        let part = |&place: &usize| {
            let component = frame.components[place];
            let step = scans.steps[place].map_or(1, |steps| steps[0]);
            Part {
                place,
                codes: PartCodes {
                    dc: dc.get(component.dc),
                    ac: ac.get(component.ac),
                },
                across: component.across,
                down: component.down,
                most: most_level(step),
            }
        };
        let mut parts: Vec<Part<'_>> = scan.places().iter().map(part).collect();
        let mut grid = frame.units();
        if let [part] = parts.as_mut_slice() {
            // The only component comes block by block, without those that fill up units.
            let (across, down) = frame.ratio(&frame.components[part.place]);
            let blocks = |length: usize, step: usize| length.div_ceil(step).div_ceil(8);
            grid = (blocks(frame.width, across), blocks(frame.height, down));
            (part.across, part.down) = (1, 1);
        }
        Self {
            parts,
            reader: Reader::new(scan, frame.progressive),
            coefficients,
            across: grid.0,
            count: grid.0 * grid.1,
            keep: scans.keep,
        }
    }

    /// Reads the units of an interval; says whether whole bytes of it are left over.
    fn read(
        &mut self,
        entropy: &Entropy,
        interval: &Interval,
        units: std::ops::Range<usize>,
    ) -> Result<bool, Damage> {
        let mut bits = Bits::new(&entropy.data, interval.bytes.start);
        let end = interval.bytes.end * 8;
        let ends = match interval.last {
            true => Damage::Ends,
            false => Damage::Interval,
        };
        self.reader.restart();
        for unit in units.clone() {
            let (row, column) = (unit / self.across, unit % self.across);
            for number in 0..self.parts.len() {
                let part = self.parts[number];
                for y in row * part.down..(row + 1) * part.down {
                    for x in column * part.across..(column + 1) * part.across {
                        let block = self.coefficients.block(part.place, x, y);
                        let before = self.keep.then_some(*block);
                        let read = self.reader.block(&mut bits, part.codes, part.place, block);
                        let beyond = bits.position() > end;
                        if read.is_none() || beyond {
                            if let Some(before) = before {
                                *block = before;
                            }
                            return Err(if beyond { ends } else { Damage::Code });
                        }
                    }
                }
            }
            // Once a row is enough: what is out of range stays so for long.
            if column + 1 == self.across || unit + 1 == units.end {
                let out_of_range = |part: &Part<'_>| self.reader.is_beyond(part.place, part.most);
                if self.parts.iter().any(out_of_range) {
                    return Err(Damage::Level);
                }
            }
        }
        left_over(bits.position(), end)
    }
}
