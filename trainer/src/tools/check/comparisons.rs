//! The comparisons of a check, and whether they hold.

use std::fmt::Write as _;

/// One comparison.
#[derive(Clone, Debug)]
struct Comparison {
    what: String,
    precision: &'static str,
    /// The largest difference over the largest value, or the difference's length over the values'.
    error: f64,
    tolerance: f64,
}

impl Comparison {
    fn holds(&self) -> bool {
        // False for NaN.
        self.error <= self.tolerance
    }
}

/// All comparisons so far.
#[derive(Debug, Default)]
pub(super) struct Comparisons {
    comparisons: Vec<Comparison>,
    failures: Vec<String>,
}

impl Comparisons {
    /// Compares values of the GPU with those of the CPU: the largest difference over the largest value
    /// of the CPU's must be within `tolerance`.
    pub(super) fn compare(
        &mut self,
        what: &str,
        precision: &'static str,
        found: &[f32],
        expected: &[f32],
        tolerance: f64,
    ) {
        self.note(what, precision, error(found, expected), tolerance);
    }

    /// As [`compare`](Self::compare), of the length of the difference over that of the CPU's values.
    pub(super) fn compare_length(
        &mut self,
        what: &str,
        precision: &'static str,
        found: &[f32],
        expected: &[f32],
        tolerance: f64,
    ) {
        let what = format!("{what}, in length");
        self.note(
            &what,
            precision,
            error_in_length(found, expected),
            tolerance,
        );
    }

    fn note(&mut self, what: &str, precision: &'static str, error: f64, tolerance: f64) {
        self.comparisons.push(Comparison {
            what: what.to_owned(),
            precision,
            error,
            tolerance,
        });
    }

    /// Notes something that is true or not.
    pub(super) fn expect(&mut self, what: &str, holds: bool) {
        if !holds {
            self.failures.push(what.to_owned());
        }
    }

    /// Whether everything holds.
    pub(super) fn passed(&self) -> bool {
        self.failures.is_empty() && self.comparisons.iter().all(Comparison::holds)
    }

    /// A table: for every comparison the largest error among those of one name, and its tolerance; and what does not
    /// hold.
    pub(super) fn markdown(&self) -> String {
        let mut rows: Vec<(Comparison, usize)> = Vec::new();
        for one in &self.comparisons {
            let same = |(row, _): &&mut (Comparison, usize)| {
                (&row.what, row.precision) == (&one.what, one.precision)
            };
            match rows.iter_mut().find(same) {
                Some((row, count)) => {
                    *count += 1;
                    // NaN counts as the worst.
                    let worse = one.error.is_nan() || one.error > row.error;
                    if row.holds() && worse {
                        *row = one.clone();
                    }
                }
                None => rows.push((one.clone(), 1)),
            }
        }
        let mut text = String::new();
        if !rows.is_empty() {
            text += "| what | precision | cases | largest error | tolerance | |\n|---|---|---|---|---|---|\n";
        }
        for (row, count) in &rows {
            let verdict = if row.holds() { "ok" } else { "**FAILED**" };
            let _ = writeln!(
                text,
                "| {} | {} | {count} | {:.2e} | {:.0e} | {verdict} |",
                row.what, row.precision, row.error, row.tolerance
            );
        }
        for failure in &self.failures {
            let _ = writeln!(text, "\n**FAILED**: {failure}");
        }
        text
    }
}

/// Whether values are the same to the bit.
pub(super) fn same_bits(one: &[f32], other: &[f32]) -> bool {
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    bits(one) == bits(other)
}

fn error(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let largest = expected
        .iter()
        .fold(0.0, |most: f64, v| most.max(f64::from(v.abs())));
    let mut difference = 0.0_f64;
    for (&a, &b) in found.iter().zip(expected) {
        if a.is_nan() || b.is_nan() {
            return f64::NAN;
        }
        difference = difference.max((f64::from(a) - f64::from(b)).abs());
    }
    if difference == 0.0 {
        0.0
    } else {
        difference / largest.max(f64::MIN_POSITIVE)
    }
}

fn error_in_length(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let own = squares(&mut expected.iter().map(|&v| f64::from(v)));
    let pairs = found.iter().zip(expected);
    let difference = squares(&mut pairs.map(|(&a, &b)| f64::from(a) - f64::from(b)));
    if difference == 0.0 {
        0.0
    } else {
        (difference / own.max(f64::MIN_POSITIVE)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::Comparisons;

    #[test]
    fn a_non_finite_value_or_another_length_fails() {
        for found in [&[f32::NAN, 1.0][..], &[1.0]] {
            let mut tally = Comparisons::default();
            tally.compare("x", "f32", found, &[1.0, 1.0], 1.0);
            assert!(!tally.passed());
            assert!(tally.markdown().contains("FAILED"));
        }
    }

    #[test]
    fn a_difference_in_length_is_that_of_the_whole() {
        // 3 and 4 of 10: half.
        let mut tally = Comparisons::default();
        tally.compare_length("x", "f32", &[3.0, 4.0, 10.0], &[0.0, 0.0, 10.0], 0.5);
        assert!(tally.passed());
        tally.compare_length("x", "f32", &[3.0, 4.1, 10.0], &[0.0, 0.0, 10.0], 0.5);
        assert!(!tally.passed());
        let broken = [&[f32::NAN, 1.0][..], &[1.0]];
        for found in broken {
            let mut tally = Comparisons::default();
            tally.compare_length("x", "f32", found, &[1.0, 1.0], 1.0);
            assert!(!tally.passed());
        }
    }

    #[test]
    fn the_worst_case_of_a_name_is_shown() {
        let mut tally = Comparisons::default();
        tally.compare("x", "f32", &[1.0], &[1.0], 1e-3);
        tally.compare("x", "f32", &[1.1], &[1.0], 1e-3);
        tally.compare("x", "f32", &[1.0], &[1.0], 1e-3);
        assert!(!tally.passed());
        assert!(
            tally.markdown().contains("| x | f32 | 3 | 1.00e-1 |"),
            "{}",
            tally.markdown()
        );
    }
}
