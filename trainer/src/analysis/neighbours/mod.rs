//! Exact nearest neighbours in Euclidean distance.
//!
//! Distances of all pairs come from f32 products, with a bound of their error; the few rows that may be among
//! the nearest by these bounds are compared by their distances in f64. So the result is that of comparing
//! all pairs in f64, ties included.

mod bound;
mod shortlist;

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;
use serde::Serialize;

use crate::analysis::AnalysisError;
use crate::analysis::features::Rows;
use crate::cpu::ops::gemm::{Matrix, MatrixMut, Threads, Write, multiply};
use crate::run::Stop;
use bound::ErrorBound;
use shortlist::Shortlist;

/// Values of a block of the base: 16 MiB.
const BASE_BLOCK: usize = 1 << 22;

/// Values of the queries that are looked up at once: 1 GiB.
const QUERY_BLOCK: usize = 1 << 28;

/// Queries of one product.
const TILE: usize = 128;

/// A row of the base near a query.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Neighbour {
    /// The row.
    pub row: usize,
    /// Its Euclidean distance: the root of the sum, from the first column to the last, of the squared
    /// differences, in f64.
    pub distance: f64,
}

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Search {
    /// Neighbours of each query.
    pub count: usize,
    /// Whether query and base are the same rows; then a row is not its own neighbour.
    pub same: bool,
    /// Asks, from another thread, for an early end.
    pub stop: Stop,
}

/// The `count` nearest rows of `base` for each row of `queries`, nearest first, of equally near ones the
/// lower row first; fewer where the base is smaller.
///
/// ```
/// use shardmill_trainer::analysis::{Features, nearest};
///
/// let rows = |values: &[f32]| Features {
///     len: 1,
///     values: values.to_vec(),
///     labels: vec![0; values.len()],
///     ..Features::default()
/// };
/// let found = nearest(&rows(&[2.0]), &rows(&[9.0, 3.0, 1.0]), 2)?;
/// assert_eq!((found[0][0].row, found[0][1].row), (1, 2));
/// assert_eq!(found[0][0].distance, 1.0);
/// # Ok::<(), shardmill_trainer::analysis::AnalysisError>(())
/// ```
///
/// # Errors
/// Rows of different lengths or that cannot be read, and values that are not finite.
pub fn nearest(
    queries: &impl Rows,
    base: &impl Rows,
    count: usize,
) -> Result<Vec<Vec<Neighbour>>, AnalysisError> {
    let search = Search {
        count,
        same: false,
        stop: Stop::default(),
    };
    let found = search.run(queries, base, |_, _| ())?;
    Ok(found.expect("nobody can ask for a stop"))
}

impl Search {
    /// [`nearest`] with progress: the number of rows of the base that were compared, of all that will be. `None`
    /// after a request to stop.
    ///
    /// # Errors
    /// As [`nearest`].
    pub fn run(
        &self,
        queries: &impl Rows,
        base: &impl Rows,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Option<Vec<Vec<Neighbour>>>, AnalysisError> {
        let len = queries.row_len();
        if len != base.row_len() {
            return Err(AnalysisError::Incomparable {
                difference: format!("rows of {len} and of {} values", base.row_len()),
            });
        }
        let mut found = Vec::with_capacity(queries.rows());
        if len == 0 || base.rows() == 0 || self.count == 0 {
            found.resize(queries.rows(), Vec::new());
            return Ok(Some(found));
        }
        let step = (QUERY_BLOCK / len).max(1);
        let total = 2 * (base.rows() * queries.rows().div_ceil(step)) as u64;
        for first in (0..queries.rows()).step_by(step) {
            let rows = first..(first + step).min(queries.rows());
            let block = Block::read(queries, rows)?;
            let before = 2 * (base.rows() * (first / step)) as u64;
            let one = self.block(&block, base, |done| progress(before + done, total))?;
            let Some(one) = one else {
                return Ok(None);
            };
            found.extend(one);
        }
        Ok(Some(found))
    }

    /// The neighbours of the queries of one block, by two passes over the base.
    fn block(
        &self,
        queries: &Block,
        base: &impl Rows,
        mut progress: impl FnMut(u64),
    ) -> Result<Option<Vec<Vec<Neighbour>>>, AnalysisError> {
        let error = ErrorBound::new(queries.len);
        let mut lists: Vec<Shortlist> = Vec::new();
        lists.resize_with(queries.rows.len(), Shortlist::default);
        let step = (BASE_BLOCK / queries.len).max(1);
        let blocks = (0..base.rows()).step_by(step);
        let blocks = blocks.map(|first| first..(first + step).min(base.rows()));
        let mut done = 0;
        for rows in blocks.clone() {
            let block = Block::read(base, rows)?;
            let tiles = queries.values.par_chunks(TILE * queries.len);
            tiles.zip(lists.par_chunks_mut(TILE)).enumerate().for_each(
                |(tile, (values, lists))| {
                    let first = tile * TILE;
                    let tile = Tile {
                        values,
                        squares: &queries.squares[first..][..lists.len()],
                        first: queries.rows.start + first,
                    };
                    self.shortlist(&tile, &block, &error, lists);
                },
            );
            done += block.rows.len() as u64;
            progress(done);
            if self.stop.is_requested() {
                return Ok(None);
            }
        }
        let mut found = vec![Vec::new(); lists.len()];
        lists.par_iter_mut().for_each(Shortlist::prune);
        for rows in blocks {
            let is_wanted = |list: &Shortlist| !list.within(&rows).is_empty();
            if lists.iter().any(is_wanted) {
                let block = Block::read(base, rows.clone())?;
                let queries = queries.values.par_chunks(queries.len);
                let each = queries.zip(lists.par_iter()).zip(found.par_iter_mut());
                each.for_each(|((query, list), found)| {
                    let candidates = list.within(&block.rows).iter();
                    found.extend(candidates.map(|candidate| Neighbour {
                        row: candidate.row,
                        distance: squared_distance(query, block.row(candidate.row)),
                    }));
                    keep_nearest(found, self.count);
                });
            }
            done += rows.len() as u64;
            progress(done);
            if self.stop.is_requested() {
                return Ok(None);
            }
        }
        for neighbour in found.iter_mut().flatten() {
            neighbour.distance = neighbour.distance.sqrt();
        }
        Ok(Some(found))
    }

    /// Adds the rows of a block that may be among the nearest to the lists of a tile's queries.
    fn shortlist(&self, tile: &Tile, block: &Block, error: &ErrorBound, lists: &mut [Shortlist]) {
        let (queries, rows, len) = (lists.len(), block.rows.len(), block.len);
        let mut products = vec![0.0; queries * rows];
        multiply(
            MatrixMut::new(&mut products, queries, rows, rows),
            Write::Replace,
            Matrix::new(tile.values, queries, len, len),
            Matrix::new(&block.values, rows, len, len).transposed(),
            Threads::One,
        );
        for (query, list) in lists.iter_mut().enumerate() {
            let products = &products[query * rows..][..rows];
            for (index, (&product, &square)) in products.iter().zip(&block.squares).enumerate() {
                let row = block.rows.start + index;
                if !(self.same && row == tile.first + query) {
                    let bounds = error.bounds(tile.squares[query], square, product);
                    list.add(row, bounds, self.count);
                }
            }
        }
    }
}

/// Some rows, and the sum of the squares of each in f64.
struct Block<'a> {
    rows: Range<usize>,
    len: usize,
    values: Cow<'a, [f32]>,
    squares: Vec<f64>,
}

impl<'a> Block<'a> {
    /// # Errors
    /// Values that cannot be read or are not finite.
    fn read(from: &'a impl Rows, rows: Range<usize>) -> Result<Self, AnalysisError> {
        let (len, values) = (from.row_len(), from.read(rows.clone())?);
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            return Err(AnalysisError::NotFinite {
                row: rows.start + place / len,
                column: place % len,
            });
        }
        let square = |row: &[f32]| row.iter().map(|&v| f64::from(v).powi(2)).sum();
        Ok(Self {
            squares: values.par_chunks(len).map(square).collect(),
            rows,
            len,
            values,
        })
    }

    fn row(&self, row: usize) -> &[f32] {
        &self.values[(row - self.rows.start) * self.len..][..self.len]
    }
}

/// Some queries of a block.
struct Tile<'a> {
    values: &'a [f32],
    squares: &'a [f64],
    /// The first one's row.
    first: usize,
}

/// The sum of the squared differences, from the first to the last.
fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    let pairs = a.iter().zip(b);
    pairs.fold(0.0, |sum, (&a, &b)| {
        let difference = f64::from(a) - f64::from(b);
        sum + difference * difference
    })
}

/// Sorts by distance, then by row, and drops what comes after `count`.
fn keep_nearest(found: &mut Vec<Neighbour>, count: usize) {
    found.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.row.cmp(&b.row)));
    found.truncate(count);
}

#[cfg(test)]
mod tests;
