//! Seeds that are image files of a few pixels, each behind a byte of options.

use std::io::Cursor;

use image::codecs::bmp::BmpEncoder;
use image::codecs::gif::GifEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ExtendedColorType, Frame, ImageEncoder, ImageFormat};
use shardmill_jpeg_kit::{Header, Jpeg, write};
use tiff::encoder::{Compression, DeflateLevel, TiffEncoder, colortype};

use super::Seed;
use crate::tree::photo;

/// Sides of the pictures, in pixels: several blocks of a JPEG and none of them full.
const WIDTH: u32 = 19;
const HEIGHT: u32 = 18;

fn picture() -> DynamicImage {
    DynamicImage::ImageRgb8(photo(WIDTH, HEIGHT, 5))
}

/// With the byte of options before it: the orientation is followed, as the default ignores it.
fn seed(name: &str, file: &[u8]) -> Seed {
    let options = if name.starts_with("turned") { 8 } else { 0 };
    (name.to_owned(), [&[options], file].concat())
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, format)
        .expect("the picture can be encoded");
    bytes.into_inner()
}

/// An EXIF block that says that the picture lies on its side (EXIF 2.3, section 4.6.4).
const EXIF: &[u8] = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";

/// BMP of 8, 24 and 32 bits, of run lengths, and with the header of OS/2.
pub(super) fn bmps() -> Vec<Seed> {
    let grey = picture().into_luma8();
    let mut palette = Vec::new();
    BmpEncoder::new(&mut palette)
        .encode(grey.as_raw(), WIDTH, HEIGHT, ExtendedColorType::L8)
        .expect("the picture can be encoded");
    let rgba = DynamicImage::ImageRgba8(picture().into_rgba8());
    // Two rows of four pixels: a run and an end of line, two single pixels, a move and the end.
    let runs = [4, 1, 0, 0, 0, 3, 1, 0, 1, 0, 0, 2, 1, 0, 1, 1, 0, 1];
    let header = |length: u32, rest: &[&[u8]]| {
        let colours = [[0, 0, 0, 0], [9, 99, 200, 0]];
        let colours: Vec<u8> = match length {
            12 => colours
                .iter()
                .flat_map(|colour| &colour[..3])
                .copied()
                .collect(),
            _ => colours.concat(),
        };
        let start = 14 + length + colours.len() as u32;
        let body = [&length.to_le_bytes()[..], &rest.concat(), &colours].concat();
        [
            b"BM\0\0\0\0\0\0\0\0".as_slice(),
            &start.to_le_bytes(),
            &body,
        ]
        .concat()
    };
    let [one, bits] = [1_u16, 8].map(u16::to_le_bytes);
    let [width, height, compression, zero, colours] = [4_u32, 2, 1, 0, 2].map(u32::to_le_bytes);
    let packed = header(
        40,
        &[
            &width,
            &height,
            &one,
            &bits,
            &compression,
            &zero,
            &zero,
            &zero,
            &colours,
            &zero,
        ],
    );
    let small = header(12, &[&width[..2], &height[..2], &one, &one]);
    vec![
        seed("rgb", &encoded(&picture(), ImageFormat::Bmp)),
        seed("rgba", &encoded(&rgba, ImageFormat::Bmp)),
        seed("palette", &palette),
        seed("runs", &[packed, runs.to_vec()].concat()),
        seed("os2", &[small, vec![0x50, 0, 0, 0, 0xA0, 0, 0, 0]].concat()),
    ]
}

/// One picture, and two of an animation.
pub(super) fn gifs() -> Vec<Seed> {
    let mut moving = Vec::new();
    let frames = [5, 6].map(|number| {
        Frame::new(DynamicImage::ImageRgb8(photo(WIDTH, HEIGHT, number)).into_rgba8())
    });
    GifEncoder::new(&mut moving)
        .encode_frames(frames)
        .expect("frames can be encoded");
    vec![
        seed(
            "still",
            &encoded(
                &DynamicImage::ImageRgba8(picture().into_rgba8()),
                ImageFormat::Gif,
            ),
        ),
        seed("moving", &moving),
    ]
}

/// Streams of every kind, and one that lies on its side.
pub(super) fn jpegs() -> Vec<Seed> {
    let mut turned = Jpeg::default();
    turned.headers.push(Header::Exif {
        orientation: 6,
        little: false,
    });
    let turned = ("turned".to_owned(), write(&turned));
    let streams = shardmill_jpeg_kit::seeds().into_iter().chain([turned]);
    streams.map(|(name, file)| seed(&name, &file)).collect()
}

/// PNG of 8 and 16 bits, grey, with alpha, and with an orientation.
pub(super) fn pngs() -> Vec<Seed> {
    let image = picture();
    let mut turned = Vec::new();
    let mut encoder = PngEncoder::new_with_quality(
        &mut turned,
        CompressionType::Uncompressed,
        FilterType::Adaptive,
    );
    encoder
        .set_exif_metadata(EXIF.to_vec())
        .expect("PNG has EXIF");
    encoder
        .write_image(image.as_bytes(), WIDTH, HEIGHT, ExtendedColorType::Rgb8)
        .expect("the picture can be encoded");
    let kinds = [
        ("rgb", image.clone()),
        ("rgb16", DynamicImage::ImageRgb16(image.to_rgb16())),
        ("rgba", DynamicImage::ImageRgba8(image.to_rgba8())),
        ("grey", DynamicImage::ImageLuma8(image.to_luma8())),
        (
            "grey-alpha16",
            DynamicImage::ImageLumaA16(image.to_luma_alpha16()),
        ),
    ];
    let mut seeds: Vec<Seed> = kinds
        .iter()
        .map(|(name, image)| seed(name, &encoded(image, ImageFormat::Png)))
        .collect();
    seeds.push(seed("turned", &turned));
    seeds
}

/// Strips packed in every lossless way, several kinds of samples, and tiles.
pub(super) fn tiffs() -> Vec<Seed> {
    let image = picture();
    let packings = [
        ("plain", Compression::Uncompressed),
        ("lzw", Compression::Lzw),
        ("deflate", Compression::Deflate(DeflateLevel::Fast)),
        ("packbits", Compression::Packbits),
    ];
    let mut seeds: Vec<Seed> = packings
        .map(|(name, packing)| {
            let file = tiff_of::<colortype::RGB8>(packing, image.to_rgb8().as_raw());
            seed(name, &file)
        })
        .into();
    let plain = Compression::Uncompressed;
    let grey = tiff_of::<colortype::Gray8>(plain, image.to_luma8().as_raw());
    let alpha = tiff_of::<colortype::RGBA8>(plain, image.to_rgba8().as_raw());
    let deep = tiff_of::<colortype::RGB16>(plain, image.to_rgb16().as_raw());
    seeds.extend([
        seed("grey", &grey),
        seed("rgba", &alpha),
        seed("rgb16", &deep),
    ]);
    seeds.push(seed("tiles", &tiles()));
    seeds
}

fn tiff_of<C>(packing: Compression, samples: &[C::Inner]) -> Vec<u8>
where
    C: colortype::ColorType,
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut bytes = Cursor::new(Vec::new());
    TiffEncoder::new(&mut bytes)
        .map(|encoder| encoder.with_compression(packing))
        .and_then(|mut encoder| encoder.write_image::<C>(WIDTH, HEIGHT, samples))
        .expect("the picture can be encoded");
    bytes.into_inner()
}

/// A grey picture of 20x20 pixels in four tiles of 16x16, big-endian, on its side (TIFF 6.0, section 15).
fn tiles() -> Vec<u8> {
    const SIDE: usize = 16;
    const START: u32 = 8;
    let tile = SIDE * SIDE;
    let short = |tag: u16, value: u16| (tag, 3_u16, 1_u32, u32::from(value) << 16);
    let tables = START + 4 * tile as u32;
    let entries = [
        short(256, 20),
        short(257, 20),
        short(258, 8),
        short(259, 1),
        short(262, 1),
        short(274, 6),
        short(277, 1),
        short(322, SIDE as u16),
        short(323, SIDE as u16),
        (324, 4, 4, tables),
        (325, 4, 4, tables + 16),
    ];
    let mut file = [b"MM\0*".as_slice(), &(tables + 32).to_be_bytes()].concat();
    file.extend((0..4 * tile).map(|at| (at * 7) as u8));
    file.extend((0..4).flat_map(|i| (START + i * tile as u32).to_be_bytes()));
    file.extend((0..4).flat_map(|_| (tile as u32).to_be_bytes()));
    file.extend((entries.len() as u16).to_be_bytes());
    for (tag, kind, count, value) in entries {
        file.extend([tag.to_be_bytes(), kind.to_be_bytes()].as_flattened());
        file.extend([count.to_be_bytes(), value.to_be_bytes()].as_flattened());
    }
    file.extend([0; 4]);
    file
}

/// A lossy picture of 40x40 pixels, which no crate here can write.
const LOSSY: &[u8] = include_bytes!("../../reference/fixtures/kinds/lossy.webp");

/// Lossless and lossy, with alpha, with an orientation, and an animation.
pub(super) fn webps() -> Vec<Seed> {
    let lossless = encoded(&picture(), ImageFormat::WebP);
    let clear = encoded(
        &DynamicImage::ImageRgba8(picture().into_rgba8()),
        ImageFormat::WebP,
    );
    // What is behind the names and the length of the only chunk.
    let (frame, inner) = (&LOSSY[20..], &lossless[20..]);
    let canvas =
        |flags: u8, width: u8, height: u8| [flags, 0, 0, 0, width - 1, 0, 0, height - 1, 0, 0];
    let square = canvas(16, 40, 40);
    let sides = [WIDTH as u8 - 1, 0, 0, HEIGHT as u8 - 1, 0, 0];
    let moving =
        |inner: &[u8]| [&[0; 6][..], &sides, &[10, 0, 0, 0], &chunk(b"VP8L", inner)].concat();
    let large = |flags| canvas(flags, WIDTH as u8, HEIGHT as u8);
    vec![
        seed("lossless", &lossless),
        seed("lossless-alpha", &clear),
        seed("lossy", LOSSY),
        seed(
            "lossy-alpha",
            &webp(&[
                (b"VP8X", &square),
                (b"ALPH", &[[0].as_slice(), &[200; 1600]].concat()),
                (b"VP8 ", frame),
            ]),
        ),
        seed(
            "turned",
            &webp(&[(b"VP8X", &large(8)), (b"VP8L", inner), (b"EXIF", EXIF)]),
        ),
        seed(
            "moving",
            &webp(&[
                (b"VP8X", &large(2)),
                (b"ANIM", &[0; 6]),
                (b"ANMF", &moving(inner)),
                (b"ANMF", &moving(inner)),
            ]),
        ),
    ]
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = [name, &(body.len() as u32).to_le_bytes(), body].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// A WebP of these chunks.
fn webp(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let body: Vec<u8> = chunks
        .iter()
        .flat_map(|(name, body)| chunk(name, body))
        .collect();
    [
        b"RIFF",
        &(body.len() as u32 + 4).to_le_bytes()[..],
        b"WEBP",
        &body,
    ]
    .concat()
}
