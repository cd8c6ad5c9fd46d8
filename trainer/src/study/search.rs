//! The search for the rate that an arm trains fastest at.
//!
//! It is the same for every arm: each rate of a grid is tried for a few epochs; while the best is at an end of
//! the grid, the grid grows by one there; the best few go on for some more epochs, and the best of these is
//! chosen. A rate is better if it reaches the error of the race earlier, or else if its training error is lower
//! after as many epochs.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::recipe::rate;
use crate::study::crossing::{ErrorPoint, crossing};

/// How rates are searched for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    /// The rates to begin with, rising.
    pub(crate) rates: Vec<f64>,
    /// Ratio of neighbouring rates.
    pub(crate) factor: f64,
    /// How many rates are added at most.
    pub(crate) added: usize,
    /// Epochs that every rate is tried for.
    pub(crate) epochs: u64,
    /// Rates that go on.
    pub(crate) kept: usize,
    /// Epochs that those are tried for in all.
    pub(crate) kept_epochs: u64,
    /// The seed, which no trial has.
    pub(crate) seed: u64,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            rates: vec![0.0005, 0.001, 0.002, 0.004, 0.008],
            factor: 2.0,
            added: 4,
            epochs: 2,
            kept: 3,
            kept_epochs: 6,
            seed: 1000,
        }
    }
}

/// A rate that was tried.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tried {
    /// The rate.
    pub(crate) rate: f64,
    /// The measured errors on training images so far.
    pub(crate) curve: Vec<ErrorPoint>,
    /// Whether a loss or weight was not finite, which ended the trial.
    pub(crate) diverged: bool,
}

/// What a search does next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Next {
    /// It tries a rate for so many epochs in all.
    Try { rate: f64, epochs: u64 },
    /// It has chosen a rate.
    Chosen { rate: f64, at_edge: bool },
    /// Training diverged at every rate.
    Hopeless,
}

impl Search {
    /// Epochs of all trials, unless the grid grows or a trial ends early.
    pub(crate) fn total_epochs(&self) -> u64 {
        let more = self.kept_epochs.saturating_sub(self.epochs);
        self.rates.len() as u64 * self.epochs + self.kept as u64 * more
    }

    /// What comes next, where `tried` was tried for a race to the error `level`.
    pub(crate) fn next(&self, tried: &[Tried], level: f64) -> Next {
        let is_done = |rate: f64, epochs: u64| {
            let found = tried.iter().find(|tried| same(tried.rate, rate));
            found.is_some_and(|found| found.is_done(epochs, level))
        };
        if let Some(&rate) = self.rates.iter().find(|&&rate| !is_done(rate, self.epochs)) {
            return Next::Try {
                rate,
                epochs: self.epochs,
            };
        }
        let mut first: Vec<&Tried> = tried.iter().collect();
        first.sort_by(|a, b| a.compare(b, self.epochs, level));
        let rates = || tried.iter().map(|tried| tried.rate);
        let (lowest, highest) = (
            rates().fold(f64::INFINITY, f64::min),
            rates().fold(0.0, f64::max),
        );
        let best = first[0];
        if best.diverged_within(self.epochs) {
            return Next::Hopeless;
        }
        let beyond = if same(best.rate, lowest) {
            Some(rate(lowest / self.factor))
        } else if same(best.rate, highest) {
            Some(rate(highest * self.factor))
        } else {
            None
        };
        if let Some(rate) = beyond.filter(|_| tried.len() < self.rates.len() + self.added) {
            return Next::Try {
                rate,
                epochs: self.epochs,
            };
        }
        let mut kept: Vec<&Tried> = first.into_iter().filter(|tried| !tried.diverged).collect();
        kept.truncate(self.kept);
        if let Some(next) = kept
            .iter()
            .find(|tried| !tried.is_done(self.kept_epochs, level))
        {
            return Next::Try {
                rate: next.rate,
                epochs: self.kept_epochs,
            };
        }
        kept.sort_by(|a, b| a.compare(b, self.kept_epochs, level));
        kept.first().map_or(Next::Hopeless, |best| Next::Chosen {
            rate: best.rate,
            at_edge: beyond.is_some(),
        })
    }
}

impl Tried {
    /// Whether it was tried for so many epochs, or has ended before.
    pub(crate) fn is_done(&self, epochs: u64, level: f64) -> bool {
        let trained = self.curve.last().map_or(0.0, |point| point.epochs);
        self.diverged || trained >= epochs as f64 || crossing(&self.curve, level).is_some()
    }

    /// Whether it diverged before it was trained for so many epochs.
    fn diverged_within(&self, epochs: u64) -> bool {
        let trained = self.curve.last().map_or(0.0, |point| point.epochs);
        self.diverged && trained < epochs as f64
    }

    /// Orders the better one first, by what was measured within `epochs` epochs and nothing later, and of equal
    /// ones the lower rate: a search that finds results from before chooses as the one that made them.
    fn compare(&self, other: &Self, epochs: u64, level: f64) -> Ordering {
        let [a, b] = [self, other].map(|tried| tried.score(epochs, level));
        let by_score = a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1));
        by_score.then(self.rate.total_cmp(&other.rate))
    }

    /// Epochs to the level, and the last error; smaller is better.
    fn score(&self, epochs: u64, level: f64) -> (f64, f64) {
        let within = self.curve.iter();
        let within = within.filter(|point| point.epochs <= epochs as f64);
        let within: Vec<ErrorPoint> = within.copied().collect();
        let error = within.last().map_or(f64::INFINITY, |point| point.error);
        match self.diverged_within(epochs) {
            true => (f64::INFINITY, f64::INFINITY),
            false => (crossing(&within, level).unwrap_or(f64::INFINITY), error),
        }
    }
}

fn same(a: f64, b: f64) -> bool {
    rate(a) == rate(b)
}

#[cfg(test)]
mod tests {
    use super::{ErrorPoint, Next, Search, Tried};

    /// The trial of a rate for some epochs, in which the error after some epochs at a rate is what `error` says;
    /// infinite: it diverges there.
    fn trial(rate: f64, epochs: u64, error: &dyn Fn(f64, f64) -> f64) -> Tried {
        let halves = (0..=2 * epochs).map(|half| half as f64 / 2.0);
        let curve = halves.map(|epochs| ErrorPoint {
            epochs,
            error: error(rate, epochs),
        });
        let all: Vec<ErrorPoint> = curve.collect();
        let finite = all.iter().take_while(|point| point.error.is_finite());
        let curve: Vec<ErrorPoint> = finite.copied().collect();
        Tried {
            rate,
            diverged: curve.len() < all.len(),
            curve,
        }
    }

    /// Runs a search and returns every trial and what was chosen. Once more with all of its results known, as a
    /// study that goes on, it must choose the same.
    fn search(error: impl Fn(f64, f64) -> f64) -> (Vec<(f64, u64)>, Next) {
        let (search, mut trials) = (Search::default(), Vec::new());
        let mut known: Vec<Tried> = Vec::new();
        let mut choices = Vec::new();
        for _ in 0..2 {
            let mut tried: Vec<Tried> = Vec::new();
            let chosen = loop {
                let Next::Try { rate, epochs } = search.next(&tried, 25.0) else {
                    break search.next(&tried, 25.0);
                };
                let found = known.iter().find(|tried| tried.rate == rate);
                let found = found.filter(|found| found.is_done(epochs, 25.0)).cloned();
                let found = found.unwrap_or_else(|| {
                    trials.push((rate, epochs));
                    trial(rate, epochs, &error)
                });
                for list in [&mut tried, &mut known] {
                    list.retain(|tried| tried.rate != rate);
                    list.push(found.clone());
                }
            };
            choices.push((chosen, trials.len()));
        }
        assert_eq!(
            choices[0], choices[1],
            "the known results led elsewhere: {trials:?}"
        );
        (trials, choices[0].0)
    }

    #[test]
    fn equal_errors_and_late_divergence_are_decided_alike_whenever_results_are_known() {
        let (_, chosen) = search(|_, epochs| 90.0 - epochs);
        assert!(matches!(chosen, Next::Chosen { .. }), "{chosen:?}");
        // 0.008 is best after two epochs, so the grid grows; it diverges later, as what was added does.
        let late = |rate: f64, epochs: f64| {
            let diverges = rate >= 0.008 && epochs > 3.0;
            if diverges {
                f64::INFINITY
            } else {
                90.0 - 10.0 * epochs.min(4.0) - 100.0 * rate
            }
        };
        let (_, chosen) = search(late);
        assert!(
            matches!(chosen, Next::Chosen { rate: 0.004, .. }),
            "{chosen:?}"
        );
        let (_, chosen) = search(|_, epochs| {
            if epochs > 3.0 {
                f64::INFINITY
            } else {
                90.0 - epochs
            }
        });
        assert_eq!(chosen, Next::Hopeless);
    }

    #[test]
    fn the_best_of_the_grid_is_chosen_after_the_kept_ones_went_on() {
        // Best at 0.002.
        let (trials, chosen) =
            search(|rate, epochs| 90.0 - 4.0 * epochs + (rate / 0.002).ln().abs());
        let grid = [0.0005, 0.001, 0.002, 0.004, 0.008].map(|rate| (rate, 2));
        assert_eq!(trials[..5], grid);
        let mut kept = trials[5..].to_vec();
        kept.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_eq!(kept, [(0.001, 6), (0.002, 6), (0.004, 6)]);
        let expected = Next::Chosen {
            rate: 0.002,
            at_edge: false,
        };
        assert_eq!(chosen, expected);
    }

    #[test]
    fn a_rate_that_is_best_later_is_chosen() {
        // 0.004 is ahead after two epochs, 0.001 after six.
        let (_, chosen) = search(|rate, epochs| {
            let slope = if rate == 0.001 { 10.0 } else { 4.0 };
            let start = if rate == 0.001 { 81.0 } else { 70.0 };
            start - slope * epochs + (rate / 0.004).ln().abs()
        });
        assert!(
            matches!(chosen, Next::Chosen { rate: 0.001, .. }),
            "{chosen:?}"
        );
    }

    #[test]
    fn the_grid_grows_where_the_best_is_at_its_end() {
        let (trials, chosen) =
            search(|rate, epochs| 90.0 - 4.0 * epochs + (rate / 0.02).ln().abs());
        assert_eq!(trials[5..7], [(0.016, 2), (0.032, 2)]);
        assert!(
            matches!(
                chosen,
                Next::Chosen {
                    rate: 0.016,
                    at_edge: false
                }
            ),
            "{chosen:?}"
        );
        let (trials, chosen) = search(|rate, epochs| 90.0 - 4.0 * epochs + rate);
        assert_eq!(trials[5..9].iter().map(|trial| trial.1).max(), Some(2));
        assert!(
            matches!(chosen, Next::Chosen { at_edge: true, .. }),
            "{chosen:?}"
        );
    }

    #[test]
    fn rates_that_diverge_are_never_chosen() {
        let error = |rate: f64, epochs: f64| {
            let diverges = rate >= 0.002 && epochs > 1.0;
            if diverges {
                f64::INFINITY
            } else {
                90.0 - 1000.0 * rate * epochs
            }
        };
        let (trials, chosen) = search(error);
        assert!(
            matches!(
                chosen,
                Next::Chosen {
                    rate: 0.001,
                    at_edge: false
                }
            ),
            "{chosen:?}"
        );
        assert!(
            trials
                .iter()
                .all(|&(rate, epochs)| rate < 0.002 || epochs == 2)
        );
        let (_, chosen) = search(|_, epochs| if epochs > 0.0 { f64::INFINITY } else { 90.0 });
        assert_eq!(chosen, Next::Hopeless);
    }

    #[test]
    fn a_trial_that_reaches_the_level_is_not_trained_on() {
        let (trials, chosen) =
            search(|rate, epochs| 90.0 - 40.0 * epochs * (1.0 - (rate / 0.002).ln().abs() / 8.0));
        assert_eq!(trials.len(), 5, "{trials:?}");
        assert!(
            matches!(chosen, Next::Chosen { rate: 0.002, .. }),
            "{chosen:?}"
        );
    }
}
