//! Damage that is kept: the pixels that there are, and grey where there are none.

use proptest::prelude::*;
use shardmill_jpeg::{Damage, Decoder, Error, OnDamage, Options, Plane};
use shardmill_jpeg_kit::{Cut, Jpeg, Pattern, Random, grid, mutate, scans, seeds, write};

use crate::planes::{row, whole};

const KEEP: Options = Options {
    damage: OnDamage::Keep,
    extent: shardmill_jpeg::Extent::Whole,
    limits: shardmill_jpeg::Limits {
        pixels: 1 << 20,
        scans: 100,
    },
};

const REFUSE: Options = Options {
    damage: OnDamage::Refuse,
    ..KEEP
};

/// What is kept of a stream that is refused otherwise, and the damage.
fn kept(bytes: &[u8]) -> (Vec<Plane>, Damage) {
    let mut decoder = Decoder::default();
    let refused = whole(&mut decoder, bytes, REFUSE).unwrap_err();
    let (planes, report) = whole(&mut decoder, bytes, KEEP).unwrap();
    let damage = report.damage.unwrap();
    assert_eq!(refused, Error::Damaged(damage));
    (planes, damage)
}

fn sound(bytes: &[u8]) -> Vec<Plane> {
    let (planes, report) = whole(&mut Decoder::default(), bytes, REFUSE).unwrap();
    assert_eq!(report.damage, None);
    planes
}

/// One component, so that rows of blocks follow each other in the data.
fn grey(restart: u16) -> Jpeg {
    let mut jpeg = Jpeg::sampled(40, 64, &[(1, 1)]).painted(Pattern::Noise, 3);
    jpeg.scans[0].restart = restart;
    jpeg
}

/// Rows of blocks that are as they were, and those that are all grey.
fn rows(found: &Plane, wanted: &Plane) -> (Vec<usize>, Vec<usize>) {
    let rows = 0..found.height / 8;
    let each = |same: &dyn Fn(usize) -> bool| -> Vec<usize> {
        let whole = |&number: &usize| (number * 8..number * 8 + 8).all(same);
        rows.clone().filter(whole).collect()
    };
    (
        each(&|y| row(found, y) == row(wanted, y)),
        each(&|y| row(found, y).iter().all(|&level| level == 128)),
    )
}

/// Where the data of the first scan begins.
fn data(bytes: &[u8]) -> usize {
    let scan = bytes
        .windows(2)
        .position(|pair| pair == [0xFF, 0xDA])
        .unwrap();
    scan + 2 + usize::from(bytes[scan + 3])
}

fn place(bytes: &[u8], marker: u8) -> usize {
    let found = bytes.windows(2).position(|pair| pair == [0xFF, marker]);
    found.unwrap()
}

#[test]
fn a_picture_cut_at_30_percent_is_damage_in_every_kind_of_file_even_with_an_end_marker() {
    let sequential = Jpeg::default().painted(Pattern::Noise, 1);
    let apart = Jpeg {
        scans: scans::each(3),
        ..sequential.clone()
    };
    let progressive = sequential.clone().progressive(scans::banded(3));
    let mut restarting = sequential.clone();
    restarting.scans[0].restart = 1;
    for mut jpeg in [sequential, apart, progressive, restarting] {
        (jpeg.frame.width, jpeg.frame.height) = (64, 64);
        let bytes = write(&jpeg);
        let start = data(&bytes);
        for ended in [false, true] {
            let at = start + (bytes.len() - start) * 3 / 10;
            jpeg.faults.cut = Some(Cut { at, ended });
            let cut = write(&jpeg);
            let (planes, damage) = kept(&cut);
            assert_eq!(damage, Damage::Ends);
            assert_eq!(planes.len(), 3);
        }
    }
}

#[test]
fn what_cut_data_reaches_is_as_it_was_and_the_rest_is_grey() {
    let bytes = write(&grey(0));
    let wanted = &sound(&bytes)[0];
    let start = data(&bytes);
    let half = &bytes[..start + (bytes.len() - start) / 2];
    let (planes, _) = kept(half);
    let (same, empty) = rows(&planes[0], wanted);
    assert!(same.starts_with(&[0, 1, 2]) && same.len() <= 4, "{same:?}");
    assert!(empty.ends_with(&[5, 6, 7]) && same.len() + empty.len() >= 7);
}

#[test]
fn reading_resumes_at_the_next_restart_marker() {
    // A row of blocks is an interval.
    let bytes = write(&grey(5));
    let wanted = &sound(&bytes)[0];
    let mut broken = bytes.clone();
    let (from, to) = (place(&bytes, 0xD1) + 2, place(&bytes, 0xD2));
    broken.drain((from + to) / 2..to);
    let (planes, damage) = kept(&broken);
    assert_eq!(damage, Damage::Interval);
    assert_eq!(rows(&planes[0], wanted).0, [0, 1, 3, 4, 5, 6, 7]);
    // What is read before the damage is there.
    assert_eq!(row(&planes[0], 16)[..8], row(wanted, 16)[..8]);
}

#[test]
fn an_interval_without_its_marker_is_left_grey_and_the_others_keep_their_places() {
    let bytes = write(&grey(5));
    let wanted = &sound(&bytes)[0];
    let (from, to) = (place(&bytes, 0xD2), place(&bytes, 0xD3));
    let missing = [&bytes[..from], &bytes[to..]].concat();
    let (planes, damage) = kept(&missing);
    assert_eq!(damage, Damage::Restart);
    let (same, empty) = rows(&planes[0], wanted);
    assert_eq!((same, empty), (vec![0, 1, 2, 4, 5, 6, 7], vec![3]));
    // One that comes twice is passed over.
    let twice = [&bytes[..to], &bytes[from..]].concat();
    let (planes, damage) = kept(&twice);
    assert_eq!(damage, Damage::Restart);
    assert_eq!(rows(&planes[0], wanted).0, [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_progressive_picture_keeps_what_earlier_scans_have_brought() {
    let jpeg = grey(0).progressive(scans::banded(1));
    let bytes = write(&jpeg);
    let mut coarse = jpeg.clone();
    coarse.scans.truncate(1);
    let coarse = &sound(&write(&coarse))[0];
    let wanted = &sound(&bytes)[0];
    let last = bytes
        .windows(2)
        .rposition(|pair| pair == [0xFF, 0xDA])
        .unwrap();
    let (planes, damage) = kept(&bytes[..last + (bytes.len() - last) / 2]);
    assert_eq!(damage, Damage::Ends);
    let (found, mut refined) = (&planes[0], 0);
    for y in 0..64 {
        if row(found, y) == row(wanted, y) {
            refined += 1;
        }
    }
    assert!((8..48).contains(&refined), "{refined}");
    assert_eq!(row(found, 63), row(coarse, 63));
}

#[test]
fn sound_streams_are_the_same_whether_damage_is_kept_or_not() {
    let mut decoder = Decoder::default();
    for (name, jpeg) in grid().step_by(7) {
        let bytes = write(&jpeg);
        let refused = whole(&mut decoder, &bytes, REFUSE);
        let kept = whole(&mut decoder, &bytes, KEEP);
        match (refused, kept) {
            (Ok((a, report)), Ok((b, other))) => {
                assert_eq!(report, other, "{name}");
                for (a, b) in a.iter().zip(&b) {
                    assert!((0..a.height).all(|y| row(a, y) == row(b, y)), "{name}");
                }
            }
            (Err(Error::Damaged(damage)), Ok((_, report))) => {
                assert_eq!(report.damage, Some(damage), "{name}");
            }
            (Err(a), Err(b)) => assert_eq!(a, b, "{name}"),
            (Ok(_), Err(error)) => panic!("{name}: {error}"),
            (Err(error), Ok(_)) => panic!("{name}: {error} is kept"),
        }
    }
}

#[test]
fn seeds_of_every_kind_never_panic() {
    let mut decoder = Decoder::default();
    for (_, bytes) in seeds() {
        for options in [REFUSE, KEEP] {
            let _ = whole(&mut decoder, &bytes, options);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Whatever becomes of a stream, what is accepted without damage is the same in both modes, and what is refused
    /// for damage behind the headers is kept with it.
    #[test]
    fn damaged_streams_never_panic_and_both_modes_agree(
        which in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let all = streams();
        let bytes = mutate(&all[which.index(all.len())], &mut Random::new(seed));
        let mut decoder = Decoder::default();
        let refused = whole(&mut decoder, &bytes, REFUSE);
        let kept = whole(&mut decoder, &bytes, KEEP);
        match (&refused, &kept) {
            (Ok((_, report)), Ok((_, other))) => prop_assert_eq!(report, other),
            (Ok(_), Err(error)) => prop_assert!(false, "{}", error),
            (Err(Error::Damaged(damage)), Ok((_, report))) => {
                prop_assert_eq!(report.damage, Some(*damage));
            }
            (Err(_), Ok(_)) => prop_assert!(false, "{:?}", refused.err()),
            (Err(_), Err(_)) => {}
        }
    }
}

/// Sound streams to be damaged.
fn streams() -> &'static [Vec<u8>] {
    static STREAMS: std::sync::LazyLock<Vec<Vec<u8>>> =
        std::sync::LazyLock::new(|| grid().step_by(29).map(|(_, jpeg)| write(&jpeg)).collect());
    &STREAMS
}
