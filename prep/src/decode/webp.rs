//! What a WebP says of itself before it is decoded: whether all of its bytes are there, and how large its
//! frames are. Its decoder forgives missing bytes, and believes the size of the canvas until it has taken
//! memory for the frame.

use super::check_pixels;
use super::damage::Warning;
use crate::reject::Reject;

/// Length of the header of a file, and of a chunk.
const HEADER: usize = 12;
const CHUNK: usize = 8;
/// What an animation's frame has before its own chunks: place, size, duration and flags.
const FRAME: usize = 16;

/// Names of chunks.
const NAMES: [&[u8; 4]; 9] = [
    b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP ",
];

/// Pixels across and down.
type Size = (usize, usize);

/// What of a file is there.
#[derive(Debug)]
pub(super) struct Checked<'a> {
    /// The file without a chunk that is cut off: the decoder takes the memory that such a chunk claims.
    pub(super) bytes: &'a [u8],
    /// What is wrong though the picture is there.
    pub(super) warning: Option<Warning>,
}

/// Looks through a WebP, and says what is wrong though the picture is there: what is after it may be cut off,
/// the further frames of an animation or notes.
///
/// What is not understood is left to the decoder to refuse; bytes after the file's own end are harmless.
///
/// # Errors
/// Bytes that are missing before the end of the picture, and pictures that are larger than may be or of
/// another size than is said around them.
pub(super) fn check(bytes: &[u8]) -> Result<Checked<'_>, Reject> {
    let found = |bytes, warning| Ok(Checked { bytes, warning });
    let end = CHUNK.saturating_add(length(bytes, 4).unwrap_or(0));
    let mut canvas = None;
    let (mut animated, mut pictures) = (false, 0);
    for chunk in chunks(bytes, HEADER) {
        let Chunk { at, name, body } = chunk;
        let Some(body) = body else {
            // Where bytes before it are missing, its name is none.
            return match at >= end {
                // The decoder would take it for a chunk and believe the size of its picture.
                true => found(&bytes[..at], None),
                false if pictures > 0 && NAMES.contains(&name) => {
                    found(&bytes[..at], Some(Warning::NoEnd))
                }
                false => Err(Reject::Truncated),
            };
        };
        match name {
            b"VP8X" if canvas.is_none() => {
                canvas = body.get(4..10).map(size_of_canvas);
                animated = body.first().is_some_and(|flags| flags & 2 != 0);
                if let Some((width, height)) = canvas {
                    check_pixels(width, height)?;
                }
            }
            b"ANMF" => {
                let stated = body.get(6..12).map(size_of_canvas);
                for chunk in chunks(body, FRAME) {
                    // The file is long enough, so the frame around it is not.
                    let found = chunk.body.ok_or_else(shorter)?;
                    check_picture(chunk.name, found, stated)?;
                }
                pictures += 1;
            }
            // An animation's frames need not fill its canvas.
            b"VP8 " | b"VP8L" => {
                check_picture(name, body, canvas.filter(|_| !animated))?;
                pictures += 1;
            }
            _ => {}
        }
    }
    // A byte that only makes the length even is not missed.
    if end <= bytes.len() + 1 {
        found(bytes, None)
    } else if animated && pictures > 0 {
        found(bytes, Some(Warning::NoEnd))
    } else {
        Err(Reject::Truncated)
    }
}

fn shorter() -> Reject {
    Reject::Damaged("a frame of it is shorter than the picture in it".to_owned())
}

/// A chunk of a file.
struct Chunk<'a> {
    /// Where it begins.
    at: usize,
    name: &'a [u8; 4],
    /// `None` if the file ends before it.
    body: Option<&'a [u8]>,
}

/// The chunks from a place on.
fn chunks(bytes: &[u8], mut at: usize) -> impl Iterator<Item = Chunk<'_>> {
    std::iter::from_fn(move || {
        let name = bytes.get(at..)?.first_chunk()?;
        let length = length(bytes, at + 4)?;
        let start = at + CHUNK;
        let body = start
            .checked_add(length)
            .and_then(|end| bytes.get(start..end));
        let chunk = Chunk { at, name, body };
        at = start.saturating_add(length).saturating_add(length % 2);
        Some(chunk)
    })
}

fn length(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*length)).ok()
}

/// Two sides less one, in 24 bits each.
fn size_of_canvas(bytes: &[u8]) -> Size {
    let side = |at: usize| {
        let [low, middle, high] = [bytes[at], bytes[at + 1], bytes[at + 2]];
        u32::from_le_bytes([low, middle, high, 0]) as usize + 1
    };
    (side(0), side(3))
}

/// Refuses a picture that is too large, or not of the size that is `stated` around it.
fn check_picture(name: &[u8; 4], body: &[u8], stated: Option<Size>) -> Result<(), Reject> {
    let found = match name {
        b"VP8 " => lossy(body),
        b"VP8L" => lossless(body),
        _ => None,
    };
    let Some((width, height)) = found else {
        return Ok(());
    };
    check_pixels(width, height)?;
    match stated {
        Some(stated) if stated != (width, height) => Err(Reject::Damaged(format!(
            "its picture has {width}x{height} pixels, and {}x{} are said before it",
            stated.0, stated.1
        ))),
        _ => Ok(()),
    }
}

/// The size of a key frame (RFC 6386, section 9.1).
fn lossy(body: &[u8]) -> Option<Size> {
    let &[_, _, _, 0x9D, 1, 0x2A, w0, w1, h0, h1] = body.first_chunk()? else {
        return None;
    };
    // The two highest bits say how it is to be enlarged.
    let side = |low, high| usize::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    Some((side(w0, w1), side(h0, h1)))
}

/// The size in a lossless picture's header (RFC 9649, section 3.4).
fn lossless(body: &[u8]) -> Option<Size> {
    let &[0x2F, a, b, c, d] = body.first_chunk()? else {
        return None;
    };
    let bits = u32::from_le_bytes([a, b, c, d]) as usize;
    Some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_begins_at_the_end_and_is_cut_off_is_not_given_to_the_decoder() {
        let picture = b"VP8L\x05\0\0\0\x2F\0\0\0\0\0".as_slice();
        let beyond = b"VP8 \xE2\x02\0\0and no more".as_slice();
        let length = (4 + picture.len() as u32).to_le_bytes();
        let file = [b"RIFF", &length[..], b"WEBP", picture, beyond].concat();
        let checked = check(&file).unwrap();
        assert_eq!(checked.warning, None);
        assert_eq!(checked.bytes, &file[..HEADER + picture.len()]);
    }

    #[test]
    fn a_chunk_that_is_cut_off_is_not_given_to_the_decoder() {
        // A lossless picture of one pixel, as far as its header.
        let picture = b"VP8L\x05\0\0\0\x2F\0\0\0\0\0".as_slice();
        let cut = b"EXIF\0\0\0\x75and no more".as_slice();
        let length = 0x7600_0000_u32.to_le_bytes();
        let file = [b"RIFF", &length[..], b"WEBP", picture, cut].concat();
        let checked = check(&file).unwrap();
        assert_eq!(checked.warning, Some(Warning::NoEnd));
        assert_eq!(checked.bytes, &file[..HEADER + picture.len()]);
    }
}
