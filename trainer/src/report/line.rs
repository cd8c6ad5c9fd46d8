//! The lines of `metrics.jsonl`. Epochs and steps are counted from 1, errors are in percent.

use std::fmt;

use serde::Serialize;

use crate::config::Recipe;
use crate::eval::View;
use crate::model_config::ModelConfig;
use crate::tally::Scores;

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
    /// Seconds since this process began to train.
    pub(crate) seconds: f64,
}

impl fmt::Display for StepLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "loss {:.4}  top-1 {:.1}%  top-5 {:.1}%  lr {}  {:.1} images/s  wait {:.1}%",
            self.loss,
            self.top1_error,
            self.top5_error,
            self.lr,
            self.images_per_second,
            100.0 * self.data_wait
        )
    }
}

impl fmt::Display for EvaluationLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "epoch {}  {} of {}: top-1 error {:.2}%, top-5 error {:.2}%, loss {:.4}",
            self.epoch,
            self.views.name(),
            self.split,
            self.scores.top1_error,
            self.scores.top5_error,
            self.scores.loss
        )
    }
}
