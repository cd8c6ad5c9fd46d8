//! The frame of a JPEG, and which frames the general decoder gets right.

use super::super::check_pixels;
use crate::reject::Reject;
use shardmill_jpeg::survey::{ColourMarks, ColourSpace};

/// A colour component.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) id: u8,
    pub(super) across: usize,
    pub(super) down: usize,
    pub(super) quantiser: u8,
}

/// A frame header.
#[derive(Clone, Debug)]
pub(in crate::decode) struct Frame {
    pub(in crate::decode) width: usize,
    pub(in crate::decode) height: usize,
    pub(in crate::decode) progressive: bool,
    pub(super) parts: Vec<Part>,
}

impl Frame {
    /// Reads the header after `marker`, of a process that [`unsupported`] does not name.
    pub(super) fn parse(marker: u8, body: &[u8]) -> Result<Self, Reject> {
        let damaged = |what: &str| Reject::Damaged(what.to_owned());
        let Some(&[precision, h1, h0, w1, w0, count]) = body.first_chunk() else {
            return Err(damaged("its frame header is too short"));
        };
        match precision {
            8 => {}
            12 => return Err(Reject::UnsupportedJpeg("12-bit")),
            _ => return Err(damaged("its frame header has a precision that is none")),
        }
        let listed = body.get(6..6 + 3 * usize::from(count));
        let listed = listed.ok_or_else(|| damaged("its frame header is too short"))?;
        let mut frame = Self {
            width: usize::from(u16::from_be_bytes([w1, w0])),
            height: usize::from(u16::from_be_bytes([h1, h0])),
            progressive: marker == 0xC2,
            parts: Vec::new(),
        };
        check_pixels(frame.width, frame.height)?;
        for part in listed.chunks_exact(3) {
            let (across, down) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
                return Err(damaged("its frame header has a sampling that is none"));
            }
            frame.parts.push(Part {
                id: part[0],
                across,
                down,
                quantiser: part[2],
            });
        }
        if let [grey] = frame.parts.as_mut_slice() {
            // The only component comes block by block, whatever its sampling says.
            (grey.across, grey.down) = (1, 1);
        }
        Ok(frame)
    }

    /// What the components are.
    pub(super) fn space(&self, marks: ColourMarks) -> Result<ColourSpace, Reject> {
        let ids = self.parts.iter().map(|part| part.id);
        let unknown = match self.parts.len() {
            0 => return Err(Reject::Damaged("it has no colour components".to_owned())),
            2 => Reject::UnsupportedJpeg("two-component"),
            _ => Reject::UnsupportedJpeg("many-component"),
        };
        marks.space(ids).ok_or(unknown)
    }

    /// Refuses frames whose samplings are not known to come out right.
    ///
    /// This is a list of what was compared with libjpeg-turbo, not of what is known to be wrong: the
    /// general decoder shifts or garbles planes where the first component is not the finest, and where
    /// the ratio to it is uncommon.
    pub(super) fn check_sampling(&self) -> Result<(), Reject> {
        let Some((first, others)) = self.parts.split_first() else {
            return Ok(());
        };
        let whole_ratio =
            |part: &Part| first.across % part.across == 0 && first.down % part.down == 0;
        if !others.iter().all(whole_ratio) {
            return Err(Reject::UnsupportedJpeg("finer-chroma"));
        }
        let tall = first.down > 2 && others.iter().any(|part| part.down != 1);
        let blocks: usize = self.parts.iter().map(|part| part.across * part.down).sum();
        if first.across == 3 || tall || (blocks > 10 && self.parts.len() > 1) {
            return Err(Reject::UnsupportedJpeg("oddly sampled"));
        }
        Ok(())
    }

    /// Most blocks across and down of a component.
    pub(super) fn most(&self) -> (usize, usize) {
        let most = |side: fn(&Part) -> usize| self.parts.iter().map(side).max().unwrap_or(1);
        (most(|part| part.across), most(|part| part.down))
    }
}

/// Names the coding process of a frame that no decoder here knows (table B.1).
pub(super) const fn unsupported(marker: u8) -> Option<&'static str> {
    match marker {
        0xC3 => Some("lossless"),
        0xC5..=0xC7 => Some("hierarchical"),
        0xC9..=0xCB | 0xCD..=0xCF => Some("arithmetic-coded"),
        0xDC => Some("DNL (its height behind the picture)"),
        _ => None,
    }
}
