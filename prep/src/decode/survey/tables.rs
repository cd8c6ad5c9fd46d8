//! The Huffman tables and the restart interval as a scan finds them.

use super::blocks::PartCodes;
use shardmill_jpeg::Damage;
use shardmill_jpeg::standard;
use shardmill_jpeg::survey::{Codes, Listed};

/// See the module.
#[derive(Default)]
pub(super) struct Tables {
    dc: [Option<Box<Codes>>; 4],
    ac: [Option<Box<Codes>>; 4],
    /// Whether a table was defined, be it one that makes no sense.
    defined: [[bool; 4]; 2],
    /// Units between restart markers; 0 for none.
    pub(super) restart: usize,
}

impl Tables {
    /// Takes the tables of a segment. One that makes no sense is as good as missing.
    pub(super) fn define(&mut self, mut body: &[u8]) -> Result<(), Damage> {
        let short = Damage::Header("a segment of Huffman tables is too short");
        while let [which, rest @ ..] = body {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(short)?;
            let symbols: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols).ok_or(short)?;
            let listed = Listed {
                counts: *counts,
                symbols: symbols.to_vec(),
            };
            let mut codes = Box::<Codes>::default();
            let codes = codes.fill(&listed).map(|()| codes);
            let place = usize::from(which & 15);
            let kind = match which >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(Damage::Header("a Huffman table has a number that is none")),
            };
            *kind
                .get_mut(place)
                .ok_or(Damage::Header("a Huffman table has a number that is none"))? = codes;
            self.defined[usize::from(which >> 4)][place] = true;
            body = rest;
        }
        Ok(())
    }

    /// Takes the standard tables in the place of those that were not defined; says whether there are any.
    pub(super) fn complete(&mut self) -> bool {
        let mut standard = Self::default();
        let known = standard.define(standard::body());
        let missing = |place: usize| !self.defined[0][place] || !self.defined[1][place];
        let any = known.is_ok() && (missing(0) || missing(1));
        for place in 0..2 {
            if !self.defined[0][place] {
                self.dc[place] = standard.dc[place].take();
            }
            if !self.defined[1][place] {
                self.ac[place] = standard.ac[place].take();
            }
        }
        any
    }

    /// Takes the restart interval.
    pub(super) fn define_restart(&mut self, body: &[u8]) -> Result<(), Damage> {
        let Some(&[high, low]) = body.first_chunk() else {
            return Err(Damage::Header("a restart interval is missing"));
        };
        self.restart = usize::from(u16::from_be_bytes([high, low]));
        Ok(())
    }

    /// The codes that a scan header names by `which`.
    pub(super) fn of(&self, which: u8) -> PartCodes<'_> {
        let (dc, ac) = (usize::from(which >> 4), usize::from(which & 15));
        PartCodes {
            dc: self.dc.get(dc).and_then(Option::as_deref),
            ac: self.ac.get(ac).and_then(Option::as_deref),
        }
    }
}
