//! The copy of a JPEG that the general decoder is given: colours are said as every decoder understands it,
//! and there is nothing that one could stumble over.

use super::frame::Frame;
use super::scan::Scan;
use shardmill_jpeg::survey::ColourSpace;
use shardmill_jpeg::survey::Entropy;

/// A copy in the making.
pub(super) struct Clean {
    pub(super) bytes: Vec<u8>,
    /// Where the first scan begins.
    headers: usize,
}

impl Clean {
    /// With everything in front of the first scan.
    pub(super) fn new(frame: &Frame, space: ColourSpace, defining: &[&[u8]]) -> Self {
        let mut bytes = vec![0xFF, 0xD8];
        if space != ColourSpace::Grey {
            bytes.extend_from_slice(b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0");
            bytes.push(space.adobe());
        }
        for segment in defining {
            bytes.extend_from_slice(segment);
        }
        let marker = if frame.progressive { 0xC2 } else { 0xC0 };
        let count = frame.parts.len() as u8;
        let [w1, w0] = (frame.width as u16).to_be_bytes();
        let [h1, h0] = (frame.height as u16).to_be_bytes();
        bytes.extend_from_slice(&[0xFF, marker, 0, 8 + 3 * count, 8, h1, h0, w1, w0, count]);
        for (place, part) in frame.parts.iter().enumerate() {
            let sampling = (part.across << 4 | part.down) as u8;
            bytes.extend_from_slice(&[number(place), sampling, part.quantiser]);
        }
        let headers = bytes.len();
        Self { bytes, headers }
    }

    /// Adds a scan, of whose data each restart interval is `used` up to a place.
    pub(super) fn scan(&mut self, frame: &Frame, scan: &Scan, entropy: &Entropy, used: &[usize]) {
        let count = scan.parts.len() as u8;
        let bytes = &mut self.bytes;
        bytes.extend_from_slice(&[0xFF, 0xDA, 0, 6 + 2 * count, count]);
        for &(place, tables) in &scan.parts {
            bytes.extend_from_slice(&[number(place), tables]);
        }
        bytes.extend_from_slice(&match frame.progressive {
            true => [scan.first, scan.last, scan.high << 4 | scan.low],
            false => [0, 63, 0],
        });
        let mut start = 0;
        for (interval, &end) in used.iter().enumerate() {
            if interval > 0 {
                bytes.extend_from_slice(&[0xFF, 0xD0 | (interval - 1) as u8 & 7]);
            }
            let mut rest = &entropy.data[start..end];
            while let Some(mark) = memchr::memchr(0xFF, rest) {
                bytes.extend_from_slice(&rest[..=mark]);
                bytes.push(0);
                rest = &rest[mark + 1..];
            }
            bytes.extend_from_slice(rest);
            start = entropy.ends[interval];
        }
    }

    /// Adds the end.
    pub(super) fn end(&mut self) {
        self.bytes.extend_from_slice(&[0xFF, 0xD9]);
    }

    /// Takes everything from the first scan on as the file has it, damage included.
    pub(super) fn take_as_it_is(&mut self, frame: &Frame, scans: &[u8]) {
        self.bytes.truncate(self.headers);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(scans);
        let scans = &mut self.bytes[start..];
        // Nothing but a scan header begins like this: in the data a zero follows each of these bytes.
        let headers: Vec<usize> = memchr::memmem::find_iter(scans, &[0xFF, 0xDA]).collect();
        for at in headers {
            let count = scans.get(at + 4).map_or(0, |&count| usize::from(count));
            let listed = scans.get_mut(at + 5..at + 5 + 2 * count);
            for pair in listed.unwrap_or_default().chunks_exact_mut(2) {
                if let Some(place) = frame.parts.iter().position(|part| part.id == pair[0]) {
                    pair[0] = number(place);
                }
            }
        }
    }
}

/// The identifier of a component in the copy. Some decoders take certain identifiers for colours.
const fn number(place: usize) -> u8 {
    place as u8 + 1
}
