//! JPEGs of every sampling and division into scans.

use std::path::Path;

use shardmill_jpeg_kit::{Jpeg, Pattern, scans, write as stream};

use super::pixels::write;
use crate::kit::{prep_ok, records};

/// Chroma that is sampled finer than luminance, in several scans; two of the files are damaged.
pub(super) fn finer_chroma(folder: &Path) {
    let finer = |sampling: &[(u8, u8)]| Jpeg::sampled(17, 33, sampling);
    let apart = |mut jpeg: Jpeg| {
        jpeg.scans = scans::each(3);
        jpeg
    };
    let progressive = |jpeg: Jpeg| jpeg.progressive(scans::refined(3));
    let both = [(1, 1), (2, 2), (1, 1)];
    let one = Jpeg::sampled(1, 1, &both);
    let across = finer(&[(1, 1), (2, 1), (2, 1)]).painted(Pattern::Noise, 3);
    let of_two = finer(&[(1, 2), (2, 1), (1, 1)]);
    let cut = |jpeg: &Jpeg| {
        let bytes = stream(jpeg);
        [&bytes[..bytes.len() / 2], b"\xFF\xD9"].concat()
    };
    // Restart markers whose turn has not come.
    let mut restarting = apart(across.clone());
    for scan in &mut restarting.scans {
        scan.restart = 2;
    }
    restarting.faults.first_restart = 3;
    write(
        folder,
        "panic-21-7752.jpg",
        &cut(&progressive(across.clone())),
    );
    write(folder, "panic-21-12762.jpg", &stream(&restarting));
    write(
        folder,
        "l1c2-17x33-prog.jpg",
        &stream(&progressive(finer(&both))),
    );
    write(folder, "l1c2-1x1-nonint.jpg", &stream(&apart(one)));
    write(
        folder,
        "h12c21-17x33-prog.jpg",
        &stream(&progressive(of_two)),
    );
    write(folder, "swap-17x33-nonint.jpg", &stream(&apart(across)));
}

/// Scans of one component each, and one scan of odd sampling.
pub(super) fn scans_apart(folder: &Path) {
    for (name, sampling, scans, restart) in [
        (
            "420-97x131-nonint.jpg",
            [(2, 2), (1, 1), (1, 1)],
            scans::each(3),
            0,
        ),
        ("444-97x131-nonintr5.jpg", [(1, 1); 3], scans::each(3), 5),
        (
            "swap-97x131-base.jpg",
            [(1, 1), (2, 1), (2, 1)],
            scans::interleaved(3),
            0,
        ),
    ] {
        let mut jpeg = Jpeg::sampled(97, 131, &sampling);
        jpeg.scans = scans;
        for scan in &mut jpeg.scans {
            scan.restart = restart;
        }
        write(folder, name, &stream(&jpeg));
    }
}

/// Every division into scans gives the same record, and nearly that of the picture in one scan.
#[test]
fn scans_of_one_component_each_give_the_pixels_of_one_scan() {
    let work = tempfile::tempdir().unwrap();
    let (source, out) = (work.path().join("source"), work.path().join("out"));
    let jpeg = Jpeg::sampled(97, 131, &[(2, 2), (1, 1), (1, 1)]);
    write(&source, "a.jpg", &stream(&jpeg));
    let mut apart = jpeg.clone();
    apart.scans = scans::each(3);
    write(&source, "b.jpg", &stream(&apart));
    let progressive = jpeg.progressive(scans::refined(3));
    write(&source, "c.jpg", &stream(&progressive));
    let [source, out_text] = [&source, &out].map(|path| path.to_str().unwrap());
    let small = ["--codec", "raw", "--size", "24"];
    prep_ok(&[&["ingest", source, "--out", out_text], &small[..]].concat());
    let mut records = records(&out);
    records.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(records[1].rgb, records[2].rgb);
    // The planes of the first are resized as they are, so colours beyond white and black are cut off later.
    let pairs = records[0].rgb.iter().zip(&records[1].rgb);
    let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    let mean = f64::from(sum) / records[0].rgb.len() as f64;
    assert!(mean < 2.0, "{mean}");
}
