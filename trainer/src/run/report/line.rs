//! The lines of `metrics.jsonl`. Epochs and steps are counted from 1, errors are in percent.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::net::config::ModelConfig;
use crate::net::scores::Scores;
use crate::recipe::Recipe;
use crate::run::eval::View;

/// One line of `metrics.jsonl`; `event` says which kind.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    /// The first line: what is about to be done.
    Start {
        seed: u64,
        classes: usize,
        train_images: u64,
        /// The split that is validated on; `null` where there is none.
        val_split: Option<&'a str>,
        val_images: u64,
        recipe: &'a Recipe,
        model: &'a ModelConfig,
    },
    /// A few steps of training.
    Step(StepLine),
    /// A whole epoch of training.
    Epoch {
        epoch: u64,
        step: u64,
        lr: f64,
        loss: f64,
        top1_error: f64,
        top5_error: f64,
    },
    /// An evaluation.
    Evaluation(EvaluationLine<'a>),
    /// Something that a person should look at.
    Warning {
        epoch: u64,
        step: u64,
        message: &'a str,
    },
}

/// A few steps of training.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct StepLine {
    pub(crate) epoch: u64,
    pub(crate) step: u64,
    /// Images consumed of this epoch.
    pub(crate) samples: u64,
    pub(crate) loss: f64,
    pub(crate) lr: f64,
    pub(crate) top1_error: f64,
    pub(crate) top5_error: f64,
    /// The largest norm of a gradient among these steps.
    pub(crate) gradient_norm: f64,
    pub(crate) images_per_second: f64,
    /// Share of the time that was spent waiting for images.
    pub(crate) data_wait: f64,
    /// Seconds since this process began to train.
    pub(crate) seconds: f64,
}

/// An evaluation after a number of steps.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EvaluationLine<'a> {
    pub(crate) epoch: u64,
    pub(crate) step: u64,
    pub(crate) split: &'a str,
    pub(crate) views: View,
    #[serde(flatten)]
    pub(crate) scores: Scores,
    /// The error of calling every image the most frequent class of the training split.
    pub(crate) guessing_top1_error: Option<f64>,
    /// Seconds since this process began to train.
    pub(crate) seconds: f64,
}

impl fmt::Display for StepLine {
    /// Fits a terminal of 80 columns with what stands around it in a log: epoch, step and time left.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "loss {:.4} err {:.1}/{:.1}% {} wait {:.1}%",
            self.loss,
            self.top1_error,
            self.top5_error,
            speed(self.images_per_second),
            100.0 * self.data_wait
        )
    }
}

impl StepLine {
    /// A line of a log.
    pub(crate) fn in_log(&self, left: Duration) -> String {
        let (epoch, step, left) = (self.epoch, self.step, eta(left));
        format!("epoch {epoch} step {step} {self} eta {left}")
    }
}

/// Images a second, with a digit behind the point where that says something.
pub(crate) fn speed(images_per_second: f64) -> String {
    let digits = usize::from(images_per_second < 100.0);
    format!("{images_per_second:.digits$} img/s")
}

/// A time to wait, in its two largest units: `3d04h`, `2h07m`, `7m31s`, `31s`.
pub(crate) fn eta(left: Duration) -> String {
    let seconds = left.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

impl fmt::Display for EvaluationLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "epoch {}  {} of {}: top-1 error {:.2}%, top-5 {:.2}%, loss {:.4}",
            self.epoch,
            self.views.name(),
            self.split,
            self.scores.top1_error,
            self.scores.top5_error,
            self.scores.loss
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{StepLine, eta};

    #[test]
    fn times_have_two_units() {
        let text = [31, 451, 7620, 273_600].map(|seconds| eta(Duration::from_secs(seconds)));
        assert_eq!(text, ["31s", "7m31s", "2h07m", "3d04h"]);
    }

    #[test]
    fn a_log_line_fits_a_terminal() {
        let line = StepLine {
            epoch: 90,
            step: 900_000,
            samples: 1_281_167,
            loss: 6.9078,
            lr: 0.000_01,
            top1_error: 99.9,
            top5_error: 99.5,
            gradient_norm: 1.0,
            images_per_second: 32_000.0,
            data_wait: 0.012,
            seconds: 1e6,
        };
        let text = line.in_log(Duration::from_secs(273_600));
        assert_eq!(
            text,
            "epoch 90 step 900000 loss 6.9078 err 99.9/99.5% 32000 img/s wait 1.2% eta 3d04h"
        );
        assert!(text.len() <= 80);
    }
}
