//! What a BMP says of itself before it is decoded: where its pixels begin, and whether its run lengths
//! reach all of them. Its decoder believes an offset of 0, and makes black what no run reaches.

use std::borrow::Cow;

use super::damage::Warning;
use crate::reject::Reject;

/// Length of the header of the file.
const FILE: usize = 14;
/// Length of the OS/2 header, which has no compression and sides of 16 bits.
const CORE: usize = 12;

/// What a BMP's headers say, as far as it is needed here.
struct Header {
    /// Length of the second header.
    length: usize,
    width: usize,
    height: usize,
    bits: usize,
    compression: u32,
    colours: usize,
}

impl Header {
    /// `None` for headers that the decoder refuses anyway.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let length = number(bytes, FILE)? as usize;
        let word = |at: usize| {
            let word = bytes.get(FILE + at..)?.first_chunk()?;
            Some(u16::from_le_bytes(*word))
        };
        if length == CORE {
            return Some(Self {
                length,
                width: word(4)?.into(),
                height: word(6)?.into(),
                bits: word(10)?.into(),
                compression: 0,
                colours: 0,
            });
        }
        let long = |at: usize| number(bytes, FILE + at);
        // Rows from the top have a negative height.
        let side = |value: u32| value.cast_signed().unsigned_abs() as usize;
        Some(Self {
            length,
            width: side(long(4)?),
            height: side(long(8)?),
            bits: word(14)?.into(),
            compression: long(16)?,
            colours: long(32)? as usize,
        })
    }

    /// Where the pixels begin if nothing is put between.
    fn behind(&self) -> usize {
        let palette = match self.bits {
            bits @ 0..=8 => {
                let each = if self.length == CORE { 3 } else { 4 };
                let colours = if self.colours == 0 {
                    1 << bits
                } else {
                    self.colours
                };
                colours.saturating_mul(each)
            }
            _ => 0,
        };
        // Masks of colours stand after the shortest header, and within longer ones.
        let masks = if self.compression == 3 && self.length == 40 {
            12
        } else {
            0
        };
        (FILE + self.length)
            .saturating_add(masks)
            .saturating_add(palette)
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A BMP that says where its pixels begin, as Pillow takes it: where that is 0, or where the palette begins,
/// they stand after both.
///
/// # Errors
/// Pixels that would begin inside of the headers.
pub(super) fn placed(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Reject> {
    let (Some(header), Some(offset)) = (Header::parse(bytes), number(bytes, 10)) else {
        return Ok(bytes.into());
    };
    let headers = FILE.saturating_add(header.length);
    let at_palette = offset as usize == headers && header.bits <= 8;
    if offset != 0 && !at_palette {
        return match (offset as usize) < headers {
            true => Err(Reject::Damaged(
                "its pixels would begin inside of its header".to_owned(),
            )),
            false => Ok(bytes.into()),
        };
    }
    let behind = u32::try_from(header.behind()).map_err(|_| Reject::Truncated)?;
    let mut placed = bytes.to_vec();
    placed[10..14].copy_from_slice(&behind.to_le_bytes());
    Ok(placed.into())
}

/// Follows the run lengths of a BMP that was [`placed`] and has no more pixels than are decoded.
///
/// # Errors
/// Runs that end before the last row is full.
pub(super) fn check_runs(bytes: &[u8]) -> Result<Option<Warning>, Reject> {
    let Some(header) = Header::parse(bytes).filter(|header| matches!(header.compression, 1 | 2))
    else {
        return Ok(None);
    };
    let start = number(bytes, 10).unwrap_or(0) as usize;
    let data = bytes.get(start..).ok_or(Reject::Truncated)?;
    Runs {
        data,
        half_bytes: header.compression == 2,
        x: 0,
        y: 0,
        skipped: false,
    }
    .follow(header.width, header.height)
}

/// Run lengths, and the pixel that the next one begins with. Rows count in the order of the file.
struct Runs<'a> {
    data: &'a [u8],
    /// Whether a byte holds two pixels.
    half_bytes: bool,
    x: usize,
    y: usize,
    /// Whether pixels were passed over.
    skipped: bool,
}

impl Runs<'_> {
    fn byte(&mut self) -> Result<usize, Reject> {
        let (&byte, rest) = self.data.split_first().ok_or(Reject::Truncated)?;
        self.data = rest;
        Ok(byte.into())
    }

    fn follow(mut self, width: usize, height: usize) -> Result<Option<Warning>, Reject> {
        // The end may be missing after the last row's own.
        while self.y < height {
            match (self.byte()?, self.byte()?) {
                // The end of a row.
                (0, 0) => {
                    self.skipped |= self.x < width;
                    (self.x, self.y) = (0, self.y + 1);
                }
                // The end of the picture.
                (0, 1) if self.y + 1 == height && self.x >= width => break,
                (0, 1) => return Err(Reject::Truncated),
                // A jump to the right and on by rows.
                (0, 2) => {
                    self.x += self.byte()?;
                    self.y += self.byte()?;
                    self.skipped = true;
                }
                // Pixels one by one, in an even number of bytes.
                (0, pixels) => {
                    let bytes = if self.half_bytes {
                        pixels.div_ceil(2)
                    } else {
                        pixels
                    };
                    let bytes = bytes.next_multiple_of(2);
                    self.data = self.data.get(bytes..).ok_or(Reject::Truncated)?;
                    self.x += pixels;
                }
                (pixels, _) => self.x += pixels,
            }
        }
        Ok(self.skipped.then_some(Warning::SkippedPixels))
    }
}
