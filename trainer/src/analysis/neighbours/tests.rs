use proptest::prelude::*;
use shardmill_formats::{Philox, Stream};

use super::*;
use crate::analysis::Features;

fn features(len: usize, values: Vec<f32>) -> Features {
    Features {
        labels: vec![0; values.len() / len],
        len,
        values,
        ..Features::default()
    }
}

/// All pairs, in f64.
fn brute_force(queries: &Features, base: &Features, count: usize, same: bool) -> Vec<Vec<usize>> {
    let rows = |of: &Features| -> Vec<Vec<f64>> {
        let rows = of.values.chunks(of.len);
        rows.map(|row| row.iter().map(|&v| f64::from(v)).collect())
            .collect()
    };
    let (queries, base) = (rows(queries), rows(base));
    let of_query = |(number, query): (usize, &Vec<f64>)| {
        let mut pairs = Vec::new();
        for (row, other) in base.iter().enumerate() {
            if same && row == number {
                continue;
            }
            let mut sum = 0.0;
            for column in 0..query.len() {
                sum += (query[column] - other[column]).powi(2);
            }
            pairs.push((sum, row));
        }
        pairs.sort_by(|a, b| a.partial_cmp(b).unwrap());
        pairs.into_iter().take(count).map(|(_, row)| row).collect()
    };
    queries.iter().enumerate().map(of_query).collect()
}

fn rows(found: &[Vec<Neighbour>]) -> Vec<Vec<usize>> {
    let rows = |list: &Vec<Neighbour>| list.iter().map(|n| n.row).collect();
    found.iter().map(rows).collect()
}

/// Rows around few centres, so close that f32 products cannot tell many of them apart, some of them twice.
fn clusters(seed: u64, rows: usize, len: usize, spread: f32) -> Features {
    let philox = Philox::new(seed, Stream::Demo);
    let uniform = |a: usize, b: usize| {
        let word = philox.block(a as u64, b as u32)[0];
        (f64::from(word) / f64::from(u32::MAX)) as f32
    };
    let mut values = Vec::new();
    for row in 0..rows {
        let source = if row % 5 == 4 { row / 2 } else { row };
        for column in 0..len {
            let center = uniform(1_000_000 + source % 3, column);
            values.push(center + spread * uniform(source, column));
        }
    }
    features(len, values)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_nearest_are_those_of_brute_force_in_f64(
        seed in any::<u64>(),
        sizes in (1_usize..60, 1_usize..300, 1_usize..90),
        count in 1_usize..8,
        spread in prop::sample::select(vec![1.0_f32, 1e-3, 1e-6, 1e-7, 0.0]),
        scale in prop::sample::select(vec![1.0_f32, 1e-30, 1e18, 1e37]),
        same in any::<bool>(),
    ) {
        let (queries, rows_of_base, len) = sizes;
        let mut base = clusters(seed, rows_of_base, len, spread);
        let mut asked = if same { base.clone() } else { clusters(seed ^ 1, queries, len, spread) };
        for value in base.values.iter_mut().chain(&mut asked.values) {
            *value *= scale;
        }
        let search = Search { count, same, stop: Stop::default() };
        let found = search.run(&asked, &base, |_, _| ()).unwrap().unwrap();
        prop_assert_eq!(rows(&found), brute_force(&asked, &base, count, same));
    }
}

#[test]
fn rows_that_f32_products_cannot_tell_apart_are_told_apart() {
    // A long common part hides what differs from an f32 sum.
    let len = 4096;
    let row = |last: f32| {
        let mut row = vec![7.0; len];
        row[len - 1] = last;
        row
    };
    let base = [1.003, 1.001, 1.004, 1.002].map(row).concat();
    let found = nearest(&features(len, row(1.0)), &features(len, base), 3).unwrap();
    assert_eq!(rows(&found), [[1, 3, 0]]);
    let distance = f64::from(1.001_f32) - 1.0;
    assert!((found[0][0].distance - distance).abs() < 1e-15);
}

#[test]
fn more_than_one_block_of_the_base_is_searched() {
    let len = BASE_BLOCK / 2;
    let mut base = vec![0.0; 5 * len];
    for (row, value) in [4.0, 3.0, 0.5, 1.0, 0.25].into_iter().enumerate() {
        base[row * len] = value;
    }
    let found = nearest(&features(len, vec![0.0; len]), &features(len, base), 3).unwrap();
    assert_eq!(rows(&found), [[4, 2, 3]]);
}

#[test]
fn values_that_are_not_finite_and_rows_of_other_lengths_are_refused() {
    let good = features(2, vec![0.0; 4]);
    let bad = features(2, vec![0.0, 0.0, 0.0, f32::NAN]);
    let error = nearest(&good, &bad, 1).unwrap_err().to_string();
    assert!(error.contains("feature 1 of row 1"), "{error}");
    let other = features(4, vec![0.0; 4]);
    let error = nearest(&good, &other, 1).unwrap_err().to_string();
    assert!(error.contains("rows of 2 and of 4 values"), "{error}");
}

#[test]
fn a_request_to_stop_is_honoured() {
    let rows = features(2, vec![0.0; 4]);
    let search = Search {
        count: 1,
        same: false,
        stop: Stop::default(),
    };
    search.stop.request();
    assert!(search.run(&rows, &rows, |_, _| ()).unwrap().is_none());
}
