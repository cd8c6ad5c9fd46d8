//! How often the nearest images are of the same class.

use serde::Serialize;

use crate::analysis::neighbours::Neighbour;

/// The share of neighbours that have the query's class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// How many of the nearest are looked at, as `1` and `5`.
    pub counts: Vec<usize>,
    /// Queries.
    pub queries: usize,
    /// Rows among which neighbours are found.
    pub base: usize,
    /// For each of `counts`, the share over all queries and so many neighbours of each, 0 to 1; not a number
    /// without queries.
    pub shares: Vec<f64>,
    /// The share that neighbours chosen at random have.
    pub chance: f64,
    /// The classes that queries have, in the order of their labels.
    pub classes: Vec<ClassAgreement>,
}

/// [`Agreement`] for the queries of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassAgreement {
    /// The class.
    pub label: i64,
    /// Its queries.
    pub queries: usize,
    /// As [`Agreement::shares`].
    pub shares: Vec<f64>,
    /// Its share of the base.
    pub chance: f64,
}

impl Agreement {
    /// The agreement of `neighbours`, one list for each query, looking at so many of them.
    ///
    /// `same` says that queries and base are the same rows, so that none is its own neighbour.
    #[must_use]
    pub fn of(
        query_labels: &[i64],
        base_labels: &[i64],
        neighbours: &[Vec<Neighbour>],
        counts: &[usize],
        same: bool,
    ) -> Self {
        let mut labels = query_labels.to_vec();
        labels.sort_unstable();
        labels.dedup();
        let base = base_labels.len() - usize::from(same && !base_labels.is_empty());
        let of_class = |label: i64| {
            let own = query_labels.iter().zip(neighbours);
            let own: Vec<&Vec<Neighbour>> = own
                .filter(|&(&other, _)| other == label)
                .map(|(_, list)| list)
                .collect();
            let alike = base_labels.iter().filter(|&&other| other == label).count();
            let alike = alike - usize::from(same && alike > 0);
            let share = |&count: &usize| {
                let looked_at = own.iter().flat_map(|list| list.iter().take(count));
                let hits = looked_at.clone().filter(|n| base_labels[n.row] == label);
                hits.count() as f64 / looked_at.count() as f64
            };
            ClassAgreement {
                label,
                queries: own.len(),
                shares: counts.iter().map(share).collect(),
                chance: alike as f64 / base as f64,
            }
        };
        let classes: Vec<ClassAgreement> = labels.into_iter().map(of_class).collect();
        let queries = query_labels.len();
        let mean = |value: &dyn Fn(&ClassAgreement) -> f64| {
            let sum: f64 = classes.iter().map(|c| c.queries as f64 * value(c)).sum();
            sum / queries as f64
        };
        Self {
            shares: (0..counts.len()).map(|i| mean(&|c| c.shares[i])).collect(),
            chance: mean(&|class| class.chance),
            counts: counts.to_vec(),
            queries,
            base,
            classes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(rows: &[usize]) -> Vec<Neighbour> {
        let neighbour = |&row: &usize| Neighbour { row, distance: 0.0 };
        rows.iter().map(neighbour).collect()
    }

    #[test]
    fn shares_are_counted_by_class_and_over_all() {
        let base = [0, 0, 1, 1, 1, 2];
        let lists = [list(&[0, 2]), list(&[2, 3]), list(&[5, 1])];
        let found = Agreement::of(&[0, 1, 1], &base, &lists, &[1, 2], false);
        assert_eq!(found.classes[0].shares, [1.0, 0.5]);
        assert_eq!(found.classes[1].shares, [0.5, 0.5]);
        assert_eq!(found.shares, [2.0 / 3.0, 0.5]);
        // One query of a class with two of six rows, two of a class with three.
        assert!((found.chance - (2.0 / 6.0 + 2.0 * 3.0 / 6.0) / 3.0).abs() < 1e-15);
        assert_eq!((found.queries, found.base), (3, 6));
    }

    #[test]
    fn a_row_that_is_not_its_own_neighbour_is_not_counted_in_chance() {
        let labels = [0, 0, 1, 1];
        let lists = [list(&[1]), list(&[0]), list(&[3]), list(&[2])];
        let found = Agreement::of(&labels, &labels, &lists, &[1], true);
        assert_eq!(found.shares, [1.0]);
        assert!((found.chance - 1.0 / 3.0).abs() < 1e-15);
        assert_eq!(found.base, 3);
    }
}
