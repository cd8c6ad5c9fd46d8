use rayon::ThreadPoolBuilder;
use shardmill_formats::{Philox, Stream};

use super::{MOST_POINTS, MapError, Neighbour, Place, map, neighbours_of_map};

/// Dimensions of the rows that are made here.
const LEN: usize = 16;

/// `count` rows around each of `groups` centres, `apart` from each other, with deviations of 1.
fn rows(groups: usize, count: usize, apart: f64) -> (Vec<[f64; LEN]>, Vec<i64>) {
    let philox = Philox::new(7, Stream::Demo);
    let mut rows = Vec::new();
    let mut labels = Vec::new();
    for number in 0..groups * count {
        let group = number % groups;
        let mut row = [0.0; LEN];
        for (at, pair) in row.chunks_mut(2).enumerate() {
            pair.copy_from_slice(&Philox::normals(philox.block(number as u64, at as u32)));
        }
        row[group] += apart;
        rows.push(row);
        labels.push(group as i64);
    }
    (rows, labels)
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).powi(2))
        .sum::<f64>()
        .sqrt()
}

/// The nearest `count` other rows of each, by comparing all pairs.
fn nearest(rows: &[impl AsRef<[f64]>], count: usize) -> Vec<Vec<Neighbour>> {
    let of = |row: usize| {
        let mut all: Vec<Neighbour> = (0..rows.len())
            .filter(|other| *other != row)
            .map(|other| Neighbour {
                row: other,
                distance: distance(rows[row].as_ref(), rows[other].as_ref()),
            })
            .collect();
        all.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.row.cmp(&b.row)));
        all.truncate(count);
        all
    };
    (0..rows.len()).map(of).collect()
}

/// The share of places whose nearest place has their label.
fn agreement(places: &[Place]) -> f64 {
    let points: Vec<[f64; 2]> = places.iter().map(|place| [place.x, place.y]).collect();
    let nearest = nearest(&points, 1);
    let same =
        (0..places.len()).filter(|row| places[nearest[*row][0].row].label == places[*row].label);
    same.count() as f64 / places.len() as f64
}

fn mapped(groups: usize, count: usize, apart: f64, seed: u64) -> Vec<Place> {
    let (rows, labels) = rows(groups, count, apart);
    let nearest = nearest(&rows, neighbours_of_map(rows.len()));
    map(&nearest, &labels, seed, |_| {}).unwrap()
}

#[test]
fn separable_groups_stay_separable_and_mixed_ones_do_not_become_so() {
    assert!(agreement(&mapped(5, 60, 10.0, 1)) > 0.99);
    // Of one cloud with labels in turn, one neighbour in five agrees by chance.
    let mixed = agreement(&mapped(5, 60, 0.0, 1));
    assert!(mixed < 0.4, "{mixed}");
}

#[test]
fn a_seed_gives_the_same_places_on_any_number_of_threads() {
    // More than the crate's own limit for one thread.
    let on = |threads: usize, seed: u64| {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| mapped(3, 200, 6.0, seed))
    };
    let one = on(1, 5);
    assert!(
        one.iter()
            .all(|place| place.x.is_finite() && place.y.is_finite())
    );
    assert_eq!(on(4, 5), one);
    assert_ne!(on(1, 6), one);
}

#[test]
fn the_smallest_map_is_one_and_every_iteration_is_reported() {
    let (rows, labels) = rows(2, 5, 10.0);
    let nearest = nearest(&rows, neighbours_of_map(rows.len()));
    let mut seen = 0;
    let places = map(&nearest, &labels, 1, |iteration| seen = iteration).unwrap();
    assert_eq!((places.len(), seen), (10, super::ITERATIONS));
    assert!(
        places
            .iter()
            .all(|place| place.x.is_finite() && place.y.is_finite())
    );
}

#[test]
fn equal_rows_are_mapped() {
    let rows = vec![[1.0; LEN]; 40];
    let nearest = nearest(&rows, neighbours_of_map(rows.len()));
    let places = map(&nearest, &[0; 40], 1, |_| {}).unwrap();
    assert!(
        places
            .iter()
            .all(|place| place.x.is_finite() && place.y.is_finite())
    );
}

#[test]
fn what_is_no_table_of_neighbours_is_refused() {
    let (rows, labels) = rows(2, 10, 10.0);
    let right = nearest(&rows, neighbours_of_map(rows.len()));
    for found in [0, 9, MOST_POINTS + 1] {
        let error = map(&[], &vec![0; found], 1, |_| {});
        assert!(matches!(error, Err(MapError::Points { .. })), "{found}");
    }
    type Change = fn(&mut Vec<Vec<Neighbour>>);
    let changes: [Change; 7] = [
        |table| table.truncate(19),
        |table| table.push(table[0].clone()),
        |table| table[3].truncate(18),
        |table| table[3][0].row = 3,
        |table| table[3][0].row = 20,
        |table| table[3][1] = table[3][0],
        |table| table[3][0].distance = f64::NAN,
    ];
    for change in changes {
        let mut wrong = right.clone();
        change(&mut wrong);
        let error = map(&wrong, &labels, 1, |_| {});
        assert!(matches!(error, Err(MapError::Neighbours { .. })));
    }
}
