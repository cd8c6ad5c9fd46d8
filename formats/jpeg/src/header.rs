//! What an ordinary JPEG says before its data: one baseline frame (ITU-T T.81, annex B), one scan.

use crate::codes::Listed;
use crate::colour_space::{ColourMarks, ColourSpace};
use crate::damage::Error;
use crate::standard;

/// Place of each coefficient within a block, in the order of the data (figure A.6) but column by
/// column, as the transform wants it; after the last one any place will do, for runs that lead too
/// far.
pub(crate) const ZIGZAG: [u8; 80] = turned([
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63,
]);

const fn turned(mut places: [u8; 80]) -> [u8; 80] {
    let mut k = 0;
    while k < places.len() {
        places[k] = places[k] % 8 * 8 + places[k] / 8;
        k += 1;
    }
    places
}

/// What a file says in front of its pixels.
#[derive(Debug)]
pub struct Image<'a> {
    pub(crate) header: Header,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Image<'a> {
    /// Reads the headers of a file.
    ///
    /// # Errors
    /// A kind of JPEG that is not known.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let header = Header::parse(bytes).ok_or(Error::Unsupported("irregular"))?;
        Ok(Self { header, bytes })
    }

    /// Columns, in pixels.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.header.width
    }

    /// Rows, in pixels.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.header.height
    }
}

/// A colour component of the frame.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Component {
    id: u8,
    /// Blocks across and down in each unit of the scan.
    pub(crate) across: usize,
    pub(crate) down: usize,
    pub(crate) quantiser: usize,
    pub(crate) dc: usize,
    pub(crate) ac: usize,
}

/// Everything in front of the entropy-coded data.
#[derive(Debug, Default)]
pub(crate) struct Header {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// One, grey, or three: luminance and two colour differences.
    pub(crate) components: Vec<Component>,
    /// Step sizes, column by column.
    pub(crate) quantisers: [Option<[u16; 64]>; 4],
    pub(crate) dc: [Option<Listed>; 4],
    pub(crate) ac: [Option<Listed>; 4],
    /// Units between restart markers; 0 for none.
    pub(crate) restart: usize,
    /// Where the data begins.
    pub(crate) data: usize,
}

impl Header {
    /// Reads the segments; `None` for anything out of the ordinary, which is left to others.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut header = Self::default();
        let mut marks = ColourMarks::default();
        let mut at = 2;
        loop {
            let &[0xFF, marker, high, low] = bytes.get(at..at + 4)? else {
                return None;
            };
            let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
            let body = bytes.get(at + 4..end)?;
            match marker {
                0xC0 => header.frame(body)?,
                0xC4 => header.tables(body)?,
                0xDB => header.steps(body)?,
                0xDD => {
                    header.restart = usize::from(u16::from_be_bytes(*body.first_chunk()?));
                }
                0xDA => {
                    header.scan(body)?;
                    header.complete()?;
                    header.data = end;
                    let space = marks.space(header.components.iter().map(|part| part.id))?;
                    let ordinary = matches!(space, ColourSpace::Grey | ColourSpace::YCbCr);
                    return ordinary.then_some(header);
                }
                0xE0..=0xEF => marks.look(marker, body),
                0xFE => {}
                _ => return None,
            }
            at = end;
        }
    }

    fn frame(&mut self, body: &[u8]) -> Option<()> {
        let &[8, h1, h0, w1, w0, count] = body.first_chunk()? else {
            return None;
        };
        self.height = usize::from(u16::from_be_bytes([h1, h0]));
        self.width = usize::from(u16::from_be_bytes([w1, w0]));
        let listed = body.get(6..6 + 3 * usize::from(count))?;
        if !self.components.is_empty() || self.width == 0 || self.height == 0 {
            return None;
        }
        for part in listed.chunks_exact(3) {
            self.components.push(Component {
                id: part[0],
                across: usize::from(part[1] >> 4),
                down: usize::from(part[1] & 15),
                quantiser: usize::from(part[2]),
                ..Component::default()
            });
        }
        match self.components.as_mut_slice() {
            // The only component of a scan comes block by block, whatever its sampling says.
            [grey] => (grey.across, grey.down) = (1, 1),
            [luma, chroma @ ..] if chroma.len() == 2 => {
                let once = chroma.iter().all(|part| (part.across, part.down) == (1, 1));
                // The samplings that cameras and libjpeg write; rarer ones are the general decoder's.
                let even = matches!((luma.across, luma.down), (1 | 2, 1 | 2));
                if !once || !even {
                    return None;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn steps(&mut self, mut body: &[u8]) -> Option<()> {
        while let [which, rest @ ..] = body {
            let (values, rest) = rest.split_first_chunk::<64>()?;
            let mut steps = [0; 64];
            for (&value, &place) in values.iter().zip(&ZIGZAG) {
                steps[usize::from(place)] = u16::from(value);
            }
            *self.quantisers.get_mut(usize::from(*which))? = Some(steps);
            body = rest;
        }
        Some(())
    }

    fn tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let [which, rest @ ..] = body {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let symbols: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols)?;
            let (kind, place) = (which >> 4, usize::from(which & 15));
            let table = Some(Listed {
                counts: *counts,
                symbols: symbols.to_vec(),
            });
            match kind {
                0 => *self.dc.get_mut(place)? = table,
                1 => *self.ac.get_mut(place)? = table,
                _ => return None,
            }
            body = rest;
        }
        Some(())
    }

    /// Puts standard tables in the place of those that the components use and the file does not bring.
    fn complete(&mut self) -> Option<()> {
        let missing = |part: &Component| {
            let table =
                |of: &[Option<Listed>; 4], place: usize| of.get(place).is_some_and(Option::is_none);
            table(&self.dc, part.dc) || table(&self.ac, part.ac)
        };
        if self.components.iter().any(missing) {
            let mut standard = Self::default();
            standard.tables(standard::body())?;
            for place in 0..2 {
                self.dc[place] = self.dc[place].take().or(standard.dc[place].take());
                self.ac[place] = self.ac[place].take().or(standard.ac[place].take());
            }
        }
        Some(())
    }

    fn scan(&mut self, body: &[u8]) -> Option<()> {
        let count = self.components.len();
        if count == 0 || body.len() != 1 + 2 * count + 3 || usize::from(body[0]) != count {
            return None;
        }
        for (component, part) in self.components.iter_mut().zip(body[1..].chunks_exact(2)) {
            if part[0] != component.id {
                return None;
            }
            (component.dc, component.ac) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
        }
        (body[1 + 2 * count..] == [0, 63, 0]).then_some(())
    }
}
