//! The decoder beside libjpeg-turbo, through `tests/reference/jpeg_peer.py`.
//!
//! Ignored by default. `SHARDMILL_JPEG_PEER` names a Python with Pillow, `SHARDMILL_JPEG_DAMAGED` how many
//! damaged streams are tried, `SHARDMILL_JPEG_SEED` the first of their seeds. `just jpeg-peer` runs it.

use std::env;

use shardmill_jpeg::Decoder;
use shardmill_jpeg_kit::{Jpeg, Peer, Question, Random, Verdict, grid, mutate, seeds, write};

use crate::faults::Faults;
use crate::judge::{FAR, Judgement, judge};
use crate::{naive_rgb, ours};

fn peer() -> Peer {
    let python = env::var("SHARDMILL_JPEG_PEER").expect("SHARDMILL_JPEG_PEER names a Python");
    Peer::start(&python).unwrap()
}

/// The number that an environment variable holds.
fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Both transforms, and no smoothing: what a progressive stream lacks is nobody's to invent.
const QUESTION: Question = Question {
    pillow: false,
    smooth: false,
    floats: true,
};

/// Judges every stream; `streams` gives a name and bytes each. Legal ones are never exempt.
fn compare(what: &str, is_legal: bool, streams: impl Iterator<Item = (String, Vec<u8>)>) {
    let mut peer = peer();
    let mut decoder = Decoder::default();
    let mut faults = Faults::new(what);
    for (name, bytes) in streams {
        let answer = peer.decode(&bytes, QUESTION).unwrap();
        let pixels = ours::whole(&mut decoder, &bytes);
        let damaged = (!is_legal).then_some(&bytes[..]);
        faults.add(&name, &bytes, judge(&answer, &pixels, damaged));
    }
    faults.finish();
}

#[test]
#[ignore = "needs a Python with Pillow in SHARDMILL_JPEG_PEER; run by `.ci/python` and `just jpeg-peer`"]
fn legal_streams_have_libjpegs_pixels() {
    compare(
        "legal",
        true,
        grid().map(|(name, jpeg)| (name, write(&jpeg))),
    );
}

#[test]
#[ignore = "needs a Python with Pillow in SHARDMILL_JPEG_PEER; run by `.ci/python` and `just jpeg-peer`"]
fn seeds_are_judged_as_libjpeg_judges_them() {
    compare("seeds", false, seeds().into_iter());
}

#[test]
#[ignore = "needs a Python with Pillow in SHARDMILL_JPEG_PEER; run by `.ci/python` and `just jpeg-peer`"]
fn damaged_streams_are_judged_as_libjpeg_judges_them() {
    // Seeds, and whole pictures, which have more data to be damaged.
    let mut sources = seeds();
    sources.extend(grid().step_by(53).map(|(name, jpeg)| (name, write(&jpeg))));
    let first = number("SHARDMILL_JPEG_SEED", 1);
    let count = number("SHARDMILL_JPEG_DAMAGED", 20_000);
    let damaged = (first..first + count).map(|seed| {
        let mut random = Random::new(seed);
        let (name, bytes) = random.one_of(&sources);
        (format!("seed {seed} of {name}"), mutate(bytes, &mut random))
    });
    compare("damaged", false, damaged);
}

/// Every cut of a few streams, with an end marker behind it and without.
#[test]
#[ignore = "needs a Python with Pillow in SHARDMILL_JPEG_PEER; run by `.ci/python` and `just jpeg-peer`"]
fn streams_that_are_cut_anywhere_are_judged_as_libjpeg_judges_them() {
    let ordinary = Jpeg::sampled(33, 21, &[(2, 2), (1, 1), (1, 1)]);
    let mut restarting = ordinary.clone();
    restarting.scans[0].restart = 2;
    let refined = ordinary
        .clone()
        .progressive(shardmill_jpeg_kit::scans::refined(3));
    let streams = [ordinary, restarting, refined].map(|jpeg| write(&jpeg));
    let cuts = streams.iter().enumerate().flat_map(|(number, bytes)| {
        (2..bytes.len()).flat_map(move |at| {
            let cut = bytes[..at].to_vec();
            let ended = [&cut[..], &[0xFF, 0xD9]].concat();
            [
                (format!("stream {number} cut at {at}"), cut),
                (format!("stream {number} cut at {at} and ended"), ended),
            ]
        })
    });
    compare("cut", true, cuts);
}

/// The naive twin, on which other tests rely, is right.
#[test]
#[ignore = "needs a Python with Pillow in SHARDMILL_JPEG_PEER; run by `.ci/python` and `just jpeg-peer`"]
fn the_naive_twin_has_libjpegs_pixels() {
    let mut peer = peer();
    let mut faults = Faults::new("naive");
    for (name, jpeg) in grid().filter(|(_, jpeg)| jpeg.frame.components.len() != 2) {
        let bytes = write(&jpeg);
        let answer = peer.decode(&bytes, QUESTION).unwrap();
        assert_eq!(answer.verdict, Verdict::Decoded, "{name}: {}", answer.text);
        let naive = naive_rgb::rgb(&jpeg);
        let bounds = answer.rgb.iter().zip(&answer.floats);
        let far = naive.iter().zip(bounds).map(|(&level, (&a, &b))| {
            let (low, high) = (f64::from(a.min(b)), f64::from(a.max(b)));
            (low - level).max(level - high)
        });
        let far = far.fold(0.0, f64::max);
        // Half a level, since the twin's pixels are not rounded.
        let judgement = if far <= f64::from(FAR) + 0.5 {
            Judgement::SamePixels
        } else {
            Judgement::Fault(format!("the twin is {far:.1} levels away"))
        };
        faults.add(&name, &bytes, judgement);
    }
    faults.finish();
}
