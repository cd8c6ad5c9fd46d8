//! Formats of images by their first bytes: those that are read, and those that are named when they are
//! refused.

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    Gif,
    Bmp,
    WebP,
    Tiff,
}

impl Format {
    /// The format that a file begins like.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        Some(match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Self::Jpeg,
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Self::Png,
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Self::Gif,
            [b'B', b'M', ..] => Self::Bmp,
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Self::WebP,
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Self::Tiff,
            _ => return None,
        })
    }
}

/// The usual end of an image file's name, by its first bytes; `bin` if it is none that is read.
pub(crate) fn usual_extension(bytes: &[u8]) -> &'static str {
    match Format::of(bytes) {
        Some(Format::Jpeg) => "jpg",
        Some(Format::Png) => "png",
        Some(Format::Gif) => "gif",
        Some(Format::Bmp) => "bmp",
        Some(Format::WebP) => "webp",
        Some(Format::Tiff) => "tif",
        None => "bin",
    }
}

/// What a file begins with that is no image we read.
const BEGINNINGS: &[(&[u8], &str)] = &[
    (b"\0\0\0\x0CjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xFF\x4F\xFF\x51", "JPEG 2000"),
    (b"\0\0\0\x0CJXL \r\n\x87\n", "JPEG XL"),
    (b"\xFF\x0A", "JPEG XL"),
    (b"II\xBC\x01", "JPEG XR"),
    (b"8BPS", "PSD"),
    (b"%PDF-", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\xC5\xD0\xD3\xC6", "PostScript"),
    (b"\x76\x2F\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"DDS ", "DDS"),
    (b"\xABKTX ", "KTX"),
    (b"qoif", "QOI"),
    (b"farbfeld", "farbfeld"),
    (b"AT&TFORM", "DjVu"),
    (b"SIMPLE  =", "FITS"),
    (b"FLIF", "FLIF"),
    (b"BPG\xFB", "BPG"),
    (b"\x8AMNG", "MNG"),
    (b"\x8BJNG", "JNG"),
    (b"/* XPM */", "XPM"),
    (b"gimp xcf", "XCF"),
    (b"\x59\xA6\x6A\x95", "Sun raster"),
    (b"\xD7\xCD\xC6\x9A", "WMF"),
    (b"\x1A\x45\xDF\xA3", "Matroska or WebM video"),
];

/// The name of an image format that is known but not read.
pub(super) fn unsupported(bytes: &[u8]) -> Option<&'static str> {
    if let Some((_, name)) = BEGINNINGS
        .iter()
        .find(|(start, _)| bytes.starts_with(start))
    {
        return Some(name);
    }
    if bytes.get(4..8) == Some(b"ftyp") {
        return Some(of_brands(bytes));
    }
    match bytes {
        [b'P', b'1'..=b'7', space, ..] if space.is_ascii_whitespace() => Some("PNM"),
        [b'P', b'f' | b'F', b'\n', ..] => Some("PFM"),
        // A list of images, the first of which is said to have no fewer than one byte.
        [0, 0, kind @ (1 | 2), 0, count, more, _, _, _, 0, ..] if (*count, *more) != (0, 0) => {
            Some(if *kind == 1 { "ICO" } else { "CUR" })
        }
        _ if bytes.get(128..132) == Some(b"DICM") => Some("DICOM"),
        _ if is_svg(bytes) => Some("SVG"),
        _ if is_tga(bytes) => Some("TGA"),
        _ => None,
    }
}

/// A file of the ISO base media format, by the brands that it says it is of.
fn of_brands(bytes: &[u8]) -> &'static str {
    let length = bytes
        .first_chunk()
        .map_or(0, |length| u32::from_be_bytes(*length));
    let length = (length as usize).clamp(8, 256).min(bytes.len());
    let brands = bytes[8..length].as_chunks::<4>().0;
    let is = |names: &[&[u8; 4]]| brands.iter().any(|brand| names.contains(&brand));
    if is(&[b"avif", b"avis"]) {
        "AVIF"
    } else if is(&[
        b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1",
    ]) {
        "HEIC"
    } else if is(&[b"crx "]) {
        "Canon CR3"
    } else {
        "MP4 or QuickTime video"
    }
}

fn is_svg(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(1024)];
    let text = start
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(start)
        .trim_ascii_start();
    let holds = |word: &[u8]| memchr::memmem::find(text, word).is_some();
    text.starts_with(b"<svg")
        || (text.starts_with(b"<?xml") || text.starts_with(b"<!DOCTYPE")) && holds(b"<svg")
}

/// A TGA has no first bytes of its own: it has a header that could be one, and the end that newer ones
/// have, or exactly the size that the header says.
fn is_tga(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<18>() else {
        return false;
    };
    let &[
        id,
        map,
        kind,
        _,
        _,
        map_low,
        map_high,
        map_bits,
        ..,
        bits,
        descriptor,
    ] = header;
    let side = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let (width, height) = (side(12), side(14));
    let sound = matches!(map, 0 | 1)
        && matches!(kind, 1..=3 | 9..=11)
        && matches!(bits, 8 | 15 | 16 | 24 | 32)
        && width > 0
        && height > 0
        && descriptor & 0xC0 == 0;
    let map_length = usize::from(u16::from_le_bytes([map_low, map_high]));
    let before = 18 + usize::from(id) + map_length * usize::from(map_bits).div_ceil(8);
    let whole = before + width * height * usize::from(bits).div_ceil(8);
    sound && (bytes.ends_with(b"TRUEVISION-XFILE.\0") || (kind < 4 && bytes.len() == whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_are_not_read_are_named() {
        for (bytes, name) in [
            (b"\0\0\0\x1Cftypavif\0\0\0\0avifmif1miaf".as_slice(), "AVIF"),
            (b"\0\0\0\x1Cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
            (b"\0\0\0\x1Cftypheic\0\0\0\0mif1heic    ", "HEIC"),
            (
                b"\0\0\0\x14ftypisom\0\0\x02\0mp41",
                "MP4 or QuickTime video",
            ),
            (b"\0\0\0\x01ftyp", "MP4 or QuickTime video"),
            (b"\0\0\0\x0CjP  \r\n\x87\n\0\0", "JPEG 2000"),
            (b"\xFF\x0A\xFA", "JPEG XL"),
            (b"P6\n3 3 255\n", "PNM"),
            (b"Pf\n3 3\n", "PFM"),
            (b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0", "ICO"),
            (b"8BPS\0\x01", "PSD"),
            (b"\xEF\xBB\xBF <svg xmlns=\"\">", "SVG"),
            (b"<?xml version=\"1.0\"?>\n<svg>", "SVG"),
            (b"%PDF-1.4", "PDF"),
            (b"#?RADIANCE\n", "Radiance HDR"),
            // Two grey pixels, and no more than that.
            (b"\0\0\x03\0\0\0\0\0\0\0\0\0\x02\0\x01\0\x08\0ab", "TGA"),
        ] {
            assert_eq!(unsupported(bytes), Some(name), "{}", bytes.escape_ascii());
        }
        for bytes in [
            b"".as_slice(),
            b"P6",
            b"Perhaps a text",
            b"<html><body>",
            b"<?xml version=\"1.0\"?>\n<html>",
            &[0; 4096],
            b"\0\0\x03\0\0\0\0\0\0\0\0\0\x02\0\x01\0\x08\0abc",
        ] {
            assert_eq!(unsupported(bytes), None, "{}", bytes.escape_ascii());
        }
    }
}
