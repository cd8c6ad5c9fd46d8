//! Markers and the segments after them (ITU-T T.81, annex B).

use crate::damage::Damage;

/// Reads segment after segment.
#[derive(Clone, Debug)]
pub(crate) struct Segments<'a> {
    bytes: &'a [u8],
    /// Where the next marker is looked for.
    pub(crate) at: usize,
    /// Whether bytes without meaning were passed over.
    pub(crate) extra: bool,
}

impl<'a> Segments<'a> {
    /// Those of a file from byte `at` on.
    pub(crate) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            extra: false,
        }
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next marker, and the body of its segment if it has one. Bytes before it are passed over, as libjpeg
    /// does (`next_marker`).
    pub(crate) fn next(&mut self) -> Result<(u8, &'a [u8]), Damage> {
        loop {
            let mark = memchr::memchr(0xFF, self.rest()).ok_or(Damage::Ends)?;
            self.extra |= mark > 0;
            self.at += mark;
            let fill = self.rest().iter().take_while(|&&byte| byte == 0xFF).count();
            self.at += fill;
            let &marker = self.rest().first().ok_or(Damage::Ends)?;
            self.at += 1;
            match marker {
                // None, or one that stands alone and means nothing here.
                0 | 1 | 0xD0..=0xD7 => self.extra = true,
                0xD8 => return Err(Damage::Header("it begins twice")),
                0xD9 => return Ok((marker, &[])),
                _ => return Ok((marker, self.body()?)),
            }
        }
    }

    fn body(&mut self) -> Result<&'a [u8], Damage> {
        let &[high, low] = self.rest().first_chunk().ok_or(Damage::Ends)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < 2 {
            return Err(Damage::Header("a segment has a length that is none"));
        }
        let body = self.rest().get(2..length).ok_or(Damage::Ends)?;
        self.at += length;
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fill_bytes_are_part_of_a_marker_and_other_bytes_are_noted() {
        let bytes = [0xFF, 0xFF, 0xFE, 0, 3, 7, 0xFF, 0xD9];
        let mut segments = Segments::new(&bytes, 0);
        assert_eq!(segments.next(), Ok((0xFE, [7].as_slice())));
        assert!(!segments.extra);
        assert_eq!(segments.next(), Ok((0xD9, [].as_slice())));
        let bytes = [9, 0xFF, 0, 0xFF, 0xD3, 0xFF, 0xFE, 0, 2];
        let mut segments = Segments::new(&bytes, 0);
        assert_eq!(segments.next(), Ok((0xFE, [].as_slice())));
        assert!(segments.extra);
        assert_eq!(segments.next(), Err(Damage::Ends));
    }

    #[test]
    fn lengths_that_lead_out_of_the_file_or_back_are_damage() {
        for (bytes, damage) in [
            (&[0xFF, 0xFE, 0, 9, 1][..], Damage::Ends),
            (&[0xFF, 0xFE, 0][..], Damage::Ends),
            (&[0xFF, 0xFE][..], Damage::Ends),
            (&[0xFF][..], Damage::Ends),
            (
                &[0xFF, 0xFE, 0, 1][..],
                Damage::Header("a segment has a length that is none"),
            ),
            (&[0xFF, 0xD8][..], Damage::Header("it begins twice")),
        ] {
            assert_eq!(Segments::new(bytes, 0).next(), Err(damage));
        }
    }
}
