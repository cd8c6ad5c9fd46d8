//! The header of a scan (ITU-T T.81, annexes B.2.3 and G.1.1).

use crate::damage::Damage;
use crate::frame::Frame;

/// What a scan brings, and of which components.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanHeader {
    places: [usize; 4],
    count: usize,
    /// First and last coefficient, in the order of the data.
    pub(crate) first: u8,
    pub(crate) last: u8,
    /// Lowest bit that was there before, 0 if there was none, and the one that is there with it.
    pub(crate) high: u8,
    pub(crate) low: u8,
}

impl ScanHeader {
    /// Reads the header; the components of `frame` take their tables from it.
    pub(crate) fn parse(body: &[u8], frame: &mut Frame) -> Result<Self, Damage> {
        let scan = Self::read(body, frame);
        scan.ok_or(Damage::Header("a scan header makes no sense"))
    }

    fn read(body: &[u8], frame: &mut Frame) -> Option<Self> {
        let (&count, rest) = body.split_first()?;
        let count = usize::from(count);
        let (listed, &[first, last, bits]) = rest.split_at_checked(2 * count)? else {
            return None;
        };
        let mut scan = Self {
            places: [0; 4],
            count: 0,
            first,
            last,
            high: bits >> 4,
            low: bits & 15,
        };
        for &[id, tables] in listed.as_chunks().0 {
            // Two components may have one identifier: the first that is left, as libjpeg has it.
            let mut places = (0..).zip(&mut frame.components);
            let (place, component) = places
                .find(|(place, component)| component.id == id && !scan.places().contains(place))?;
            (component.dc, component.ac) = (usize::from(tables >> 4), usize::from(tables & 15));
            scan.places[scan.count] = place;
            scan.count += 1;
        }
        (count > 0 && (!frame.progressive || scan.is_progression())).then_some(scan)
    }

    /// Whether a progressive scan is one of those of table G.1.1.
    fn is_progression(&self) -> bool {
        let band = match self.first {
            0 => self.last == 0,
            first => first <= self.last && self.last < 64 && self.count == 1,
        };
        band && self.low <= 13 && (self.high == 0 || self.high == self.low + 1)
    }

    /// Places of its components in the frame.
    pub(crate) fn places(&self) -> &[usize] {
        &self.places[..self.count]
    }

    /// Whether its header says of a sequential scan what it must say.
    pub(crate) const fn is_sequential(&self) -> bool {
        matches!((self.first, self.last, self.high, self.low), (0, 63, 0, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(progressive: bool, ids: [u8; 3]) -> Frame {
        let [a, b, c] = ids;
        let body = [8, 0, 9, 0, 9, 3, a, 0x11, 0, b, 0x11, 0, c, 0x11, 0];
        Frame::parse(if progressive { 0xC2 } else { 0xC0 }, &body).unwrap()
    }

    #[test]
    fn components_are_found_by_their_identifiers_in_any_order() {
        let mut found = frame(false, [7, 3, 9]);
        let scan = ScanHeader::parse(&[2, 9, 0x12, 7, 0x30, 0, 63, 0], &mut found).unwrap();
        assert_eq!(scan.places(), [2, 0]);
        let tables = found.components.iter().map(|part| (part.dc, part.ac));
        assert_eq!(tables.collect::<Vec<_>>(), [(3, 0), (0, 0), (1, 2)]);
        // The first that is left of those with one identifier.
        let mut same = frame(false, [1, 1, 1]);
        let scan = ScanHeader::parse(&[3, 1, 0, 1, 0, 1, 0, 0, 63, 0], &mut same).unwrap();
        assert_eq!(scan.places(), [0, 1, 2]);
    }

    #[test]
    fn headers_that_make_no_sense_are_refused() {
        let ids = [1, 2, 3];
        for body in [
            &[][..],
            &[0, 0, 63, 0],
            &[1, 4, 0, 0, 63, 0],
            &[1, 1, 0, 0, 63],
            &[1, 1, 0, 0, 63, 0, 0],
            &[2, 1, 0, 1, 0, 0, 63, 0],
            &[4, 1, 0, 2, 0, 3, 0, 3, 0, 0, 63, 0],
        ] {
            assert!(
                ScanHeader::parse(body, &mut frame(false, ids)).is_err(),
                "{body:?}"
            );
        }
        for [first, last, bits] in [[0, 1, 0], [5, 4, 0], [1, 64, 0], [1, 5, 0x20], [1, 5, 14]] {
            let found = ScanHeader::parse(&[1, 1, 0, first, last, bits], &mut frame(true, ids));
            assert!(found.is_err(), "{first} {last} {bits}");
        }
        // Values other than the first come for one component at a time.
        let both = [2, 1, 0, 2, 0, 1, 5, 0];
        assert!(ScanHeader::parse(&both, &mut frame(true, ids)).is_err());
        assert!(ScanHeader::parse(&[1, 1, 0, 1, 5, 0x21], &mut frame(true, ids)).is_ok());
    }
}
