//! Records are what Pillow makes of the same images, to a level and a half.

use std::fs;
use std::path::{Path, PathBuf};

use shardmill_prep::ImageDecoder;
use shardmill_tests::real_images;

/// Most mean absolute difference of a record, in levels, and of all records together.
const WORST: f64 = 3.0;
/// See [`WORST`].
const MEAN: f64 = 1.5;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/fixtures")
}

/// Mean absolute difference of an image's record from Pillow's, at the places that
/// `reference/pillow_records.py` drew for its line.
fn difference(decoder: &mut ImageDecoder, path: &Path, line: u32, wanted: &str) -> f64 {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let record = decoder
        .decode(&bytes)
        .unwrap_or_else(|reject| panic!("{}: {reject}", path.display()));
    let mut x = line;
    let differences = wanted.as_bytes().chunks_exact(2).map(|digits| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let found = record[(x >> 8) as usize % record.len()];
        let digits = std::str::from_utf8(digits).unwrap();
        f64::from(found.abs_diff(u8::from_str_radix(digits, 16).unwrap()))
    });
    differences.sum::<f64>() / (wanted.len() / 2) as f64
}

/// Compares the images of which `place` gives the file; gives their number.
fn compare(place: impl Fn(&str) -> Option<PathBuf>) -> usize {
    let table = fs::read_to_string(fixtures().join("pillow.txt")).unwrap();
    let mut decoder = ImageDecoder::new(256);
    let mut found = Vec::new();
    for (line, text) in (1..).zip(table.lines()) {
        let (key, wanted) = text.split_once(' ').unwrap();
        if let Some(path) = place(key) {
            let difference = difference(&mut decoder, &path, line, wanted);
            assert!(difference <= WORST, "{key}: {difference:.2} levels");
            found.push(difference);
        }
    }
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    let worst = found.iter().copied().fold(0.0, f64::max);
    println!(
        "{} images differ by {mean:.3} levels on average, {worst:.3} at worst",
        found.len()
    );
    assert!(mean <= MEAN, "{mean:.2} levels");
    found.len()
}

#[test]
fn small_images_match_pillow() {
    let own = |key: &str| Some(fixtures().join("pillow").join(key.strip_prefix("self/")?));
    assert_eq!(compare(own), 7);
}

#[test]
fn photographs_match_pillow() {
    if let Some(folder) = real_images("pillow", "imagenet-samples.tar") {
        let real = |key: &str| {
            key.starts_with("imagenet/")
                .then(|| folder.path().join(key))
        };
        assert_eq!(compare(real), 300);
    }
}
