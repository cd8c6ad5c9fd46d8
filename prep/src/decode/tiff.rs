//! TIFF: the first picture of a file, uncompressed or packed by one of the lossless ways.
//!
//! The `tiff` crate reads the directory. Strips and tiles are read here: the crate's own way loses extra
//! samples of tiles, the order of bits, and the ends of some packed tiles.

mod chunks;
mod entries;
mod kind;
mod unpack;

use std::io::Cursor;

use image::metadata::Orientation;
use tiff::TiffError;
use tiff::decoder::Decoder;
use tiff::tags::Tag;

use super::budget::Budget;
use super::damage::Warning;
use super::other::to_rgb;
use super::{Rgb, check_pixels, upright};
use crate::reject::Reject;
use chunks::Chunks;
use kind::Kind;

/// The directory of a file's first picture.
type Directory<'a> = Decoder<Cursor<&'a [u8]>>;

/// Decodes a TIFF and turns it as its orientation says: that is a part of the format here, which Pillow, and
/// so torchvision, follows whenever it loads a TIFF.
pub(super) fn decode(bytes: &[u8], budget: &Budget) -> Result<(Rgb, Option<Warning>), Reject> {
    entries::check(bytes)?;
    let mut directory = Decoder::new(Cursor::new(bytes)).map_err(refused)?;
    let (width, height) = directory.dimensions().map_err(refused)?;
    check_pixels(width as usize, height as usize)?;
    let kind = Kind::of(&mut directory)?;
    let chunks = Chunks::of(&mut directory, bytes, &kind)?;
    let pixels = u64::from(width) * u64::from(height);
    let each = kind.samples() as u64 + 2 * 4;
    let _share = budget.take(pixels * each + chunks.most_bytes() as u64);
    let (samples, warning) = chunks.read(kind.samples())?;
    let image = Rgb {
        width,
        height,
        pixels: to_rgb(kind.picture(width, height, samples)),
    };
    let noted = number(&mut directory, Tag::Orientation)?;
    let orientation = noted.and_then(|noted| Orientation::from_exif(u8::try_from(noted).ok()?));
    Ok(match orientation {
        Some(orientation) => (upright(image, orientation), warning),
        None => (image, warning),
    })
}

/// The value of a tag, if it is there and not negative.
fn number(directory: &mut Directory<'_>, tag: Tag) -> Result<Option<u32>, Reject> {
    directory.find_tag_unsigned(tag).map_err(refused)
}

/// The values of a tag, none if it is not there.
fn numbers(directory: &mut Directory<'_>, tag: Tag) -> Result<Vec<u64>, Reject> {
    let found = directory.find_tag_unsigned_vec(tag).map_err(refused)?;
    Ok(found.unwrap_or_default())
}

fn unsupported(what: impl Into<std::borrow::Cow<'static, str>>) -> Reject {
    Reject::UnsupportedFormat(what.into())
}

fn refused(error: TiffError) -> Reject {
    match error {
        TiffError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Reject::Truncated
        }
        TiffError::UnsupportedError(what) => unsupported(format!("TIFF of this kind ({what})")),
        error => Reject::Damaged(error.to_string()),
    }
}
