//! The decoder behind one function.

use shardmill_jpeg::{Decoder, Error, Extent, Image, Options, Region, Report};

/// A decoded region.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pixels {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Interleaved RGB.
    pub(crate) rgb: Vec<u8>,
    /// Whether the decoder warned of anything, or counted damage.
    pub(crate) warned: bool,
}

/// Decodes a whole image.
pub(crate) fn whole(decoder: &mut Decoder, bytes: &[u8]) -> Result<Pixels, Error> {
    let image = Image::parse(bytes)?;
    let region = Region::whole(image.width(), image.height());
    decode(decoder, &image, region)
}

/// Damage is refused, wherever it is.
fn options() -> Options {
    Options {
        extent: Extent::Whole,
        ..Options::default()
    }
}

/// Decodes a region of an image.
pub(crate) fn decode(
    decoder: &mut Decoder,
    image: &Image<'_>,
    region: Region,
) -> Result<Pixels, Error> {
    let (width, height) = (region.right - region.left, region.bottom - region.top);
    let mut rgb = Vec::with_capacity(3 * width * height);
    let report = decoder.rgb(image, region, options(), &mut |strip| {
        assert_eq!(strip.top * 3 * width, rgb.len(), "strips come in order");
        assert!(!strip.rgb.is_empty() && strip.rgb.len() % (3 * width) == 0);
        rgb.extend_from_slice(strip.rgb);
    })?;
    assert_eq!(rgb.len(), 3 * width * height, "all rows come");
    Ok(Pixels {
        width,
        height,
        rgb,
        warned: report != Report::default(),
    })
}
