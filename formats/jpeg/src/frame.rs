//! The frame of a JPEG: its size and its components (ITU-T T.81, annex B.2.2).

use crate::damage::{Damage, Error};

/// Most blocks in a unit of a scan of several components (B.2.3).
const MOST_BLOCKS: usize = 10;

/// A colour component.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Component {
    pub(crate) id: u8,
    /// Blocks across and down in each unit of a scan of several components.
    pub(crate) across: usize,
    pub(crate) down: usize,
    pub(crate) quantiser: usize,
    /// Its Huffman tables, as the last scan header with it has them.
    pub(crate) dc: usize,
    pub(crate) ac: usize,
}

/// A frame header.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) progressive: bool,
    /// One, three or four.
    pub(crate) components: Vec<Component>,
}

impl Frame {
    /// Reads the header after `marker`.
    pub(crate) fn parse(marker: u8, body: &[u8]) -> Result<Self, Error> {
        let Some((&[precision, h1, h0, w1, w0, count], listed)) = body.split_first_chunk() else {
            return Err(Damage::Header("its frame header is too short").into());
        };
        match precision {
            8 => {}
            12 => return Err(Error::Unsupported("12-bit")),
            _ => {
                return Err(Damage::Header("its frame header has a precision that is none").into());
            }
        }
        let (width, height) = (
            usize::from(u16::from_be_bytes([w1, w0])),
            usize::from(u16::from_be_bytes([h1, h0])),
        );
        if height == 0 {
            return Err(Error::Unsupported(HEIGHT_BEHIND));
        }
        if width == 0 {
            return Err(Damage::Header("a side of it has 0 pixels").into());
        }
        match count {
            1 | 3 | 4 => {}
            0 => return Err(Damage::Header("it has no colour components").into()),
            2 => return Err(Error::Unsupported("two-component")),
            _ => return Err(Error::Unsupported("many-component")),
        }
        if listed.len() != 3 * usize::from(count) {
            return Err(Damage::Header("its frame header has a wrong length").into());
        }
        let component = |part: &[u8; 3]| Component {
            id: part[0],
            across: usize::from(part[1] >> 4),
            down: usize::from(part[1] & 15),
            quantiser: usize::from(part[2]),
            ..Component::default()
        };
        let mut frame = Self {
            width,
            height,
            progressive: marker == 0xC2,
            components: listed.as_chunks().0.iter().map(component).collect(),
        };
        frame.check_sampling()?;
        if let [only] = frame.components.as_mut_slice() {
            // The only component comes block by block, whatever its sampling says.
            (only.across, only.down) = (1, 1);
        }
        Ok(frame)
    }

    /// Refuses samplings that the standard does not know, and, as libjpeg does, those whose planes are not made
    /// larger by a whole number.
    fn check_sampling(&self) -> Result<(), Error> {
        let sampling =
            |part: &Component| (1..=4).contains(&part.across) && (1..=4).contains(&part.down);
        if !self.components.iter().all(sampling) {
            return Err(Damage::Header("its frame header has a sampling that is none").into());
        }
        let (across, down) = self.most();
        let whole = |part: &Component| across % part.across == 0 && down % part.down == 0;
        match self.components.iter().all(whole) {
            true => Ok(()),
            false => Err(Error::Unsupported("fractionally sampled")),
        }
    }

    /// Most blocks across and down that a component has in a unit.
    pub(crate) fn most(&self) -> (usize, usize) {
        let most = |side: fn(&Component) -> usize| self.components.iter().map(side).max();
        (
            most(|part| part.across).unwrap_or(1),
            most(|part| part.down).unwrap_or(1),
        )
    }

    /// Pixels of the image across and down for each sample of a component.
    pub(crate) fn ratio(&self, component: &Component) -> (usize, usize) {
        let (across, down) = self.most();
        (across / component.across, down / component.down)
    }

    /// Units across and down in a scan of several components (A.2.3).
    pub(crate) fn units(&self) -> (usize, usize) {
        let (across, down) = self.most();
        (
            self.width.div_ceil(8 * across),
            self.height.div_ceil(8 * down),
        )
    }

    /// Refuses an interleaved scan of components whose unit has more blocks than the standard allows.
    pub(crate) fn check_unit(&self, places: &[usize]) -> Result<(), Error> {
        let blocks = |&place: &usize| self.components[place].across * self.components[place].down;
        let all: usize = places.iter().map(blocks).sum();
        match places.len() > 1 && all > MOST_BLOCKS {
            true => Err(Error::Unsupported("more-than-ten-blocks-a-unit")),
            false => Ok(()),
        }
    }
}

/// Name of the files whose frame has no height, which a segment after the first scan gives (B.2.5).
const HEIGHT_BEHIND: &str = "DNL (its height behind the picture)";

/// Names the coding process of a marker that this decoder does not know (table B.1).
pub(crate) const fn unsupported(marker: u8) -> Option<&'static str> {
    match marker {
        0xC3 => Some("lossless"),
        0xC5..=0xC7 => Some("hierarchical"),
        0xC9..=0xCB | 0xCD..=0xCF => Some("arithmetic-coded"),
        0xDC => Some(HEIGHT_BEHIND),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of 20x10 pixels whose components are sampled as `samplings` say.
    fn frame(samplings: &[u8]) -> Result<Frame, Error> {
        let mut body = vec![8, 0, 10, 0, 20, samplings.len() as u8];
        for (id, &sampling) in (1..).zip(samplings) {
            body.extend([id, sampling, 0]);
        }
        Frame::parse(0xC0, &body)
    }

    #[test]
    fn samples_stand_for_whole_numbers_of_pixels() {
        let ratios = |samplings: &[u8]| -> Vec<(usize, usize)> {
            let frame = frame(samplings).unwrap();
            let parts = frame.components.iter();
            parts.map(|part| frame.ratio(part)).collect()
        };
        assert_eq!(ratios(&[0x22, 0x11, 0x21]), [(1, 1), (2, 2), (1, 2)]);
        assert_eq!(ratios(&[0x11, 0x31, 0x14]), [(3, 4), (1, 4), (3, 1)]);
        assert_eq!(ratios(&[0x43]), [(1, 1)]);
        let fraction = Error::Unsupported("fractionally sampled");
        assert_eq!(frame(&[0x31, 0x21, 0x11]).unwrap_err(), fraction);
        assert_eq!(frame(&[0x14, 0x11, 0x13]).unwrap_err(), fraction);
    }

    #[test]
    fn units_cover_the_image() {
        assert_eq!(frame(&[0x22, 0x11, 0x11]).unwrap().units(), (2, 1));
        assert_eq!(frame(&[0x22]).unwrap().units(), (3, 2));
    }

    #[test]
    fn frames_that_make_no_sense_are_refused() {
        for samplings in [&[][..], &[0x01; 3], &[0x10; 3], &[0x51; 3], &[0x15; 3]] {
            let found = frame(samplings).unwrap_err();
            assert!(matches!(found, Error::Damaged(Damage::Header(_))));
        }
        let two = Error::Unsupported("two-component");
        assert_eq!(frame(&[0x11; 2]).unwrap_err(), two);
        let many = Error::Unsupported("many-component");
        assert_eq!(frame(&[0x11; 5]).unwrap_err(), many);
        for body in [
            &[8, 0, 1, 0, 1, 1, 1, 0x11][..],
            &[8, 0, 1, 0, 1, 1, 1, 0x11, 0, 0],
            &[8, 0, 1, 0, 0, 1, 1, 0x11, 0],
            &[7, 0, 1, 0, 1, 1, 1, 0x11, 0],
            &[8, 0, 1, 0, 1],
        ] {
            let found = Frame::parse(0xC0, body).unwrap_err();
            assert!(matches!(found, Error::Damaged(Damage::Header(_))));
        }
        let none = Frame::parse(0xC0, &[8, 0, 0, 0, 1, 1, 1, 0x11, 0]).unwrap_err();
        assert_eq!(none, Error::Unsupported(HEIGHT_BEHIND));
    }

    #[test]
    fn units_of_more_than_ten_blocks_are_refused() {
        let frame = frame(&[0x44, 0x11, 0x11]).unwrap();
        assert!(frame.check_unit(&[0]).is_ok());
        assert!(frame.check_unit(&[1, 2]).is_ok());
        assert!(frame.check_unit(&[0, 1]).is_err());
    }
}
