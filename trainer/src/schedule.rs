//! When the learning rate falls.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The rule by which the learning rate falls. The default is the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// Divide the rate when the validation error has stopped improving.
    Plateau {
        /// What the rate is divided by. Paper, section 5: 10.
        factor: f64,
        /// Least fall of the top-1 error, in points of a percent, that counts as an improvement.
        threshold: f64,
        /// Epochs without an improvement after which the rate falls.
        patience: u64,
        /// How often the rate falls at most. Paper, section 5: three times.
        max_drops: u32,
    },
    /// Divide the rate after the given numbers of epochs.
    Steps {
        /// What the rate is divided by.
        factor: f64,
        /// Finished epochs after which the rate falls, rising.
        milestones: Vec<u64>,
    },
}

/// Epochs after which net 145, the paper's network, was slowed down by hand; from its run log.
pub const NET_145_MILESTONES: [u64; 3] = [25, 51, 79];

/// What the paper divides the rate by.
const PAPER_FACTOR: f64 = 10.0;

impl Default for ScheduleConfig {
    /// The paper watched the validation error by eye; threshold and patience are this project's
    /// reading of "stopped improving".
    fn default() -> Self {
        Self::Plateau {
            factor: PAPER_FACTOR,
            threshold: 0.1,
            patience: 5,
            max_drops: 3,
        }
    }
}

impl ScheduleConfig {
    /// Divides the rate by ten after each of these numbers of epochs.
    #[must_use]
    pub fn steps(milestones: Vec<u64>) -> Self {
        Self::Steps {
            factor: PAPER_FACTOR,
            milestones,
        }
    }

    pub(crate) fn problem(&self) -> Option<String> {
        let (Self::Plateau { factor, .. } | Self::Steps { factor, .. }) = self;
        if !factor.is_finite() || *factor <= 1.0 {
            return Some(format!(
                "the schedule's factor is {factor}; it must be above 1"
            ));
        }
        match self {
            Self::Plateau { patience: 0, .. } => {
                Some("the schedule's patience must be at least 1 epoch".to_owned())
            }
            Self::Plateau { threshold, .. } if !threshold.is_finite() || *threshold < 0.0 => Some(
                format!("the schedule's threshold is {threshold}; it must not be negative"),
            ),
            Self::Steps { milestones, .. } if !milestones.is_sorted_by(|a, b| a < b) => {
                Some("the schedule's milestones must rise".to_owned())
            }
            _ => None,
        }
    }
}

impl fmt::Display for ScheduleConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plateau {
                factor,
                threshold,
                patience,
                max_drops,
            } => write!(
                f,
                "lr / {factor} when the top-1 error has not fallen by {threshold} points in \
                 {patience} epochs, at most {max_drops} times"
            ),
            Self::Steps { factor, milestones } => {
                let list: Vec<String> = milestones.iter().map(u64::to_string).collect();
                write!(f, "lr / {factor} after epoch {}", list.join(", "))
            }
        }
    }
}

/// Where a schedule stands; part of a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScheduleState {
    /// How often the rate fell on a plateau.
    pub drops: u32,
    /// The error, in percent, that has to be bettered.
    pub best: Option<f64>,
    /// Finished epochs at the last improvement or fall.
    pub since: u64,
}

impl ScheduleState {
    /// The rate during the epoch that follows `finished` epochs.
    ///
    /// It is divided again and again, not multiplied by a power, so that 0.01 gives exactly 0.001.
    #[must_use]
    pub fn lr(&self, config: &ScheduleConfig, base: f64, finished: u64) -> f64 {
        let (factor, drops) = match config {
            ScheduleConfig::Plateau { factor, .. } => (factor, self.drops as usize),
            ScheduleConfig::Steps { factor, milestones } => (
                factor,
                milestones
                    .iter()
                    .filter(|&&epoch| epoch <= finished)
                    .count(),
            ),
        };
        (0..drops).fold(base, |lr, _| lr / factor)
    }

    /// Takes note of the top-1 error, in percent, after `finished` epochs, and says whether the
    /// rate falls because of it.
    pub fn observe(&mut self, config: &ScheduleConfig, finished: u64, error: f64) -> bool {
        let ScheduleConfig::Plateau {
            threshold,
            patience,
            max_drops,
            ..
        } = config
        else {
            return false;
        };
        if self.best.is_none_or(|best| error <= best - threshold) {
            self.best = Some(error);
            self.since = finished;
            return false;
        }
        let falls = finished - self.since >= *patience && self.drops < *max_drops;
        if falls {
            self.drops += 1;
            self.since = finished;
        }
        falls
    }
}

#[cfg(test)]
mod tests {
    use super::{NET_145_MILESTONES, ScheduleConfig, ScheduleState};

    #[test]
    fn steps_fall_where_net_145_did() {
        let config = ScheduleConfig::steps(NET_145_MILESTONES.to_vec());
        let lr = |finished| ScheduleState::default().lr(&config, 0.01, finished);
        let expected = [
            (0, 0.01),
            (24, 0.01),
            (25, 0.001),
            (50, 0.001),
            (51, 1e-4),
            (79, 1e-5),
        ];
        for (finished, rate) in expected {
            assert_eq!(lr(finished), rate, "after {finished} epochs");
        }
    }

    #[test]
    fn plateau_falls_after_five_epochs_without_a_tenth_of_a_point() {
        let config = ScheduleConfig::default();
        let mut state = ScheduleState::default();
        let errors = [50.0, 49.95, 49.92, 49.95, 49.91];
        for (i, error) in errors.into_iter().enumerate() {
            assert!(!state.observe(&config, i as u64 + 1, error));
        }
        assert_eq!(state.lr(&config, 0.01, 5), 0.01);
        assert!(state.observe(&config, 6, 49.93));
        assert_eq!(state.lr(&config, 0.01, 6), 0.001);
    }

    #[test]
    fn plateau_counts_a_tenth_of_a_point_as_progress() {
        let config = ScheduleConfig::default();
        let mut state = ScheduleState::default();
        for finished in 1..40 {
            assert!(!state.observe(&config, finished, 90.0 - 0.125 * finished as f64));
        }
    }

    #[test]
    fn plateau_falls_three_times_at_most() {
        let config = ScheduleConfig::default();
        let mut state = ScheduleState::default();
        let falls: Vec<u64> = (1..100)
            .filter(|&n| state.observe(&config, n, 70.0))
            .collect();
        assert_eq!(falls, [6, 11, 16]);
    }

    #[test]
    fn patience_counts_epochs_even_if_only_every_third_is_evaluated() {
        let config = ScheduleConfig::default();
        let mut state = ScheduleState::default();
        let falls: Vec<u64> = (1..30)
            .step_by(3)
            .filter(|&n| state.observe(&config, n, 70.0))
            .collect();
        assert_eq!(falls, [7, 13, 19]);
    }

    #[test]
    fn refuses_milestones_that_do_not_rise() {
        assert!(ScheduleConfig::steps(vec![5, 5]).problem().is_some());
        assert!(ScheduleConfig::steps(vec![5, 6]).problem().is_none());
    }
}
