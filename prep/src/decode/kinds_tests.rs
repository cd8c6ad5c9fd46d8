//! JPEGs of every kind beside libjpeg-turbo's pixels, which `tests/reference/jpeg_kinds.py` has noted.

use super::{DecodeOptions, ImageDecoder, Reject};

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
        assert_eq!(decoder.warning(), None, "{}", self.name);
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
fn frames_that_do_not_come_out_right_are_refused() {
    let (mut accepted, mut refused) = (0, 0);
    for kind in kinds().filter(|kind| kind.name.starts_with("frame-")) {
        let mut words = kind.name.split('-').skip(1);
        let (sampling, scans) = (words.next().unwrap(), words.next().unwrap());
        match kind.decoded() {
            Ok(found) => {
                kind.compare(&found);
                accepted += 1;
            }
            Err(Reject::UnsupportedJpeg(what)) => {
                let wanted = refusal(sampling, scans);
                assert_eq!(Some(what), wanted, "{}", kind.name);
                refused += 1;
            }
            Err(reject) => panic!("{}: {reject}", kind.name),
        }
        let right = refusal(sampling, scans).is_none();
        assert_eq!(right, kind.decoded().is_ok(), "{}", kind.name);
    }
    assert_eq!((accepted, refused), (88, 81));
}

/// Why a frame is refused.
fn refusal(sampling: &str, scans: &str) -> Option<&'static str> {
    let parts: Vec<(u32, u32)> = sampling
        .split(',')
        .map(|part| {
            let (across, down) = part.split_once('x').unwrap();
            (across.parse().unwrap(), down.parse().unwrap())
        })
        .collect();
    let (first, others) = parts.split_first().unwrap();
    if !others
        .iter()
        .all(|part| first.0 % part.0 == 0 && first.1 % part.1 == 0)
    {
        Some("finer-chroma")
    } else if !others.is_empty() && first.0 == 3
        || first.1 > 2 && others.iter().any(|part| part.1 > 1)
        || parts.len() > 1 && parts.iter().map(|part| part.0 * part.1).sum::<u32>() > 10
    {
        Some("oddly sampled")
    } else {
        matches!(scans, "each" | "two" | "first").then_some("non-interleaved")
    }
}
