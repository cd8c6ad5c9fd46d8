//! Files whose pixels or damage were taken wrongly.

use std::fs;
use std::path::Path;

use image::{ImageFormat, RgbImage};
use jpeg_encoder::{ColorType, Encoder};

use super::{Case, Right, check, streams};
use crate::kit::{prep_ok, records};

/// A picture with noise, so that all of a file's data matters.
pub(super) fn picture(side: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| {
        let noise = (x * 31 + y * 17).wrapping_mul(2_654_435_761) >> 26;
        image::Rgb([
            (x * 3 + noise) as u8,
            (y * 5 + noise) as u8,
            (x + y + 90) as u8,
        ])
    })
}

pub(super) fn jpeg(side: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let picture = picture(side);
    let encoder = Encoder::new(&mut out, 90);
    encoder
        .encode(picture.as_raw(), side as u16, side as u16, ColorType::Rgb)
        .unwrap();
    out
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    picture(40).write_to(&mut out, format).unwrap();
    out.into_inner()
}

/// A TIFF of one strip without compression.
fn tiff() -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    let picture = picture(40);
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut out).unwrap();
    encoder
        .write_image::<tiff::encoder::colortype::RGB8>(40, 40, picture.as_raw())
        .unwrap();
    out.into_inner()
}

pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

#[test]
fn files_come_out_right() {
    check("sources.tar", CASES);
    check("hostile.tar", HOSTILE);
}

const CASES: &[Case] = &[
    Case {
        name: "NOIEND",
        source: "",
        arguments: &[],
        make: |folder| {
            let png = encoded(ImageFormat::Png);
            write(folder, "noiend.png", &png[..png.len() - 12]);
        },
        right: Right::Dataset {
            classes: &[],
            splits: &[("test", &[("noiend.png", -1)])],
            rejects: &[],
            says: &["no-end"],
        },
    },
    Case {
        name: "A18flat",
        source: "A18flat",
        arguments: &[],
        make: |folder| {
            let folder = folder.join("A18flat");
            for (name, format) in [
                ("x_PNG.PNG", ImageFormat::Png),
                ("x_webp.webp", ImageFormat::WebP),
                ("x_bmp.bmp", ImageFormat::Bmp),
                ("x_gif.gif", ImageFormat::Gif),
            ] {
                write(&folder, name, &encoded(format));
            }
            for name in ["x_jfif.jfif", "x_jpe.jpe", "x_JPEG.JPEG", "x_JPG.JPG"] {
                write(&folder, name, &jpeg(40));
            }
            for name in ["x_tif.tif", "x_tiff.tiff"] {
                write(&folder, name, &tiff());
            }
            write(
                &folder,
                "x_avif.avif",
                b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
            );
            write(
                &folder,
                "x_heic.heic",
                b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            );
            write(&folder, "x_ppm.ppm", b"P6\n1 1\n255\nabc");
            write(&folder, "x_jp2.jp2", b"\0\0\0\x0cjP  \r\n\x87\n");
            write(
                &folder,
                "x_ico.ico",
                b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0\x68\x04\0\0\x16\0\0\0",
            );
            // An uncompressed one of 1 by 1 pixels.
            write(
                &folder,
                "x_tga.tga",
                b"\0\0\x02\0\0\0\0\0\0\0\0\0\x01\0\x01\0\x18\0abc",
            );
        },
        right: Right::Dataset {
            classes: &[],
            splits: &[(
                "test",
                &[
                    ("x_JPEG.JPEG", -1),
                    ("x_JPG.JPG", -1),
                    ("x_PNG.PNG", -1),
                    ("x_bmp.bmp", -1),
                    ("x_gif.gif", -1),
                    ("x_jfif.jfif", -1),
                    ("x_jpe.jpe", -1),
                    ("x_tif.tif", -1),
                    ("x_tiff.tiff", -1),
                    ("x_webp.webp", -1),
                ],
            )],
            rejects: &[
                ("x_avif.avif", "unsupported-format"),
                ("x_heic.heic", "unsupported-format"),
                ("x_ico.ico", "unsupported-format"),
                ("x_jp2.jp2", "unsupported-format"),
                ("x_ppm.ppm", "unsupported-format"),
                ("x_tga.tga", "unsupported-format"),
            ],
            says: &["6 images rejected (6 unsupported-format)"],
        },
    },
    Case {
        name: "JFIF-ADOBE0",
        source: "",
        arguments: &[],
        make: |folder| {
            let plain = jpeg(64);
            // Behind the JFIF segment.
            let at = 4 + usize::from(plain[5]);
            let adobe = b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0";
            write(folder, "ok.jpg", &plain);
            write(
                folder,
                "jfif_adobe0.jpg",
                &[&plain[..at], adobe, &plain[at..]].concat(),
            );
        },
        right: Right::Dataset {
            classes: &[],
            splits: &[("test", &[("jfif_adobe0.jpg", -1), ("ok.jpg", -1)])],
            rejects: &[],
            says: &[],
        },
    },
];

const HOSTILE: &[Case] = &[
    Case {
        name: "gif-zero-side",
        source: "",
        arguments: &[],
        make: |folder| {
            // A GIF of 0 by 1 pixels, of 0 by 0, and one whose frame is outside of it.
            let gif = |width: u8, height: u8| {
                let mut bytes = b"GIF89a".to_vec();
                bytes.extend([
                    width, 0, height, 0, 0, 0, 0, 0x2C, 0, 0, 0, 0, width, 0, height, 0, 0,
                ]);
                bytes.extend([2, 2, 0x4C, 1, 0, 0x3B]);
                bytes
            };
            write(folder, "0x1.gif", &gif(0, 1));
            write(folder, "0x0.gif", &gif(0, 0));
            write(folder, "mutant.gif", &gif(0, 7));
        },
        right: Right::Refused {
            says: &["none of the 3 images could be used"],
        },
    },
    Case {
        name: "panic-chroma-wider-nonint",
        source: "",
        arguments: &[],
        make: streams::finer_chroma,
        right: Right::Dataset {
            classes: &[],
            splits: &[(
                "test",
                &[
                    ("h12c21-17x33-prog.jpg", -1),
                    ("l1c2-17x33-prog.jpg", -1),
                    ("l1c2-1x1-nonint.jpg", -1),
                    ("swap-17x33-nonint.jpg", -1),
                ],
            )],
            rejects: &[
                ("panic-21-12762.jpg", "damaged"),
                ("panic-21-7752.jpg", "truncated"),
            ],
            says: &[],
        },
    },
    Case {
        name: "nonint-420-green",
        source: "",
        arguments: &[],
        make: streams::scans_apart,
        right: Right::Dataset {
            classes: &[],
            splits: &[(
                "test",
                &[
                    ("420-97x131-nonint.jpg", -1),
                    ("444-97x131-nonintr5.jpg", -1),
                    ("swap-97x131-base.jpg", -1),
                ],
            )],
            rejects: &[],
            says: &[],
        },
    },
    // One in a small budget too: it waits for nobody, and nothing is rejected for its memory.
    Case {
        name: "png-memory",
        source: "",
        arguments: &["--decode-memory", "1M"],
        make: |folder| write(folder, "bit-10000x10000.png", &encoded(ImageFormat::Png)),
        right: Right::Dataset {
            classes: &[],
            splits: &[("test", &[("bit-10000x10000.png", -1)])],
            rejects: &[],
            says: &[],
        },
    },
    Case {
        name: "cut-with-eoi",
        source: "",
        arguments: &[],
        make: |folder| {
            let whole = jpeg(160);
            let mut zeros = whole.clone();
            let middle = whole.len() / 2;
            zeros[middle..middle + 1024].fill(0);
            let cut = |share: usize| [&whole[..whole.len() * share / 100], b"\xFF\xD9"].concat();
            write(folder, "zero-192.jpg", &zeros);
            write(folder, "cut-101.jpg", &cut(30));
            write(folder, "444-restart-cut.jpg", &cut(60));
        },
        right: Right::Refused {
            says: &["none of the 3 images could be used"],
        },
    },
];

/// The two files of the case have one picture.
#[test]
fn a_jfif_marker_decides_over_adobes() {
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    fs::create_dir(&source).unwrap();
    let case = CASES
        .iter()
        .find(|case| case.name == "JFIF-ADOBE0")
        .unwrap();
    (case.make)(&source);
    let out = work.path().join("out");
    prep_ok(&[
        "ingest",
        source.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--size",
        "24",
    ]);
    let records = records(&out);
    assert_eq!(records[0].rgb, records[1].rgb);
}

/// A folder of pictures of every format: what is read becomes a record, what is not a reject with its name.
#[test]
fn formats_that_are_not_read_are_named() {
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    for (name, format) in [
        ("x.png", ImageFormat::Png),
        ("x.webp", ImageFormat::WebP),
        ("x.bmp", ImageFormat::Bmp),
        ("x.gif", ImageFormat::Gif),
    ] {
        write(&source, name, &encoded(format));
    }
    for name in ["x.jpg", "x.jfif", "x.JPE"] {
        write(&source, name, &jpeg(40));
    }
    write(&source, "x.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1");
    write(&source, "x.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic");
    write(&source, "x.ppm", b"P6\n1 1\n255\nabc");
    write(&source, "x.jp2", b"\0\0\0\x0cjP  \r\n\x87\n");
    write(&source, "README", b"words");
    let out = work.path().join("out");
    let said = prep_ok(&[
        "ingest",
        source.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--size",
        "24",
    ]);
    assert!(
        said.contains("4 images rejected (4 unsupported-format)"),
        "{said}"
    );
    assert!(
        said.contains("1 file: not called like an image (README)"),
        "{said}"
    );
    let rejects = fs::read_to_string(out.join("rejects.jsonl")).unwrap();
    for name in ["AVIF", "HEIC", "PPM", "JPEG 2000"] {
        assert!(
            rejects.contains(name) || rejects.to_uppercase().contains(name),
            "no {name} in {rejects}"
        );
    }
    assert_eq!(records(&out).len(), 7);
}
