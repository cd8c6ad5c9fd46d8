//! When the learning rate rises and falls.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::net::number::number;

/// The rule by which the learning rate changes. The default is the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// Divide the rate when the validation error has stopped improving.
    Plateau {
        /// What the rate is divided by. Paper, section 5: 10.
        factor: f64,
        /// Least fall of the top-1 error, in points of a percent, that counts as an improvement.
        threshold: f64,
        /// Evaluations without an improvement after which the rate falls.
        patience: u64,
        /// Steps without an improvement that have to pass as well, so that a small set, whose epochs are
        /// a few steps long, is not slowed down before it has learned anything. 0 in checkpoints written
        /// before there was such a limit.
        #[serde(default)]
        patience_steps: u64,
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
    /// Raise the rate from step to step at the beginning, as large batches need it (Goyal et al., "Accurate, Large
    /// Minibatch SGD", 2017, section 2.2, "gradual warmup"), and divide it after the given numbers of epochs.
    WarmUp {
        /// Epochs in which the rate rises, with each image by the same amount.
        epochs: u64,
        /// The share of the whole rate at the first step: above 0, at most 1.
        start: f64,
        /// What the rate is divided by.
        factor: f64,
        /// Finished epochs after which the rate falls, rising, none of them before the end of the rise.
        milestones: Vec<u64>,
    },
}

/// How far a run is, for its schedule.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// Finished epochs.
    pub epochs: u64,
    /// Share of the following epoch's images that were trained on, 0 to 1.
    pub share: f64,
}

/// Epochs after which net 145, the paper's network, was slowed down by hand; from its run log.
pub const NET_145_MILESTONES: [u64; 3] = [25, 51, 79];

/// What the paper divides the rate by.
const PAPER_FACTOR: f64 = 10.0;

impl Default for ScheduleConfig {
    /// The paper watched the validation error by eye; threshold and patience are this project's
    /// reading of "stopped improving". 1,000 steps are a tenth of an epoch of ImageNet.
    fn default() -> Self {
        Self::Plateau {
            factor: PAPER_FACTOR,
            threshold: 0.1,
            patience: 5,
            patience_steps: 1000,
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

    /// Raises the rate in five epochs from an eighth, as from batches of 128 to batches of 1,024, and divides it by
    /// ten after 30, 60 and 80: the warm-up and the schedule of Goyal et al., sections 2.2 and 5.1.
    #[must_use]
    pub fn warm_up() -> Self {
        Self::WarmUp {
            epochs: 5,
            start: 0.125,
            factor: PAPER_FACTOR,
            milestones: vec![30, 60, 80],
        }
    }

    pub(crate) fn problem(&self) -> Option<String> {
        let (Self::Plateau { factor, .. }
        | Self::Steps { factor, .. }
        | Self::WarmUp { factor, .. }) = self;
        if !factor.is_finite() || *factor <= 1.0 {
            return Some(format!(
                "the schedule's factor is {factor}; it must be above 1"
            ));
        }
        match self {
            Self::Plateau { patience: 0, .. } => {
                Some("the schedule's patience must be at least 1 evaluation".to_owned())
            }
            Self::Plateau { threshold, .. } if !threshold.is_finite() || *threshold < 0.0 => Some(
                format!("the schedule's threshold is {threshold}; it must not be negative"),
            ),
            Self::Steps { milestones, .. } | Self::WarmUp { milestones, .. }
                if !milestones.is_sorted_by(|a, b| a < b) =>
            {
                Some("the schedule's milestones must rise".to_owned())
            }
            Self::WarmUp { epochs: 0, .. } => {
                Some("the schedule's warm-up must have at least 1 epoch".to_owned())
            }
            Self::WarmUp { start, .. } if !(*start > 0.0 && *start <= 1.0) => Some(format!(
                "the schedule's start is {}; it must be above 0, and at most 1",
                number(*start)
            )),
            Self::WarmUp {
                epochs, milestones, ..
            } if milestones.first().is_some_and(|first| first < epochs) => Some(format!(
                "the schedule's milestones begin with {}, before the end of the warm-up of {epochs} epochs",
                milestones[0]
            )),
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
                patience_steps,
                max_drops,
            } => write!(
                f,
                "lr / {factor} when the top-1 error has not fallen by {threshold} points in \
                 {patience} evaluations and {patience_steps} steps, at most {max_drops} times"
            ),
            Self::Steps { milestones, .. } if milestones.is_empty() => f.write_str("lr stays"),
            Self::Steps { factor, milestones } => {
                write!(f, "lr / {factor} after epoch {}", list(milestones))
            }
            Self::WarmUp {
                epochs,
                start,
                factor,
                milestones,
            } => {
                write!(f, "lr rises from {start} of it in {epochs} epochs")?;
                match milestones.is_empty() {
                    true => f.write_str(", then stays"),
                    false => write!(f, ", then / {factor} after epoch {}", list(milestones)),
                }
            }
        }
    }
}

fn list(milestones: &[u64]) -> String {
    let list: Vec<String> = milestones.iter().map(u64::to_string).collect();
    list.join(", ")
}

/// Where a schedule stands; part of a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScheduleState {
    /// How often the rate fell on a plateau.
    pub drops: u32,
    /// The error, in percent, that has to be bettered.
    pub best: Option<f64>,
    /// Evaluations since the last improvement or fall.
    #[serde(default)]
    pub stale: u64,
    /// Step of the last improvement or fall.
    #[serde(default)]
    pub since_step: u64,
    /// Finished epochs at the last improvement or fall, in checkpoints that do not count evaluations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<u64>,
}

/// What a schedule decides by.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// Steps since the run began.
    pub step: u64,
    /// Top-1 error in percent.
    pub error: f64,
    /// Whether the loss has left its starting point. Before that a lower rate would only keep it there.
    pub has_learned: bool,
}

impl ScheduleState {
    /// The rate of the next step of a run that has come so far.
    ///
    /// It is divided again and again, not multiplied by a power, so that 0.01 gives exactly 0.001.
    #[must_use]
    pub fn lr(&self, config: &ScheduleConfig, base: f64, passed: Passed) -> f64 {
        let drops = match config {
            ScheduleConfig::Plateau { .. } => self.drops as usize,
            ScheduleConfig::Steps { milestones, .. }
            | ScheduleConfig::WarmUp { milestones, .. } => {
                let reached = milestones.iter().filter(|&&epoch| epoch <= passed.epochs);
                reached.count()
            }
        };
        let (ScheduleConfig::Plateau { factor, .. }
        | ScheduleConfig::Steps { factor, .. }
        | ScheduleConfig::WarmUp { factor, .. }) = config;
        let fallen = (0..drops).fold(base, |lr, _| lr / factor);
        match config {
            ScheduleConfig::WarmUp { epochs, start, .. } if passed.epochs < *epochs => {
                let risen = (passed.epochs as f64 + passed.share) / *epochs as f64;
                fallen * (start + (1.0 - start) * risen)
            }
            _ => fallen,
        }
    }

    /// Takes note of an evaluation, and says whether the rate falls because of it.
    pub fn observe(&mut self, config: &ScheduleConfig, seen: Observation) -> bool {
        let ScheduleConfig::Plateau {
            threshold,
            patience,
            patience_steps,
            max_drops,
            ..
        } = config
        else {
            return false;
        };
        let Observation { step, error, .. } = seen;
        self.stale += 1;
        let improved = self.best.is_none_or(|best| error <= best - threshold);
        if improved {
            self.best = Some(error);
        }
        let waited = self.stale >= *patience && step - self.since_step >= *patience_steps;
        let falls = !improved && waited && self.drops < *max_drops;
        if improved || falls || !seen.has_learned {
            (self.stale, self.since_step) = (0, step);
        }
        let falls = falls && seen.has_learned;
        self.drops += u32::from(falls);
        falls
    }

    /// Counts evaluations where a checkpoint of a run with one after each of its `finished` epochs
    /// counted epochs.
    pub(crate) fn count_evaluations(&mut self, finished: u64) {
        if let Some(since) = self.since.take() {
            self.stale = finished.saturating_sub(since);
        }
    }
}

#[cfg(test)]
mod tests;
