//! JPEGs of every kind beside libjpeg-turbo's pixels, which `tests/reference/jpeg_kinds.py` has noted.

use super::{DecodeOptions, ImageDecoder, Reject, Warning};

const KINDS: &str = include_str!("../../../tests/reference/fixtures/jpeg-kinds.txt");

/// How far the mean of a cell may be from libjpeg-turbo's: colours that were stored smaller are made larger
/// in another way here.
const TOLERANCE: i32 = 2;

struct Kind {
    name: &'static str,
    jpeg: Vec<u8>,
    cells: Vec<u8>,
}

fn kinds() -> impl Iterator<Item = Kind> {
    let bytes = |hex: &str| -> Vec<u8> {
        let digits = hex.as_bytes().as_chunks::<2>().0;
        let value = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.iter().map(value).collect()
    };
    KINDS.lines().map(move |line| {
        let mut fields = line.split(' ');
        let mut field = || fields.next().unwrap();
        Kind {
            name: field(),
            jpeg: bytes(field()),
            cells: bytes(field()),
        }
    })
}

impl Kind {
    /// Cells of the decoded picture, or the reject.
    fn decoded(&self) -> Result<Vec<u8>, Reject> {
        // Nothing is resized or cut.
        let (side, across) = if self.name.starts_with("colours") {
            (16, 4)
        } else {
            (33, 3)
        };
        let mut decoder = ImageDecoder::with_options(side, DecodeOptions::default());
        let record = decoder.decode(&self.jpeg)?.to_vec();
        assert_eq!(decoder.warning(), self.warning(), "{}", self.name);
        let (side, cell) = (side as usize, side as usize / across);
        let mean = |place: usize| {
            let (top, left) = (place / 3 / across * cell, place / 3 % across * cell);
            let pixels = (0..cell * cell).map(|i| (top + i / cell) * side + left + i % cell);
            let sum: u32 = pixels
                .map(|pixel| u32::from(record[pixel * 3 + place % 3]))
                .sum();
            ((sum + (cell * cell) as u32 / 2) / (cell * cell) as u32) as u8
        };
        Ok((0..across * across * 3).map(mean).collect())
    }

    /// libjpeg warns of Adobe segments that name a transform which the components cannot have.
    fn warning(&self) -> Option<Warning> {
        let unknown = ["RGB-plain-adobe2", "CMYK-plain-adobe1", "CMYK-jfif-adobe1"];
        let is_unknown = unknown.iter().any(|kind| self.name.contains(kind));
        is_unknown.then_some(Warning::OddHeader)
    }

    fn compare(&self, found: &[u8]) {
        let far = |(a, b): (&u8, &u8)| (i32::from(*a) - i32::from(*b)).abs() > TOLERANCE;
        let differs = found.len() != self.cells.len() || found.iter().zip(&self.cells).any(far);
        let (name, cells) = (self.name, &self.cells);
        assert!(!differs, "{name}: {found:?}, libjpeg-turbo has {cells:?}");
    }
}

#[test]
fn jfif_comes_before_adobe_and_adobe_before_identifiers() {
    let mut count = 0;
    for kind in kinds().filter(|kind| kind.name.starts_with("colours-")) {
        kind.compare(&kind.decoded().unwrap());
        count += 1;
    }
    assert_eq!(count, 2 * 2 * 4 * (1 + 4 + 2));
}

#[test]
fn samplings_and_scans_of_every_kind_come_out_as_libjpegs() {
    let mut count = 0;
    for kind in kinds().filter(|kind| kind.name.starts_with("frame-")) {
        kind.compare(&kind.decoded().unwrap());
        count += 1;
    }
    assert_eq!(count, 88 + 81);
}
