//! A JPEG that the general decoder is to decode, looked through from one end to the other before: what its
//! colours are, whether it is a kind that comes out right, and whether all of its data is there. The general
//! decoder forgives what it should not, so it is given a copy without anything to forgive.

mod blocks;
mod clean;
mod frame;
mod scan;
mod segments;
mod tables;

use super::damage::Warning;
use crate::reject::Reject;
use clean::Clean;
use frame::Frame;
use scan::{Known, Scan};
use segments::Segments;
use shardmill_jpeg::Damage;
use shardmill_jpeg::standard;
use shardmill_jpeg::survey::Entropy;
use shardmill_jpeg::survey::{ColourMarks, ColourSpace};
use tables::Tables;

/// Most scans of a progressive frame. Common encoders write ten; each takes a pass over all blocks.
const MOST_SCANS: usize = 100;

/// What a JPEG is.
pub(super) struct Survey<'a> {
    pub(super) frame: Frame,
    /// The first EXIF block, without its `Exif` mark.
    pub(super) exif: Option<&'a [u8]>,
    pub(super) warning: Option<Warning>,
    pub(super) damage: Option<Damage>,
    /// The same picture for the general decoder.
    pub(super) clean: Vec<u8>,
}

/// Everything in front of the first scan's data.
struct Headers<'a> {
    frame: Frame,
    space: ColourSpace,
    tables: Tables,
    exif: Option<&'a [u8]>,
    /// Segments with tables, as they are.
    defining: Vec<&'a [u8]>,
    /// The first scan header.
    scan: &'a [u8],
}

impl<'a> Survey<'a> {
    /// Looks a JPEG through.
    ///
    /// # Errors
    /// No picture at all, or one that is not known to come out right.
    pub(super) fn take(bytes: &'a [u8]) -> Result<Self, Reject> {
        let mut segments = Segments::new(bytes);
        let headers = Headers::read(&mut segments)?;
        let mut clean = Clean::new(&headers.frame, headers.space, &headers.defining);
        let first = Scan::parse(headers.scan, &headers.frame)?;
        let mut scans = Scans {
            known: Known::new(&headers.frame),
            frame: &headers.frame,
            tables: headers.tables,
            entropy: Entropy::default(),
            odd: segments.extra.then_some(Warning::ExtraBytes),
            end: false,
        };
        let damage = scans.walk(first, &mut segments, &mut clean)?;
        if damage.is_some() {
            clean.take_as_it_is(&headers.frame, segments.scan);
        } else {
            clean.end();
        }
        let warning = scans.warning();
        Ok(Self {
            exif: headers.exif,
            warning,
            damage,
            clean: clean.bytes,
            frame: headers.frame,
        })
    }
}

impl<'a> Headers<'a> {
    fn read(segments: &mut Segments<'a>) -> Result<Self, Reject> {
        let (mut frame, mut exif) = (None, None);
        let mut marks = ColourMarks::default();
        let mut tables = Tables::default();
        let mut defining: Vec<&[u8]> = Vec::new();
        loop {
            let (marker, body) = segments.next()?;
            if let Some(name) = frame::unsupported(marker) {
                return Err(Reject::UnsupportedJpeg(name));
            }
            match marker {
                0xC0..=0xC2 => {
                    if frame.is_some() {
                        return Err(Damage::Header("it has two frame headers").into());
                    }
                    frame = Some(Frame::parse(marker, body)?);
                }
                0xDA => {
                    let none = || Reject::from(Damage::Header("it has no frame header"));
                    let frame = frame.ok_or_else(none)?;
                    frame.check_sampling()?;
                    if !frame.progressive && tables.complete() {
                        // Those of the file come after them.
                        defining.insert(0, &standard::SEGMENT);
                    }
                    return Ok(Self {
                        space: frame.space(marks)?,
                        frame,
                        tables,
                        exif,
                        defining,
                        scan: body,
                    });
                }
                0xC4 | 0xDB | 0xDD => {
                    define(&mut tables, marker, body)?;
                    defining.push(segments.last);
                }
                0xE0..=0xEF => {
                    marks.look(marker, body);
                    if marker == 0xE1 && exif.is_none() {
                        exif = body.strip_prefix(b"Exif\0\0");
                    }
                }
                // Comments, and tables of another coding process.
                0xFE | 0xCC => {}
                0xD9 => return Err(Reject::Truncated),
                _ => return Err(Damage::Header("it holds a marker that is none").into()),
            }
        }
    }
}

fn define(tables: &mut Tables, marker: u8, body: &[u8]) -> Result<(), Damage> {
    match marker {
        0xC4 => tables.define(body),
        0xDD => tables.define_restart(body),
        _ => Ok(()),
    }
}

/// The scans on their way.
struct Scans<'f> {
    frame: &'f Frame,
    tables: Tables,
    known: Known,
    entropy: Entropy,
    odd: Option<Warning>,
    /// Whether the end marker was there.
    end: bool,
}

impl Scans<'_> {
    /// Walks through all scans. The outer error is for pictures that are not known to come out right.
    fn walk(
        &mut self,
        first: Result<Scan, Damage>,
        segments: &mut Segments<'_>,
        clean: &mut Clean,
    ) -> Result<Option<Damage>, Reject> {
        let mut next = Some(first);
        let mut count = 0;
        while let Some(scan) = next {
            count += 1;
            if count > MOST_SCANS {
                return Err(Reject::UnsupportedJpeg("many-scan"));
            }
            let scan = match scan {
                Ok(scan) => scan,
                Err(damage) => return Ok(Some(damage)),
            };
            if !self.frame.progressive && !scan.is_plain() {
                self.odd.get_or_insert(Warning::OddHeader);
            }
            self.entropy.take(segments.rest());
            segments.pass(self.entropy.length);
            let walked = scan.walk(self.frame, &self.tables, &self.entropy, &mut self.known);
            let (used, extra) = match walked {
                Ok(walked) => walked,
                Err(damage) => return Ok(Some(damage)),
            };
            if extra {
                self.odd.get_or_insert(Warning::ExtraBytes);
            }
            self.known.brought(&scan);
            clean.scan(self.frame, &scan, &self.entropy, &used);
            next = match self.behind(segments, clean) {
                Ok(body) => body.map(|body| Scan::parse(body, self.frame)).transpose()?,
                // What cannot be read after a whole picture is not missed.
                Err(_) if self.is_whole() => None,
                Err(damage) => return Ok(Some(damage)),
            };
            if next.is_some() && !self.frame.progressive {
                return Err(Reject::UnsupportedJpeg("non-interleaved"));
            }
        }
        Ok((!self.known.is_picture()).then_some(Damage::Ends))
    }

    /// Reads on from the end of a scan to the next one's header; `None` at the end of the picture.
    fn behind<'b>(
        &mut self,
        segments: &mut Segments<'b>,
        clean: &mut Clean,
    ) -> Result<Option<&'b [u8]>, Damage> {
        loop {
            let before = segments.extra;
            let (marker, body) = segments.next()?;
            if segments.extra && !before {
                self.odd.get_or_insert(Warning::ExtraBytes);
            }
            match marker {
                0xD9 => {
                    self.end = true;
                    return Ok(None);
                }
                0xDA => return Ok(Some(body)),
                0xC4 | 0xDB | 0xDD => {
                    define(&mut self.tables, marker, body)?;
                    clean.bytes.extend_from_slice(segments.last);
                }
                0xE0..=0xEF | 0xFE => {}
                _ => return Err(Damage::Header("it holds a marker that is none")),
            }
        }
    }

    /// Whether nothing is left to come.
    fn is_whole(&self) -> bool {
        !self.frame.progressive || self.known.is_complete()
    }

    fn warning(&self) -> Option<Warning> {
        if !self.end {
            Some(Warning::NoEnd)
        } else if !self.is_whole() {
            Some(Warning::FewerScans)
        } else {
            self.odd
        }
    }
}
