//! The tables that scans use, as they stand at a place in the file: a later segment replaces what an earlier
//! one said (ITU-T T.81, annex B.2.4).

use crate::codes::Listed;
use crate::damage::Damage;
use crate::standard;
use crate::zigzag::ZIGZAG;

/// Step sizes of a quantiser, column by column.
pub(crate) type Steps = [u16; 64];

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) quantisers: [Option<Steps>; 4],
    /// Huffman codes of first values.
    pub(crate) dc: [Option<Listed>; 4],
    /// Huffman codes of all other values.
    pub(crate) ac: [Option<Listed>; 4],
    /// Units between restart markers; 0 for none.
    pub(crate) restart: usize,
}

impl Tables {
    /// Takes what a segment defines; those of other markers define nothing.
    pub(crate) fn define(&mut self, marker: u8, body: &[u8]) -> Result<(), Damage> {
        match marker {
            0xC4 => self.codes(body),
            0xDB => self.steps(body),
            0xDD => {
                let &[high, low] = body else {
                    return Err(Damage::Header("a restart interval has a wrong length"));
                };
                self.restart = usize::from(u16::from_be_bytes([high, low]));
                Ok(())
            }
            0xCC => conditioning(body),
            _ => Ok(()),
        }
    }

    /// Takes quantisers; any precision but 0 stands for 16 bits, as in libjpeg.
    fn steps(&mut self, mut body: &[u8]) -> Result<(), Damage> {
        let short = Damage::Header("a segment of quantisers has a wrong length");
        while let [which, rest @ ..] = body {
            let wide = which >> 4 != 0;
            let (values, rest) = rest
                .split_at_checked(if wide { 128 } else { 64 })
                .ok_or(short)?;
            let value = |k: usize| match wide {
                true => u16::from_be_bytes([values[2 * k], values[2 * k + 1]]),
                false => u16::from(values[k]),
            };
            let mut steps = [0; 64];
            for (k, &place) in ZIGZAG[..64].iter().enumerate() {
                steps[usize::from(place)] = value(k);
            }
            let place = self.quantisers.get_mut(usize::from(which & 15));
            *place.ok_or(Damage::Header("a quantiser has a number that is none"))? = Some(steps);
            body = rest;
        }
        Ok(())
    }

    /// Takes Huffman tables. Whether there can be such codes is seen where a scan uses them.
    fn codes(&mut self, mut body: &[u8]) -> Result<(), Damage> {
        let short = Damage::Header("a segment of Huffman tables has a wrong length");
        while let [which, rest @ ..] = body {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(short)?;
            let symbols: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols).ok_or(short)?;
            let kind = match which >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(Damage::Header("a Huffman table has a number that is none")),
            };
            let place = kind.get_mut(usize::from(which & 15));
            *place.ok_or(Damage::Header("a Huffman table has a number that is none"))? =
                Some(Listed {
                    counts: *counts,
                    symbols: symbols.to_vec(),
                });
            body = rest;
        }
        Ok(())
    }

    /// Puts the standard tables in the place of those that were not defined.
    pub(crate) fn complete(&mut self) {
        let missing = |place: usize| self.dc[place].is_none() || self.ac[place].is_none();
        if !missing(0) && !missing(1) {
            return;
        }
        let mut standard = Self::default();
        if standard.codes(&standard::BODY).is_err() {
            return;
        }
        for place in 0..2 {
            self.dc[place] = self.dc[place].take().or(standard.dc[place].take());
            self.ac[place] = self.ac[place].take().or(standard.ac[place].take());
        }
    }
}

/// Looks at the tables of arithmetic coding, which nothing here uses: a list of numbers and values (B.2.4.3) whose
/// bounds libjpeg checks all the same.
fn conditioning(body: &[u8]) -> Result<(), Damage> {
    let (pairs, rest) = body.as_chunks::<2>();
    let is_sound = |&[number, value]: &[u8; 2]| match number {
        0..16 => value & 15 <= value >> 4,
        _ => number < 32,
    };
    match rest.is_empty() && pairs.iter().all(is_sound) {
        true => Ok(()),
        false => Err(Damage::Header(
            "a table of arithmetic coding makes no sense",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_8_and_of_16_bits_are_read_column_by_column() {
        let mut narrow = vec![2];
        narrow.extend(1..=64_u8);
        let mut wide = vec![0x13];
        wide.extend((1..=64_u16).flat_map(|step| (step * 300).to_be_bytes()));
        let mut tables = Tables::default();
        tables.define(0xDB, &[narrow, wide].concat()).unwrap();
        let (narrow, wide) = (tables.quantisers[2].unwrap(), tables.quantisers[3].unwrap());
        // The second coefficient of the data stands right of the first, the third below it.
        assert_eq!((narrow[0], narrow[8], narrow[1], narrow[63]), (1, 2, 3, 64));
        assert!(narrow.iter().zip(wide).all(|(&a, b)| a * 300 == b));
    }

    #[test]
    fn segments_of_a_wrong_length_or_number_are_damage() {
        for (marker, body) in [
            (0xDB, &[0_u8; 64][..]),
            (0xDB, &[0x10; 66][..]),
            (0xDB, &[4; 65][..]),
            (0xC4, &[0; 16][..]),
            (0xC4, &[1; 17][..]),
            (0xC4, &[[0x20].as_slice(), &[0; 16]].concat()[..]),
            (0xC4, &[[0x14].as_slice(), &[0; 16]].concat()[..]),
            (0xDD, &[1][..]),
            (0xDD, &[1, 2, 3][..]),
            (0xCC, &[0x20, 0][..]),
            (0xCC, &[0, 0x12][..]),
            (0xCC, &[0][..]),
        ] {
            let found = Tables::default().define(marker, body);
            assert!(matches!(found, Err(Damage::Header(_))), "{body:?}");
        }
    }

    #[test]
    fn tables_of_another_coding_are_passed_over() {
        let mut tables = Tables::default();
        tables.define(0xCC, &[0, 0x21, 15, 0, 0x1F, 5]).unwrap();
        assert!(tables.dc.iter().chain(&tables.ac).all(Option::is_none));
    }

    #[test]
    fn standard_codes_replace_only_what_is_missing() {
        let mut tables = Tables::default();
        let own = [[0x11].as_slice(), &[1], &[0; 15], &[0]].concat();
        tables.define(0xC4, &own).unwrap();
        tables.complete();
        assert_eq!(tables.ac[1].as_ref().unwrap().symbols, [0]);
        assert_eq!(tables.ac[0].as_ref().unwrap().symbols.len(), 162);
        assert_eq!(tables.dc[1].as_ref().unwrap().symbols.len(), 12);
        assert!(tables.dc[2].is_none());
    }
}
