//! Quantisation tables.

use crate::zigzag::ZIGZAG;

/// A quantisation table and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantisation {
    /// Destination, 0 to 3.
    pub destination: u8,
    /// Whether values are written with 16 bits.
    pub wide: bool,
    /// The values, row by row, at least 1; at most 255 unless `wide`.
    pub values: [u16; 64],
}

impl Quantisation {
    /// The example table of T.81, K.1, for luminance (`chroma` false) or chrominance, scaled for a
    /// quality from 1 to 100 as libjpeg does.
    #[must_use]
    pub fn quality(destination: u8, chroma: bool, quality: u8) -> Self {
        let base = if chroma { &CHROMINANCE } else { &LUMINANCE };
        let quality = u32::from(quality.clamp(1, 100));
        let percent = if quality < 50 {
            5000 / quality
        } else {
            200 - 2 * quality
        };
        let scaled = |value: u8| ((u32::from(value) * percent + 50) / 100).clamp(1, 255) as u16;
        Self {
            destination,
            wide: false,
            values: base.map(scaled),
        }
    }

    /// The same value for every coefficient.
    #[must_use]
    pub fn flat(destination: u8, value: u16) -> Self {
        Self {
            destination,
            wide: value > 255,
            values: [value; 64],
        }
    }

    /// What a DQT segment holds of this table (T.81, B.2.4.1).
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.wide) << 4 | self.destination];
        for place in ZIGZAG {
            let value = self.values[usize::from(place)];
            if self.wide {
                bytes.extend(value.to_be_bytes());
            } else {
                bytes.push(u8::try_from(value).expect("a value of 8 bits, or a wide table"));
            }
        }
        bytes
    }
}

/// T.81, table K.1.
const LUMINANCE: [u8; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

/// T.81, table K.2.
const CHROMINANCE: [u8; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];
