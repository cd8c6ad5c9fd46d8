//! Files of rarer kinds, each beside the picture that it was made of. Nothing is resized or cut, so pixels
//! are compared as they are. `tests/reference/file_kinds.py` made the stored ones.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::{ImageFormat, RgbImage};

use super::pixels::picture;
use super::tiff_maker::{Tiff, tiled, tiled_planes};
use crate::kit::{prep, records};

/// Side of the pictures and of their records.
pub(super) const SIDE: u32 = 40;

const LOSSY_WEBP: &[u8] = include_bytes!("../../../../tests/reference/fixtures/kinds/lossy.webp");

/// What became of some files.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Pixels by name.
    pub(super) records: BTreeMap<String, Vec<u8>>,
    /// Reasons and messages by name.
    pub(super) rejects: BTreeMap<String, String>,
    /// What was printed.
    pub(super) text: String,
}

/// Ingests some files, and a picture beside them that can be used.
pub(super) fn taken(files: &[(&str, &[u8])], arguments: &[&str]) -> Taken {
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    fs::create_dir(&source).unwrap();
    for (name, bytes) in files {
        fs::write(source.join(name), bytes).unwrap();
    }
    fs::write(source.join("whole.png"), encoded(ImageFormat::Png)).unwrap();
    let out = work.path().join("out");
    let side = SIDE.to_string();
    let (source, target) = (source.to_str().unwrap(), out.to_str().unwrap());
    let all = [
        &["ingest", source, "--out", target, "--size", &side],
        arguments,
    ]
    .concat();
    let output = prep(&all);
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    let text = text.concat();
    assert!(output.status.success(), "{text}");
    let rejects = fs::read_to_string(out.join("rejects.jsonl")).unwrap_or_default();
    let rejects = rejects.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| line[name].as_str().unwrap();
        let reason = format!("{}: {}", field("reason"), field("message"));
        (field("key").to_owned(), reason)
    });
    let rejects = rejects.collect();
    let records = records(&out).into_iter();
    Taken {
        records: records.map(|record| (record.key, record.rgb)).collect(),
        rejects,
        text,
    }
}

/// The whole picture, by its place in the source.
fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    picture(SIDE).write_to(&mut out, format).unwrap();
    out.into_inner()
}

/// Checks that each file has the pixels of `wanted`.
#[track_caller]
fn same(files: &[(&str, &[u8])], wanted: &RgbImage) {
    let taken = taken(files, &[]);
    for (name, _) in files {
        let found = taken.records.get(*name);
        assert!(found.is_some(), "{name}: {:?}", taken.rejects);
        assert!(found == Some(wanted.as_raw()), "{name} has other pixels");
    }
}

/// Checks that each file is a reject that begins like this.
#[track_caller]
fn refused(files: &[(&str, &[u8], &str)]) {
    let given: Vec<_> = files
        .iter()
        .map(|(name, bytes, _)| (*name, *bytes))
        .collect();
    let taken = taken(&given, &[]);
    for (name, _, reason) in files {
        let found = taken.rejects.get(*name);
        let begins = found.is_some_and(|found| found.starts_with(reason));
        assert!(begins, "{name}: {found:?}, {}", taken.text);
    }
}

/// Samples of each pixel of the picture, in 8 bits.
fn samples<const N: usize>(of: impl Fn([u8; 3]) -> [u8; N]) -> Vec<u8> {
    picture(SIDE)
        .pixels()
        .flat_map(|pixel| of(pixel.0))
        .collect()
}

#[test]
fn extra_samples_of_tiles_are_passed_over() {
    let inks = |[r, g, b]: [u8; 3]| [255 - r, 255 - g, 255 - b, 0, g];
    let tiff = |colours: u32, extra: &[u32], samples: &[u8], side: usize| {
        let each = samples.len() / (SIDE * SIDE) as usize;
        let tiff = Tiff::new(colours, each).with(338, extra);
        tiff.file(&tiled(samples, each, side))
    };
    let wanted = picture(SIDE);
    let rgbx = samples(|[r, g, b]| [r, g, b, g]);
    let rgbxx = samples(|[r, g, b]| [r, g, b, g, 7]);
    let rgbax = samples(|[r, g, b]| [r, g, b, 255, g]);
    // 16 divides neither side, 20 both, and 64 is larger than the picture.
    for side in [16, 20, 32, 64] {
        same(
            &[
                ("rgbx.tif", &tiff(2, &[0], &rgbx, side)),
                ("rgbxx.tif", &tiff(2, &[0, 0], &rgbxx, side)),
                ("rgbax.tif", &tiff(2, &[2, 0], &rgbax, side)),
                ("cmykx.tif", &tiff(5, &[0], &samples(inks), side)),
            ],
            &wanted,
        );
    }
}

#[test]
fn planes_in_tiles_come_out_right_whatever_the_height() {
    let rgb = picture(SIDE).into_raw();
    for side in [16, 32, 64] {
        let tiff = Tiff::new(2, 3).with(284, &[2]);
        let tiff = tiff.file(&tiled_planes(&rgb, 3, side));
        same(&[("planes.tif", &tiff)], &picture(SIDE));
    }
}

#[test]
fn bits_in_the_other_order_are_turned() {
    let reversed = |bytes: &[u8]| bytes.iter().map(|byte| byte.reverse_bits()).collect();
    let rgb: Vec<u8> = reversed(picture(SIDE).as_raw());
    let whole = Tiff::new(2, 3).with(266, &[2]).strip(rgb);
    same(&[("rgb.tif", &whole)], &picture(SIDE));
    // One bit a pixel, five bytes a row.
    let light = |pixel: &image::Rgb<u8>| pixel.0[1] > 127;
    let mut black_and_white = picture(SIDE);
    for pixel in black_and_white.pixels_mut() {
        pixel.0 = [if light(pixel) { 255 } else { 0 }; 3];
    }
    let bits: Vec<bool> = picture(SIDE).pixels().map(light).collect();
    let byte = |bits: &[bool]| bits.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
    let packed: Vec<u8> = bits.chunks(8).map(byte).collect();
    let one_bit = |order: u32, data| {
        Tiff::new(1, 1)
            .with(258, &[1])
            .with(266, &[order])
            .strip(data)
    };
    same(
        &[
            ("first.tif", &one_bit(1, packed.clone())),
            ("last.tif", &one_bit(2, reversed(&packed))),
        ],
        &black_and_white,
    );
}

#[test]
fn palettes_and_packed_tiles_of_tiffs_are_read() {
    macro_rules! stored {
        ($name:literal) => {
            (
                $name,
                include_bytes!(concat!(
                    "../../../../tests/reference/fixtures/kinds/",
                    $name
                )),
            )
        };
    }
    let (packed, wide) = (stored!("lzw-tile-16.tif"), stored!("lzw-tile-32.tif"));
    let zstd = stored!("zstd.tif");
    same(
        &[(packed.0, packed.1), (wide.0, wide.1), (zstd.0, zstd.1)],
        &picture(SIDE),
    );
    let (tiff, png) = (stored!("palette.tif"), stored!("palette.png"));
    let wanted = image::load_from_memory(png.1).unwrap().into_rgb8();
    same(&[(tiff.0, tiff.1)], &wanted);
    // Four bits a pixel, and a palette of 8-bit levels, as some programs write it.
    let level = |place: u32| place * 16 + 3;
    let map: Vec<u32> = [0, 1, 2].iter().flat_map(|_| (0..16).map(level)).collect();
    let places = |y: u32, x: u32| (x / 3 + y / 5) % 16;
    let packed = (0..SIDE * SIDE / 2).map(|pair| {
        let (y, x) = (pair * 2 / SIDE, pair * 2 % SIDE);
        (places(y, x) << 4 | places(y, x + 1)) as u8
    });
    let tiff = Tiff::new(3, 1)
        .with(258, &[4])
        .with(320, &map)
        .strip(packed.collect());
    let wanted = RgbImage::from_fn(SIDE, SIDE, |x, y| {
        image::Rgb([level(places(y, x)) as u8; 3])
    });
    same(&[("four.tif", &tiff)], &wanted);
}

#[test]
fn tiffs_are_turned_as_pillow_turns_them() {
    let tiff = Tiff::new(2, 3).with(274, &[6]);
    let tiff = tiff.strip(picture(SIDE).into_raw());
    same(
        &[("turned.tif", &tiff)],
        &image::imageops::rotate90(&picture(SIDE)),
    );
}

#[test]
fn a_tiff_whose_packed_data_was_changed_is_a_reject() {
    // Tiles are larger than the picture, so that their ends are behind the last pixel.
    let tiff = |change: fn(&mut Vec<u8>)| {
        let tiff = Tiff::new(2, 3).with(259, &[8]);
        let tiles = tiled(picture(SIDE).as_raw(), 3, 64);
        tiff.file(&tiles.map(|data| {
            let mut packed = ZlibEncoder::new(Vec::new(), Compression::none());
            packed.write_all(&data).unwrap();
            let mut packed = packed.finish().unwrap();
            change(&mut packed);
            packed
        }))
    };
    same(&[("whole.tif", &tiff(|_| {}))], &picture(SIDE));
    let changed = tiff(|packed| packed[1000..1100].fill(0));
    let signed = Tiff::new(2, 3).with(339, &[2, 2, 2]);
    let fax = Tiff::new(1, 1).with(258, &[1]).with(259, &[4]);
    refused(&[
        (
            "changed.tif",
            &changed,
            "damaged: the image cannot be decoded: its packed data",
        ),
        (
            "signed.tif",
            &signed.strip(picture(SIDE).into_raw()),
            "unsupported-format: TIFF with signed samples",
        ),
        (
            "fax.tif",
            &fax.strip(vec![0; 200]),
            "unsupported-format: TIFF of this kind (Group 4 fax inside)",
        ),
    ]);
}

#[test]
fn a_webp_with_bytes_missing_is_truncated() {
    let lossless = encoded(ImageFormat::WebP);
    let without =
        |bytes: &[u8], from: usize, count: usize| [&bytes[..from], &bytes[from + count..]].concat();
    refused(&[
        (
            "lossless.webp",
            &without(&lossless, lossless.len() / 2, 100),
            "truncated",
        ),
        ("lossy.webp", &without(LOSSY_WEBP, 400, 60), "truncated"),
        ("cut.webp", &LOSSY_WEBP[..LOSSY_WEBP.len() - 4], "truncated"),
    ]);
    // What stands behind it does no harm.
    let longer = [&lossless[..], b"VP8 \xFF\xFF\xFF\xFFand more"].concat();
    same(
        &[("whole.webp", &lossless), ("longer.webp", &longer)],
        &picture(SIDE),
    );
    let longer = [LOSSY_WEBP, &[0; 7]].concat();
    // Notes behind the picture, and a second frame, are not missed.
    let picture = &LOSSY_WEBP[20..];
    let noted = webp(&[
        (b"VP8X", &canvas(0, 40)),
        (b"VP8 ", picture),
        (b"EXIF", &[7; 60]),
    ]);
    let frame = frame(40, b"VP8 ", picture);
    let animated = webp(&[
        (b"VP8X", &canvas(2, 40)),
        (b"ANIM", &[0; 6]),
        (b"ANMF", &frame),
        (b"ANMF", &frame),
    ]);
    let between = animated.len() - frame.len() - 8;
    let files = [
        ("a.webp", LOSSY_WEBP),
        ("b.webp", &longer),
        ("noted.webp", &noted[..noted.len() - 9]),
        ("animated.webp", &animated[..animated.len() - 9]),
        ("between.webp", &animated[..between]),
    ];
    let taken = taken(&files, &[]);
    for (name, _) in files {
        let found = taken.records.get(name);
        assert!(
            found == Some(&taken.records["a.webp"]),
            "{name}: {}",
            taken.text
        );
    }
    assert!(taken.text.contains("(3 no-end)"), "{}", taken.text);
    let mut missing = animated;
    missing.drain(400..460);
    refused(&[("missing.webp", &missing, "truncated")]);
}

/// A WebP of these chunks.
fn webp(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (name, data) in chunks {
        body.extend_from_slice(*name);
        body.extend((data.len() as u32).to_le_bytes());
        body.extend_from_slice(data);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// The body of a chunk that says how large the canvas is.
fn canvas(flags: u8, side: u8) -> [u8; 10] {
    [flags, 0, 0, 0, side - 1, 0, 0, side - 1, 0, 0]
}

/// The body of an animation's frame, without offset and duration.
fn frame(side: u8, name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let inner = webp(&[(name, data)]);
    let size = [side - 1, 0, 0];
    [&[0; 6], &size[..], &size, &[0; 4], &inner[12..]].concat()
}

#[test]
fn a_webp_is_as_large_as_the_picture_in_it() {
    // Headers of 16383x16383 pixels with a little data.
    let mut lossy = LOSSY_WEBP[20..].to_vec();
    lossy[6..10].copy_from_slice(&[0xFF, 0x3F, 0xFF, 0x3F]);
    let mut lossless = encoded(ImageFormat::WebP)[20..].to_vec();
    lossless[1..5].copy_from_slice(&[0xFE, 0xBF, 0xFF, 0x0F]);
    let animation = [0; 6];
    let small = &LOSSY_WEBP[20..];
    refused(&[
        (
            "lossy.webp",
            &webp(&[(b"VP8X", &canvas(0, 1)), (b"VP8 ", &lossy)]),
            "too-large",
        ),
        (
            "lossless.webp",
            &webp(&[(b"VP8X", &canvas(0, 1)), (b"VP8L", &lossless)]),
            "too-large",
        ),
        (
            "animated.webp",
            &webp(&[
                (b"VP8X", &canvas(2, 1)),
                (b"ANIM", &animation),
                (b"ANMF", &frame(1, b"VP8 ", &lossy)),
            ]),
            "too-large",
        ),
        (
            "other.webp",
            &webp(&[(b"VP8X", &canvas(0, 39)), (b"VP8 ", small)]),
            "damaged",
        ),
    ]);
    let honest = webp(&[(b"VP8X", &canvas(0, 40)), (b"VP8 ", small)]);
    let taken = taken(&[("a.webp", LOSSY_WEBP), ("b.webp", &honest)], &[]);
    assert_eq!(taken.records["a.webp"], taken.records["b.webp"]);
}
