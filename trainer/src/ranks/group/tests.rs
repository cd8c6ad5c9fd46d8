use std::thread;
use std::time::Duration;

use super::super::local::local_links;
use super::{BLOCK, RankError, Ranks};

const TIMEOUT: Duration = Duration::from_secs(60);

/// What `work` returns on each of `size` ranks, which are threads.
fn on_ranks<T: Send>(size: usize, timeout: Duration, work: impl Fn(&Ranks) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = local_links(size)
            .into_iter()
            .map(|link| scope.spawn(move || work(&Ranks::new(Box::new(link), timeout))))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

/// Values that do not add up exactly, of a rank.
fn values(rank: usize, len: usize) -> Vec<f32> {
    let value = |i: usize| ((i * 7919 + rank * 104_729) % 1000) as f32 / 3.0 - 100.0;
    (0..len).map(value).collect()
}

#[test]
fn sums_are_the_same_bits_on_every_rank_and_those_of_the_definition() {
    for size in [2, 3, 4] {
        for lens in [&[5, 0, 1, 17][..], &[1], &[BLOCK + 3, 10]] {
            let own = |rank: usize| -> Vec<Vec<f32>> {
                lens.iter().map(|&len| values(rank, len)).collect()
            };
            let sums = on_ranks(size, TIMEOUT, |ranks| {
                let mut vectors = own(ranks.rank());
                ranks.sum(&mut vectors).unwrap();
                vectors
            });
            let expected: Vec<Vec<f32>> = lens
                .iter()
                .map(|&len| {
                    let all: Vec<Vec<f32>> = (0..size).map(|rank| values(rank, len)).collect();
                    let sum = |i| all.iter().map(|v| f64::from(v[i])).sum::<f64>() as f32;
                    (0..len).map(sum).collect()
                })
                .collect();
            for sum in sums {
                assert!(sum == expected, "{size} ranks");
            }
        }
    }
}

#[test]
fn messages_of_any_length_reach_every_rank_by_its_number() {
    for size in [1, 2, 4] {
        let all = on_ranks(size, TIMEOUT, |ranks| {
            let own = vec![ranks.rank() as u8; ranks.rank() * 3];
            let mut counts = [ranks.rank() as u64, 5];
            ranks.sum_whole(&mut counts).unwrap();
            let first = ranks.from_first(vec![9; 4]).unwrap();
            let any = ranks.any(ranks.rank() == 1).unwrap();
            (ranks.gather_bytes(&own).unwrap(), counts, first, any)
        });
        let expected: Vec<Vec<u8>> = (0..size).map(|rank| vec![rank as u8; rank * 3]).collect();
        let ranks: u64 = (0..size as u64).sum();
        for (gathered, counts, first, any) in all {
            assert_eq!(gathered, expected);
            assert_eq!(counts, [ranks, 5 * size as u64]);
            assert_eq!((first, any), (vec![9; 4], size > 1));
        }
    }
}

#[test]
fn a_rank_that_is_silent_is_named() {
    let errors = on_ranks(3, Duration::from_millis(200), |ranks| {
        if ranks.rank() == 2 {
            // It is there, and sends nothing.
            thread::sleep(Duration::from_millis(600));
            return None;
        }
        Some(ranks.any(false).unwrap_err())
    });
    for error in errors.into_iter().flatten() {
        assert!(
            matches!(&error, RankError::Silent { ranks, .. } if *ranks == ["rank 2"]),
            "{error}"
        );
    }
}

#[test]
fn the_error_of_one_rank_ends_all() {
    let errors = on_ranks(3, TIMEOUT, |ranks| {
        if ranks.rank() == 1 {
            ranks.end("shard 3 is damaged");
            return None;
        }
        Some(ranks.sum(&mut [vec![1.0; 10]]).unwrap_err().to_string())
    });
    for error in errors.into_iter().flatten() {
        assert_eq!(error, "rank 1: shard 3 is damaged");
    }
}
