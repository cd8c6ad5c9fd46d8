//! Which bits of which coefficients the scans have brought so far (ITU-T T.81, annex G.1.1).

use crate::frame::Frame;
use crate::scan_header::ScanHeader;

/// For each component and coefficient: the lowest bit that is there.
#[derive(Debug, Default)]
pub(crate) struct Progression {
    parts: Vec<[Option<u8>; 64]>,
}

impl Progression {
    pub(crate) fn new(frame: &Frame) -> Self {
        Self {
            parts: vec![[None; 64]; frame.components.len()],
        }
    }

    /// Whether no scan of a component has come.
    pub(crate) fn is_new(&self, place: usize) -> bool {
        self.parts[place].iter().all(Option::is_none)
    }

    /// Takes note of a scan that begins; says whether its turn had come (`start_pass_phuff_decoder` of libjpeg
    /// warns if it had not).
    pub(crate) fn begin(&mut self, scan: &ScanHeader, progressive: bool) -> bool {
        let mut in_turn = true;
        for &place in scan.places() {
            let part = &mut self.parts[place];
            if !progressive {
                part.fill(Some(0));
                continue;
            }
            in_turn &= scan.first == 0 || part[0].is_some();
            for low in &mut part[usize::from(scan.first)..=usize::from(scan.last)] {
                in_turn &= low.unwrap_or(0) == scan.high;
                *low = Some(scan.low);
            }
        }
        in_turn
    }

    /// Whether each component has come at least roughly, which is what makes a picture.
    pub(crate) fn is_picture(&self) -> bool {
        self.parts.iter().all(|part| part[0].is_some())
    }

    /// Whether every bit has come.
    pub(crate) fn is_complete(&self) -> bool {
        self.parts.as_flattened().iter().all(|&low| low == Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_out_of_turn_are_noted_and_the_last_bit_makes_it_complete() {
        let body = [8, 0, 9, 0, 9, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
        let mut frame = Frame::parse(0xC2, &body).unwrap();
        let mut progression = Progression::new(&frame);
        let mut begin = |ids: &[u8], band: [u8; 3]| {
            let parts = ids.iter().flat_map(|&id| [id, 0]);
            let body: Vec<u8> = [ids.len() as u8]
                .into_iter()
                .chain(parts)
                .chain(band)
                .collect();
            let scan = ScanHeader::parse(&body, &mut frame).unwrap();
            let in_turn = progression.begin(&scan, true);
            (in_turn, progression.is_picture(), progression.is_complete())
        };
        assert_eq!(begin(&[1, 2], [0, 0, 1]), (true, false, false));
        assert_eq!(begin(&[3], [1, 63, 0]), (false, false, false));
        assert_eq!(begin(&[3], [0, 0, 1]), (true, true, false));
        assert_eq!(begin(&[1], [1, 63, 1]), (true, true, false));
        assert_eq!(begin(&[1], [1, 63, 0]), (false, true, false));
        assert_eq!(begin(&[2], [1, 63, 0x10]), (false, true, false));
        assert_eq!(begin(&[1, 2, 3], [0, 0, 0x10]), (true, true, true));
    }
}
