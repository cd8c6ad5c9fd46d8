//! BMPs and JPEGs that lack something: what is kept is said, and what cannot be kept is refused.

use std::fs;

use image::{ImageFormat, RgbImage};

use super::decoders::{SIDE, Taken, taken};
use super::pixels::{jpeg, picture};
use crate::kit::prep;

/// A BMP of 8 bits a pixel with a palette of greys.
fn bmp(compression: u32, offset: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"BM\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend(offset.to_le_bytes());
    for value in [40, SIDE, SIDE, 1 | 8 << 16, compression, 0, 0, 0, 256, 0] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend((0..=255).flat_map(|level| [level, level, level, 0]));
    bytes.extend(data);
    bytes
}

/// Where its pixels begin.
const BEHIND: u32 = 14 + 40 + 1024;

/// A grey picture.
fn grey() -> RgbImage {
    let mut picture = picture(SIDE);
    picture
        .pixels_mut()
        .for_each(|pixel| pixel.0 = [pixel.0[1]; 3]);
    picture
}

/// Each row as runs of one pixel with its end, the last row first.
fn runs() -> Vec<Vec<u8>> {
    let picture = grey();
    let rows = picture.rows().rev();
    rows.map(|row| {
        let mut runs: Vec<u8> = row.flat_map(|pixel| [1, pixel.0[0]]).collect();
        runs.extend([0, 0]);
        runs
    })
    .collect()
}

fn ended(rows: &[Vec<u8>]) -> Vec<u8> {
    bmp(1, BEHIND, &[&rows.concat()[..], &[0, 1]].concat())
}

#[test]
fn run_lengths_must_reach_the_last_row() {
    let rows = runs();
    let whole = ended(&rows);
    let without_end = bmp(1, BEHIND, &rows.concat());
    let half = ended(&rows[..SIDE as usize / 2]);
    let mut short = rows.concat();
    short.drain(1001..1152);
    let short = bmp(1, BEHIND, &[&short[..], &[0, 1]].concat());
    let found = taken(
        &[
            ("whole.bmp", &whole),
            ("without-end.bmp", &without_end),
            ("empty.bmp", &ended(&[])),
            ("half.bmp", &half),
            ("short.bmp", &short),
            ("cut.bmp", &whole[..whole.len() / 2]),
        ],
        &[],
    );
    for name in ["whole.bmp", "without-end.bmp"] {
        assert!(found.records[name] == *grey().as_raw(), "{name}");
    }
    for name in ["empty.bmp", "half.bmp", "short.bmp", "cut.bmp"] {
        assert!(found.rejects[name].starts_with("truncated"), "{found:?}");
    }
    assert!(!found.text.contains("skipped-pixels"), "{}", found.text);
}

#[test]
fn pixels_that_runs_jump_over_are_said() {
    let mut rows = runs();
    // Five pixels on within a row, and a row that ends ten pixels early.
    rows[3].splice(10..20, [0, 2, 5, 0]);
    rows[7].drain(60..80);
    let jumps = ended(&rows);
    let found = taken(&[("jumps.bmp", &jumps)], &[]);
    let mut wanted = grey();
    for x in 5..10 {
        wanted.put_pixel(x, SIDE - 1 - 3, image::Rgb([0; 3]));
    }
    for x in 30..40 {
        wanted.put_pixel(x, SIDE - 1 - 7, image::Rgb([0; 3]));
    }
    assert!(found.records["jumps.bmp"] == *wanted.as_raw());
    let said = "1 image kept without all of their pixels (1 skipped-pixels): jumps.bmp\n";
    assert!(found.text.contains(said), "{}", found.text);
}

#[test]
fn a_bmp_that_does_not_say_where_its_pixels_are_has_them_behind_its_headers() {
    let picture = grey();
    let levels: Vec<u8> = picture
        .rows()
        .rev()
        .flatten()
        .map(|pixel| pixel.0[0])
        .collect();
    let mut deep = b"BM\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    for value in [40, SIDE, SIDE, 1 | 24 << 16, 0, 0, 0, 0, 0, 0] {
        deep.extend(value.to_le_bytes());
    }
    deep.extend(picture.rows().rev().flatten().flat_map(|pixel| pixel.0));
    let found = taken(
        &[
            ("whole.bmp", &bmp(0, BEHIND, &levels)),
            ("nothing.bmp", &bmp(0, 0, &levels)),
            ("palette.bmp", &bmp(0, 54, &levels)),
            ("deep.bmp", &deep),
            ("header.bmp", &bmp(0, 30, &levels)),
        ],
        &[],
    );
    for name in ["whole.bmp", "nothing.bmp", "palette.bmp", "deep.bmp"] {
        assert!(found.records.get(name) == Some(picture.as_raw()), "{name}");
    }
    assert!(
        found.rejects["header.bmp"].starts_with("damaged"),
        "{found:?}"
    );
}

/// A JPEG without its Huffman tables.
fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let mut out = jpeg[..2].to_vec();
    let mut at = 2;
    while jpeg[at + 1] != 0xDA {
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[at + 1] != 0xC4 {
            out.extend(&jpeg[at..end]);
        }
        at = end;
    }
    out.extend(&jpeg[at..]);
    out
}

#[test]
fn a_jpeg_without_huffman_tables_has_the_standard_ones() {
    let whole = jpeg(SIDE);
    let frame = without_tables(&whole);
    assert!(frame.len() < whole.len());
    // By the decoder for ordinary ones, and by the general one.
    for arguments in [&[][..], &["--exif", "apply"]] {
        let found = taken(&[("frame.jpg", &frame), ("whole.jpg", &whole)], arguments);
        let records = &found.records;
        assert!(records.contains_key("frame.jpg"), "{:?}", found.rejects);
        assert!(records["frame.jpg"] == records["whole.jpg"]);
        assert!(!found.text.contains("not quite right"), "{}", found.text);
    }
}

fn padded(arguments: &[&str]) -> Taken {
    let whole = jpeg(SIDE);
    let half = &whole[..whole.len() / 2];
    let files: Vec<(String, &[u8])> = (0..7).map(|i| (format!("half-{i}.jpg"), half)).collect();
    let mut files: Vec<_> = files
        .iter()
        .map(|(name, bytes)| (&**name, *bytes))
        .collect();
    files.push(("no-end.jpg", &whole[..whole.len() - 2]));
    taken(&files, &[&["--truncated", "pad"], arguments].concat())
}

#[test]
fn padded_images_are_said_to_lack_pixels_and_are_named() {
    let found = padded(&[]);
    assert_eq!(found.records.len(), 9);
    for said in [
        "1 image not quite right, all pixels there (1 no-end): no-end.jpg\n",
        "7 images kept without all of their pixels (7 padded): half-",
        " and 2 more (an ingest with --json names all)\n",
    ] {
        assert!(found.text.contains(said), "no {said:?} in {}", found.text);
    }
    let found = padded(&["--json"]);
    let line = found.text.lines().find(|line| line.starts_with('{'));
    let json: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!(
        json["warned"],
        serde_json::json!({"no-end": 1, "padded": 7})
    );
    let warnings = json["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 8);
    for number in 0..7 {
        let line = serde_json::json!({"key": format!("half-{number}.jpg"), "warning": "padded"});
        assert!(warnings.contains(&line), "{json}");
    }
}

#[test]
fn rejects_are_named_where_they_end_an_ingest() {
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    fs::create_dir(&source).unwrap();
    for number in 10..22 {
        fs::write(source.join(format!("{number}.jpg")), b"no picture").unwrap();
    }
    let out = work.path().join("out");
    let ingest = |more: &[&str]| {
        let paths = [source.to_str().unwrap(), "--out", out.to_str().unwrap()];
        let output = prep(&[&["ingest"], &paths[..], more].concat());
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let none = ingest(&[]);
    let named =
        (10..22).filter(|number| none.contains(&format!("{number}.jpg: the file is not an image")));
    assert_eq!(named.count(), 10, "{none}");
    assert!(none.contains("; and 2 more"), "{none}");
    let names = |text: &str| text.matches(".jpg: the file is not an image").count();
    picture(SIDE)
        .save_with_format(source.join("0.png"), ImageFormat::Png)
        .unwrap();
    let stopped = ingest(&["--max-rejects", "3"]);
    assert!(
        stopped.contains("more than 3 images could not be used (4 not-an-image)"),
        "{stopped}"
    );
    assert_eq!(names(&stopped), 4, "{stopped}");
}
