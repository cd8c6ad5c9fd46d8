//! Small streams to start from: corpora for fuzzing, and tests over many kinds at once.

use crate::content::Pattern;
use crate::grid::grid;
use crate::header::Header;
use crate::jpeg::{Cut, Faults, Jpeg};
use crate::mutate::mutate;
use crate::random::Random;
use crate::scan::Scan;
use crate::scans;
use crate::tables::Coding;
use crate::write::write;

/// Streams longer than this are left out.
const LONGEST: usize = 4096;

/// One of this many streams of the grid is a seed.
const STEP: usize = 37;

/// Some 200 small streams with their names: legal ones of every kind, legal ones that are unusual,
/// unfinished and contradictory ones, and damaged ones. Names consist of letters, digits and hyphens.
#[must_use]
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let legal = grid().step_by(STEP).map(|(name, mut jpeg)| {
        // Any three rows of blocks show what thirty show, in fewer bytes.
        jpeg.frame.width = jpeg.frame.width.min(24);
        if !matches!(jpeg.content, crate::Content::Painted(..)) {
            jpeg.content = crate::random_coefficients(&jpeg.frame, 6, 1);
        }
        (format!("legal {name}"), write(&jpeg))
    });
    let mut all: Vec<(String, Vec<u8>)> = legal.collect();
    all.extend(
        odd()
            .into_iter()
            .map(|(name, jpeg)| (format!("odd {name}"), write(&jpeg))),
    );
    let mut random = Random::new(18);
    for (at, (_, bytes)) in all.clone().iter().enumerate().step_by(3) {
        all.push((format!("damaged {at}"), mutate(bytes, &mut random)));
    }
    let name = |name: String| {
        name.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
            .to_lowercase()
    };
    let short = all.into_iter().filter(|(_, bytes)| bytes.len() <= LONGEST);
    short.map(|(text, bytes)| (name(text), bytes)).collect()
}

/// Streams that are unusual, unfinished or contradictory, and why.
fn odd() -> Vec<(&'static str, Jpeg)> {
    let ordinary = Jpeg::default().painted(Pattern::Edges, 3);
    let progressive = ordinary.clone().progressive(scans::refined(3));
    let mut restarting = ordinary.clone();
    (restarting.frame.width, restarting.frame.height) = (40, 33);
    restarting.scans[0].restart = 2;
    let faulty = |jpeg: &Jpeg, change: fn(&mut Faults)| {
        let mut jpeg = jpeg.clone();
        change(&mut jpeg.faults);
        jpeg
    };
    let cut = |jpeg: &Jpeg, percent: usize, ended: bool| {
        let mut cut = jpeg.clone();
        let at = write(jpeg).len() * percent / 100;
        cut.faults.cut = Some(Cut { at, ended });
        cut
    };
    let mut odd = vec![
        ("fill", faulty(&ordinary, |faults| faults.fill = 5)),
        (
            "stray",
            faulty(&ordinary, |faults| faults.stray = vec![1, 2, 3]),
        ),
        (
            "stray zeros",
            faulty(&progressive, |faults| faults.stray = vec![0; 9]),
        ),
        (
            "trailing",
            faulty(&ordinary, |faults| faults.trailing = vec![7; 40]),
        ),
        ("endless", faulty(&ordinary, |faults| faults.endless = true)),
        (
            "endless progressive",
            faulty(&progressive, |faults| faults.endless = true),
        ),
        (
            "late height",
            faulty(&ordinary, |faults| faults.late_height = true),
        ),
        (
            "restart numbers",
            faulty(&restarting, |faults| faults.first_restart = 1),
        ),
        (
            "restart numbers far off",
            faulty(&restarting, |faults| faults.first_restart = 5),
        ),
        ("cut in the tables", cut(&ordinary, 40, false)),
        ("cut in the scan", cut(&restarting, 95, false)),
        ("cut in the scan and ended", cut(&restarting, 95, true)),
        ("cut in a progressive scan", cut(&progressive, 70, false)),
        (
            "cut in a progressive scan and ended",
            cut(&progressive, 70, true),
        ),
        ("no tables in progressive", {
            let mut jpeg = progressive.clone().painted(Pattern::Flat, 1);
            jpeg.coding = Coding::Missing;
            jpeg.scans = vec![Scan::part(&[0, 1, 2], 0..=0, 0, 0)];
            jpeg
        }),
        (
            "no quantisation",
            Jpeg {
                quantisation: vec![],
                ..ordinary.clone()
            },
        ),
        (
            "no scan",
            Jpeg {
                scans: vec![],
                ..ordinary.clone()
            },
        ),
        ("components without a scan", {
            let mut jpeg = ordinary.clone();
            jpeg.scans = vec![Scan::whole(&[0])];
            jpeg
        }),
        ("scan repeated", {
            let mut jpeg = ordinary.clone();
            jpeg.scans = [scans::each(3), scans::each(3)].concat();
            jpeg
        }),
        ("five components", Jpeg::sampled(8, 8, &[(1, 1); 5])),
        ("two names alike", {
            let mut jpeg = ordinary.clone();
            jpeg.frame.components[2].id = jpeg.frame.components[1].id;
            jpeg
        }),
        ("height of one row and all of its width", {
            let mut jpeg = ordinary.clone();
            (jpeg.frame.width, jpeg.frame.height) = (700, 1);
            jpeg
        }),
        ("orientation", {
            let exif = Header::Exif {
                orientation: 6,
                little: true,
            };
            Jpeg {
                headers: vec![exif],
                ..ordinary.clone()
            }
        }),
    ];
    let unfinished = |scans: Vec<Scan>| Jpeg {
        scans,
        ..progressive.clone()
    };
    let all = scans::refined(3);
    odd.extend([
        (
            "progressive without its last scans",
            unfinished(all[..5].to_vec()),
        ),
        ("progressive with DC alone", unfinished(all[..1].to_vec())),
        ("progressive without DC", unfinished(all[1..].to_vec())),
        (
            "progressive with a scan twice",
            unfinished([&all[..2], &all[1..]].concat()),
        ),
        (
            "progressive with a refinement left out",
            unfinished([&all[..4], &all[5..]].concat()),
        ),
        (
            "progressive backwards",
            unfinished(all.iter().rev().cloned().collect()),
        ),
        (
            "progressive with AC interleaved",
            unfinished(vec![
                Scan::part(&[0, 1, 2], 0..=0, 0, 0),
                Scan::part(&[0, 1], 1..=63, 0, 0),
            ]),
        ),
        (
            "progressive with DC and AC in a scan",
            unfinished(vec![Scan::part(&[0], 0..=63, 0, 0)]),
        ),
    ]);
    odd
}
