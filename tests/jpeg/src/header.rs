//! Segments before the frame that say how the picture is to be shown.

/// An application segment or a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// JFIF 1.1, without a thumbnail.
    Jfif,
    /// Adobe's APP14 with this colour transform: 0 none, 1 YCbCr, 2 YCCK.
    Adobe(u8),
    /// EXIF with this orientation, in the byte order of Intel (`little`) or Motorola.
    Exif {
        /// 1 to 8; anything else is out of range.
        orientation: u16,
        /// Whether numbers have their low byte first.
        little: bool,
    },
    /// A comment.
    Comment(Vec<u8>),
    /// APPn of this number with these bytes.
    Application(u8, Vec<u8>),
}

impl Header {
    /// The second byte of the marker, and what stands in the segment.
    pub(crate) fn segment(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Jfif => (0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0".to_vec()),
            Self::Adobe(transform) => {
                let mut bytes = b"Adobe\0\x64\0\0\0\0".to_vec();
                bytes.push(*transform);
                (0xEE, bytes)
            }
            Self::Exif {
                orientation,
                little,
            } => (0xE1, exif(*orientation, *little)),
            Self::Comment(bytes) => (0xFE, bytes.clone()),
            Self::Application(number, bytes) => (0xE0 | number & 15, bytes.clone()),
        }
    }
}

/// A TIFF header and one directory with the tag 0x0112, orientation (TIFF 6.0, section 2).
fn exif(orientation: u16, little: bool) -> Vec<u8> {
    let short = |value: u16| match little {
        true => value.to_le_bytes(),
        false => value.to_be_bytes(),
    };
    let long = |value: u32| match little {
        true => value.to_le_bytes(),
        false => value.to_be_bytes(),
    };
    let mut bytes = b"Exif\0\0".to_vec();
    bytes.extend(if little { b"II" } else { b"MM" });
    bytes.extend(short(42));
    bytes.extend(long(8));
    bytes.extend(short(1));
    bytes.extend(short(0x0112));
    // Type 3 is a number of 16 bits.
    bytes.extend(short(3));
    bytes.extend(long(1));
    bytes.extend(short(orientation));
    bytes.extend(short(0));
    bytes.extend(long(0));
    bytes
}
