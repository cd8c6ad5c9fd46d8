//! The JPEG decoder on real photographs: parts beside the whole, and all of it beside libjpeg-turbo.

use std::fs;
use std::path::{Path, PathBuf};

use shardmill_jpeg::{Decoder, Extent, Image, Options, Region};
use shardmill_jpeg_kit::{Peer, Question, Verdict};
use shardmill_tests::{photo_jpeg, real_images};

const ARCHIVES: [&str; 2] = ["imagenet-samples.tar", "imagenette-224.tar"];

/// The files below a folder, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// The pixels of a region.
fn pixels(decoder: &mut Decoder, image: &Image<'_>, region: Region, extent: Extent) -> Vec<u8> {
    let options = Options {
        extent,
        ..Options::default()
    };
    let mut rgb = Vec::new();
    let report = decoder.rgb(image, region, options, &mut |strip| {
        rgb.extend_from_slice(strip.rgb);
    });
    report.unwrap();
    rgb
}

/// Regions of every kind of place: a corner, the middle, a row, a column, and some between that `draw` gives.
fn regions(width: usize, height: usize, mut draw: impl FnMut(usize) -> usize) -> Vec<Region> {
    let region = |left, top, right, bottom| Region {
        left,
        top,
        right,
        bottom,
    };
    let mut all = vec![
        region(0, 0, 1, 1),
        region(width - 1, height - 1, width, height),
        region(
            width / 3,
            height / 4,
            width - width / 5,
            height - height / 3,
        ),
        region(0, height / 2, width, height / 2 + 1),
        region(width / 2, 0, width / 2 + 1, height),
    ];
    for _ in 0..3 {
        let (left, top) = (draw(width), draw(height));
        all.push(region(
            left,
            top,
            left + 1 + draw(width - left),
            top + 1 + draw(height - top),
        ));
    }
    all
}

fn check_regions(decoder: &mut Decoder, bytes: &[u8], name: &Path, seed: &mut u32) {
    let image = Image::parse(bytes).unwrap_or_else(|error| panic!("{}: {error}", name.display()));
    let (width, height) = (image.width(), image.height());
    let whole = pixels(decoder, &image, Region::whole(width, height), Extent::Whole);
    let draw = |below: usize| {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*seed >> 8) as usize % below
    };
    for region in regions(width, height, draw) {
        let part = pixels(decoder, &image, region, Extent::Needed);
        let length = (region.right - region.left) * 3;
        let rows = whole[(region.top * width + region.left) * 3..].chunks(width * 3);
        for (y, (row, wanted)) in part.chunks_exact(length).zip(rows).enumerate() {
            assert!(
                row == &wanted[..length],
                "{}: row {y} of {region:?}",
                name.display()
            );
        }
    }
}

#[test]
fn a_region_of_a_photograph_has_the_pixels_of_the_whole_to_the_bit() {
    let (mut decoder, mut seed) = (Decoder::default(), 1);
    check_regions(
        &mut decoder,
        &photo_jpeg(203, 150, 1),
        Path::new("a drawn one"),
        &mut seed,
    );
    for archive in ARCHIVES {
        let Some(folder) = real_images("photo_regions", archive) else {
            continue;
        };
        for path in files(folder.path()) {
            check_regions(&mut decoder, &fs::read(&path).unwrap(), &path, &mut seed);
        }
    }
}

#[test]
#[ignore = "needs a Python with Pillow in SHARDMILL_JPEG_PEER; run by `just jpeg-peer`"]
fn photographs_have_libjpeg_turbos_pixels_to_the_bit() {
    let python = std::env::var("SHARDMILL_JPEG_PEER").expect("SHARDMILL_JPEG_PEER names a Python");
    let (mut peer, mut decoder) = (Peer::start(&python).unwrap(), Decoder::default());
    let (mut images, mut differing) = (0, 0);
    for archive in ARCHIVES {
        let folder =
            real_images("photo_pixels", archive).expect("SHARDMILL_DATA names real images");
        for path in files(folder.path()) {
            let bytes = fs::read(&path).unwrap();
            let answer = peer.decode(&bytes, Question::default()).unwrap();
            assert_eq!(answer.verdict, Verdict::Decoded, "{}", path.display());
            let image = Image::parse(&bytes).unwrap();
            let whole = Region::whole(image.width(), image.height());
            let ours = pixels(&mut decoder, &image, whole, Extent::Whole);
            let far = ours.iter().zip(&answer.rgb).filter(|(a, b)| a != b).count();
            assert_eq!(ours.len(), answer.rgb.len());
            differing += far;
            images += 1;
        }
    }
    println!("{images} photographs, {differing} bytes differ from libjpeg-turbo's");
    assert_eq!(differing, 0);
}
