//! Markers and the segments after them (ITU-T T.81, annex B).

use shardmill_jpeg::Damage;

/// Reads segment after segment.
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The last segment, its marker included.
    pub(super) last: &'a [u8],
    /// Everything from the first scan header on.
    pub(super) scan: &'a [u8],
    /// Whether bytes without meaning were passed over.
    pub(super) extra: bool,
}

impl<'a> Segments<'a> {
    /// Those of a file, after its start marker.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 2,
            last: &[],
            scan: &[],
            extra: false,
        }
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Passes over bytes that another has read.
    pub(super) const fn pass(&mut self, length: usize) {
        self.at += length;
    }

    /// The next marker, and the body of its segment if it has one. Bytes before it are passed over, as
    /// libjpeg does.
    pub(super) fn next(&mut self) -> Result<(u8, &'a [u8]), Damage> {
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
                _ => return self.body(marker),
            }
        }
    }

    fn body(&mut self, marker: u8) -> Result<(u8, &'a [u8]), Damage> {
        let start = self.at;
        let &[high, low] = self.rest().first_chunk().ok_or(Damage::Ends)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < 2 {
            return Err(Damage::Header("a segment has a length that is none"));
        }
        let body = self.bytes.get(start + 2..start + length);
        let body = body.ok_or(Damage::Ends)?;
        self.last = &self.bytes[start - 2..start + length];
        if marker == 0xDA && self.scan.is_empty() {
            self.scan = &self.bytes[start - 2..];
        }
        self.at = start + length;
        Ok((marker, body))
    }
}
