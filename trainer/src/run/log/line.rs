//! The lines of `metrics.jsonl`. Epochs and steps are counted from 1, errors are in percent.

use std::fmt;

use serde::Serialize;

use crate::net::config::ModelConfig;
use crate::net::scores::Scores;
use crate::recipe::Recipe;
use crate::run::View;
use crate::run::log::figures::Figures;

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
        /// The dataset's folder, absolute; `null` where its name is not UTF-8.
        shards: Option<&'a str>,
        /// CRC-32C of the dataset's `manifest.json`, eight hexadecimal digits: whether another folder holds
        /// the same dataset.
        manifest_crc32c: Option<&'a str>,
    },
    /// A few steps of training.
    Step {
        epoch: u64,
        step: u64,
        /// Images consumed of this epoch.
        samples: u64,
        loss: f64,
        lr: f64,
        top1_error: f64,
        top5_error: f64,
        /// The largest norm of a gradient among these steps.
        gradient_norm: f64,
        images_per_second: f64,
        /// Share of the time that was spent waiting for images.
        data_wait: f64,
        /// Share of the time that was spent in messages between ranks, waiting for slower ones included; none for
        /// a process alone.
        #[serde(skip_serializing_if = "Option::is_none")]
        rank_wait: Option<f64>,
        /// Seconds since this process began to train.
        seconds: f64,
    },
    /// A whole epoch of training.
    Epoch {
        epoch: u64,
        step: u64,
        lr: f64,
        loss: f64,
        top1_error: f64,
        top5_error: f64,
    },
    /// An evaluation after a number of steps.
    Evaluation {
        epoch: u64,
        step: u64,
        split: &'a str,
        views: View,
        #[serde(flatten)]
        scores: Scores,
        /// The error of calling every image the most frequent class of the training split.
        guessing_top1_error: Option<f64>,
        /// Seconds since this process began to train.
        seconds: f64,
    },
    /// A measurement of the error on training images.
    TrainingError {
        /// The epoch at hand, counted from 1.
        epoch: u64,
        step: u64,
        /// Their `samples` are the images that were measured.
        #[serde(flatten)]
        scores: Scores,
        /// Seconds since this process began to train.
        seconds: f64,
    },
    /// Something that a person should look at.
    Warning {
        epoch: u64,
        step: u64,
        message: &'a str,
    },
}

impl Line<'_> {
    /// The step and the points of TensorBoard's curves that belong to it, by their tags.
    pub(crate) fn points(&self) -> Option<(u64, Vec<(&'static str, f64)>)> {
        match *self {
            Self::Step {
                step,
                loss,
                lr,
                top1_error,
                top5_error,
                gradient_norm,
                images_per_second,
                data_wait,
                rank_wait,
                ..
            } => {
                let mut points = vec![
                    ("train/loss", loss),
                    ("train/top1_error", top1_error),
                    ("train/top5_error", top5_error),
                    ("train/lr", lr),
                    ("train/gradient_norm", gradient_norm),
                    ("speed/images_per_second", images_per_second),
                    ("speed/data_wait", data_wait),
                ];
                points.extend(rank_wait.map(|wait| ("speed/rank_wait", wait)));
                Some((step, points))
            }
            Self::Evaluation {
                step,
                views,
                scores,
                ..
            } => {
                // Named by what the split is for, whatever its name: `train/` has its own tags.
                let [top1, top5, loss] = match views {
                    View::Center => ["val/top1_error", "val/top5_error", "val/loss"],
                    View::Two => [
                        "val/two_views_top1_error",
                        "val/two_views_top5_error",
                        "val/two_views_loss",
                    ],
                    View::Ten => [
                        "val/ten_views_top1_error",
                        "val/ten_views_top5_error",
                        "val/ten_views_loss",
                    ],
                };
                let points = vec![
                    (top1, scores.top1_error),
                    (top5, scores.top5_error),
                    (loss, scores.loss),
                ];
                Some((step, points))
            }
            Self::TrainingError { step, scores, .. } => {
                let points = vec![
                    ("train/measured_top1_error", scores.top1_error),
                    ("train/measured_loss", scores.loss),
                ];
                Some((step, points))
            }
            Self::Start { .. } | Self::Epoch { .. } | Self::Warning { .. } => None,
        }
    }
}

impl fmt::Display for Line<'_> {
    /// For a log. A line of steps fits a terminal of 80 columns with the time left behind it; the first line
    /// of a run has no text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { .. } => Ok(()),
            Self::Step {
                epoch,
                step,
                loss,
                top1_error,
                top5_error,
                images_per_second,
                data_wait,
                ..
            } => {
                let figures = Figures {
                    loss: *loss,
                    errors: Some([*top1_error, *top5_error]),
                    images_per_second: *images_per_second,
                    data_wait: *data_wait,
                };
                write!(f, "epoch {epoch} step {step} {figures}")
            }
            Self::Epoch {
                epoch,
                loss,
                top1_error,
                top5_error,
                ..
            } => write!(
                f,
                "epoch {epoch}  training: top-1 error {top1_error:.2}%, top-5 error {top5_error:.2}%, loss \
                 {loss:.4}"
            ),
            Self::Evaluation {
                epoch,
                split,
                views,
                scores,
                ..
            } => write!(
                f,
                "epoch {epoch}  {} of {split}: top-1 error {:.2}%, top-5 {:.2}%, loss {:.4}",
                views.name(),
                scores.top1_error,
                scores.top5_error,
                scores.loss
            ),
            Self::TrainingError { epoch, scores, .. } => write!(
                f,
                "epoch {epoch}  {} training images as an evaluation sees them: top-1 error {:.2}%, loss {:.4}",
                scores.samples, scores.top1_error, scores.loss
            ),
            Self::Warning { message, .. } => f.write_str(message),
        }
    }
}
