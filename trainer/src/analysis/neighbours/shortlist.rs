//! The rows that may be among the nearest of a query.

use std::collections::BinaryHeap;
use std::ops::Range;

use crate::analysis::neighbours::bound::Bounds;

/// A row that may be among the nearest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) row: usize,
    pub(super) lower: f64,
}

/// The rows that may be among the nearest of one query, in their order.
///
/// If `limit` is the largest of the smallest upper bounds of as many rows as are wanted, so many rows are no
/// farther than `limit`, and none whose lower bound is above it can be among the nearest.
#[derive(Default)]
pub(super) struct Shortlist {
    /// Bits of the smallest upper bounds, the largest on top; they are not negative, so that the bits have
    /// their order.
    uppers: BinaryHeap<u64>,
    candidates: Vec<Candidate>,
    /// Number of candidates at which those that have dropped out are removed.
    full: usize,
}

impl Shortlist {
    /// The limit, once there are as many rows as are wanted.
    fn limit(&self, count: usize) -> f64 {
        match self.uppers.peek() {
            Some(&bits) if self.uppers.len() == count => f64::from_bits(bits),
            _ => f64::INFINITY,
        }
    }

    pub(super) fn add(&mut self, row: usize, bounds: Bounds, count: usize) {
        let limit = self.limit(count);
        if bounds.lower > limit {
            return;
        }
        if bounds.upper < limit || self.uppers.len() < count {
            if self.uppers.len() == count {
                self.uppers.pop();
            }
            self.uppers.push(bounds.upper.to_bits());
        }
        self.candidates.push(Candidate {
            row,
            lower: bounds.lower,
        });
        if self.candidates.len() > self.full.max(64) {
            self.prune();
            self.full = 2 * self.candidates.len();
        }
    }

    /// Removes the candidates that have dropped out. With fewer rows than are wanted, the largest upper bound
    /// of all is above every lower bound.
    pub(super) fn prune(&mut self) {
        let limit = self.uppers.peek().map_or(0.0, |&bits| f64::from_bits(bits));
        self.candidates.retain(|candidate| candidate.lower <= limit);
    }

    /// Those of these rows.
    pub(super) fn within(&self, rows: &Range<usize>) -> &[Candidate] {
        let place = |row| self.candidates.partition_point(|c| c.row < row);
        &self.candidates[place(rows.start)..place(rows.end)]
    }
}
