//! Files whose pixels or damage were taken wrongly.

use std::fs;
use std::path::Path;

use image::{ImageFormat, RgbImage};
use jpeg_encoder::{ColorType, Encoder};

use super::{Case, Right, check};
use crate::kit::{prep_ok, records};

/// A picture with noise, so that all of a file's data matters.
fn picture(side: u32) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| {
        let noise = (x * 31 + y * 17).wrapping_mul(2_654_435_761) >> 26;
        image::Rgb([
            (x * 3 + noise) as u8,
            (y * 5 + noise) as u8,
            (x + y + 90) as u8,
        ])
    })
}

fn jpeg(side: u32) -> Vec<u8> {
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

fn write(folder: &Path, name: &str, bytes: &[u8]) {
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
    (CASES[1].make)(&source);
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
