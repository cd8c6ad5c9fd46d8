//! The segments of a JPEG before its first scan (ITU-T T.81, annex B).

/// What the segments before the first scan say.
#[derive(Debug, Default)]
pub(super) struct Segments<'a> {
    /// Marker of the frame header, `0xC0` for a baseline frame.
    pub(super) frame: Option<u8>,
    /// The first EXIF block, without its `Exif` mark.
    pub(super) exif: Option<&'a [u8]>,
    /// Where the first scan header is, if there is one.
    pub(super) scan: Option<usize>,
}

impl<'a> Segments<'a> {
    /// Walks the segments; stops at the first scan and at anything that is no segment.
    pub(super) fn walk(bytes: &'a [u8]) -> Self {
        let mut found = Self::default();
        let mut at = 2;
        while let Some(&[0xFF, marker, high, low]) = bytes.get(at..at + 4) {
            if marker == 0xFF {
                at += 1;
                continue;
            }
            let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
            let body = bytes.get(at + 4..end).unwrap_or_default();
            match marker {
                0xDA => {
                    found.scan = Some(at);
                    break;
                }
                // C4, C8 and CC are tables and an extension among the frame headers.
                0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                    found.frame = found.frame.or(Some(marker));
                }
                0xE1 if found.exif.is_none() => found.exif = body.strip_prefix(b"Exif\0\0"),
                _ => {}
            }
            at = end;
        }
        found
    }

    /// Names the coding process of a frame that no decoder here knows (table B.1).
    pub(super) fn unsupported(&self) -> Option<&'static str> {
        match self.frame? {
            0xC3 => Some("lossless"),
            0xC5..=0xC7 => Some("hierarchical"),
            0xC9..=0xCB | 0xCD..=0xCF => Some("arithmetic-coded"),
            _ => None,
        }
    }

    /// Whether no end-of-image marker follows the last scan. Inside of entropy-coded data neither
    /// marker can occur, since 0xFF is followed by a zero or a restart marker there.
    pub(super) fn truncated(&self, bytes: &[u8]) -> bool {
        let Some(scan) = self.scan else { return true };
        // The end is nearly always in the last bytes, so it is looked for from there.
        let pair = |marker| move |pair: &[u8]| pair == [0xFF, marker];
        let Some(end) = bytes[scan..].windows(2).rposition(pair(0xD9)) else {
            return true;
        };
        bytes[scan + end..].windows(2).any(pair(0xDA))
    }
}
