//! A map of rows in two dimensions, in which near rows stay near: t-SNE (van der Maaten and Hinton, 2008), with
//! forces of far points summed over a tree (Barnes and Hut).
//!
//! It shows which rows are near each other. Distances between groups and the sizes of groups mean nothing.
//!
//! The places follow from rows and seed alone: everything in which the crate's sums depend on the number of
//! threads is computed on one, in a pool of its own.

use bhtsne::{Neighbor, tSNE};
use rayon::ThreadPoolBuilder;
use shardmill_formats::{Philox, Stream};

use crate::analysis::neighbours::Neighbour;

/// Most points: some seconds of computing, and as many as a figure can show.
pub(crate) const MOST_POINTS: usize = 5_000;

/// Fewest points: with fewer there is no neighbourhood to keep.
pub(crate) const FEWEST_POINTS: usize = 10;

/// The number of neighbours whose nearness a point keeps, roughly; van der Maaten's own choice.
const PERPLEXITY: usize = 30;

/// Neighbours of a point for each unit of perplexity; further ones weigh nothing.
const NEIGHBOURS: usize = 3;

/// Iterations.
const ITERATIONS: usize = 1_000;

/// Ratio of a cell's width to its distance up to which it counts as one point.
const THETA: f32 = 0.5;

/// Standard deviation of the places that the iterations begin at.
const SPREAD: f64 = 1e-4;

/// A row's place on the map, which has no unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// The row's label.
    pub(crate) label: i64,
}

/// Why there is no map.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MapError {
    /// Too few or too many points.
    #[error(
        "a map shows {FEWEST_POINTS} to {MOST_POINTS} points, and there are {found}; take a part of the split"
    )]
    Points {
        /// Their number.
        found: usize,
    },
    /// The lists of neighbours do not belong to the points.
    #[error(
        "the neighbours of row {row} are not {expected} other rows of {points} at finite distances"
    )]
    Neighbours {
        /// The row.
        row: usize,
        /// Neighbours that it should have.
        expected: usize,
        /// Rows.
        points: usize,
    },
    /// No thread could be started.
    #[error("cannot start a thread for the map")]
    Thread(#[from] rayon::ThreadPoolBuildError),
}

/// The number of nearest neighbours that [`map`] takes of each of `points` rows.
pub(crate) fn neighbours_of_map(points: usize) -> usize {
    (NEIGHBOURS * PERPLEXITY).min(points.saturating_sub(1))
}

/// A place for each row, from the [`neighbours_of_map`] nearest other rows of each, nearest first. The same
/// neighbours, labels and seed give the same places, on any number of threads. `progress` learns of finished
/// iterations, of [`ITERATIONS`].
///
/// # Errors
/// Too few or too many rows, or neighbours that are not theirs.
pub(crate) fn map(
    neighbours: &[Vec<Neighbour>],
    labels: &[i64],
    seed: u64,
    mut progress: impl FnMut(usize) + Send,
) -> Result<Vec<Place>, MapError> {
    let points = labels.len();
    if !(FEWEST_POINTS..=MOST_POINTS).contains(&points) {
        return Err(MapError::Points { found: points });
    }
    let expected = neighbours_of_map(points);
    check(neighbours, points, expected)?;
    let table: Vec<Vec<Neighbor<f32>>> = neighbours
        .iter()
        .map(|row| {
            let row = row.iter().map(|near| Neighbor {
                index: near.row,
                distance: near.distance as f32,
            });
            row.collect()
        })
        .collect();
    let pool = ThreadPoolBuilder::new().num_threads(1).build()?;
    let places = pool.install(|| {
        let mut embedding: tSNE<'_, f32, i64> = tSNE::new(labels);
        embedding
            .perplexity((expected / NEIGHBOURS) as f32)
            .epochs(ITERATIONS)
            .initial_embedding(beginning(points, seed))
            .epoch_callback(|iteration, _| progress(iteration + 1))
            .barnes_hut_with_neighbors(THETA, &table);
        embedding.embedding()
    });
    let places = places.as_chunks().0.iter().zip(labels);
    Ok(places
        .map(|(&[x, y], &label)| Place {
            x: f64::from(x),
            y: f64::from(y),
            label,
        })
        .collect())
}

/// Checks what the crate would panic over or pass on.
fn check(neighbours: &[Vec<Neighbour>], points: usize, expected: usize) -> Result<(), MapError> {
    let is_right = |row: usize| {
        neighbours.get(row).is_some_and(|nearest| {
            let mut rows: Vec<usize> = nearest.iter().map(|near| near.row).collect();
            rows.sort_unstable();
            rows.dedup();
            rows.len() == expected
                && nearest.len() == expected
                && rows.iter().all(|other| *other < points && *other != row)
                && nearest
                    .iter()
                    .all(|near| near.distance.is_finite() && near.distance >= 0.0)
        })
    };
    match (0..points.max(neighbours.len())).find(|row| *row >= points || !is_right(*row)) {
        Some(row) => Err(MapError::Neighbours {
            row,
            expected,
            points,
        }),
        None => Ok(()),
    }
}

/// The places that the iterations begin at, x and y of each point.
fn beginning(points: usize, seed: u64) -> Vec<f32> {
    let philox = Philox::new(seed, Stream::Map);
    let places = (0..points as u64).flat_map(|point| Philox::normals(philox.block(point, 0)));
    places.map(|deviate| (SPREAD * deviate) as f32).collect()
}

#[cfg(test)]
mod tests;
