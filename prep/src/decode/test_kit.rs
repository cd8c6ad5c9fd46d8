//! What the decoder's tests draw and compare with.

use std::io::Cursor;

use image::{DynamicImage, ImageBuffer, ImageFormat, Rgb as Pixel, RgbImage};
use jpeg_encoder::{ColorType, Encoder};

use super::{DecodeOptions, ImageDecoder, Reject};

pub(super) const SIZE: u32 = 16;

/// An image file. JPEG is made by jpeg-encoder, since the image crate is built without it.
pub(super) fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    if format == ImageFormat::Jpeg {
        let (pixels, color) = match image {
            DynamicImage::ImageLuma8(grey) => (grey.as_raw(), ColorType::Luma),
            DynamicImage::ImageRgb8(rgb) => (rgb.as_raw(), ColorType::Rgb),
            other => panic!("{:?} as JPEG", other.color()),
        };
        let (width, height) = (image.width() as u16, image.height() as u16);
        return jpeg(pixels, width, height, color, false);
    }
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Four flat quarters: red and green above, blue and grey below.
pub(super) const QUARTERS: [[u8; 3]; 4] =
    [[200, 20, 20], [20, 180, 20], [20, 20, 220], [120, 120, 120]];

pub(super) fn quarters(width: u32, height: u32) -> RgbImage {
    ImageBuffer::from_fn(width, height, |x, y| {
        Pixel(QUARTERS[usize::from(2 * y >= height) * 2 + usize::from(2 * x >= width)])
    })
}

pub(super) fn jpeg(
    pixels: &[u8],
    width: u16,
    height: u16,
    color: ColorType,
    progressive: bool,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 98);
    encoder.set_progressive(progressive);
    encoder.encode(pixels, width, height, color).unwrap();
    bytes
}

pub(super) fn rgb_jpeg(image: &RgbImage) -> Vec<u8> {
    jpeg(
        image.as_raw(),
        image.width() as u16,
        image.height() as u16,
        ColorType::Rgb,
        false,
    )
}

pub(super) fn decode_with(bytes: &[u8], options: DecodeOptions) -> Result<Vec<u8>, Reject> {
    ImageDecoder::with_options(SIZE, options)
        .decode(bytes)
        .map(<[u8]>::to_vec)
}

/// The middle of each quarter of a record.
pub(super) fn middles(record: &[u8]) -> [[u8; 3]; 4] {
    let (size, near, far) = (SIZE as usize, SIZE as usize / 4, SIZE as usize * 3 / 4);
    [(near, near), (far, near), (near, far), (far, far)]
        .map(|(x, y)| record[(y * size + x) * 3..][..3].try_into().unwrap())
}

pub(super) fn assert_near(bytes: &[u8], wanted: [[u8; 3]; 4], tolerance: u8) {
    let found = middles(&decode_with(bytes, DecodeOptions::default()).unwrap());
    let far = |(a, b): (&u8, &u8)| a.abs_diff(*b) > tolerance;
    let differs = found
        .as_flattened()
        .iter()
        .zip(wanted.as_flattened())
        .any(far);
    assert!(!differs, "found {found:?}, wanted {wanted:?}");
}

pub(super) fn reject(bytes: &[u8]) -> String {
    let reject = decode_with(bytes, DecodeOptions::default()).unwrap_err();
    format!("{}: {reject}", reject.code())
}

/// A JPEG with an APP1 segment of `body` after its start.
pub(super) fn with_app1(jpeg: &[u8], body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, body, &jpeg[2..]].concat()
}

pub(super) fn orientation_block(orientation: u16) -> Vec<u8> {
    let [high, low] = orientation.to_be_bytes();
    // One directory of one entry: tag 0x0112, type SHORT, one value.
    let directory = [
        0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, high, low, 0, 0, 0, 0, 0, 0,
    ];
    [b"Exif\0\0MM\0*\0\0\0\x08".as_slice(), &directory].concat()
}
