//! The lines of `metrics.jsonl`, read again.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::net::config::ModelConfig;
use crate::net::scores::Scores;
use crate::recipe::Recipe;
use crate::run::View;

/// What a run has logged so far. Epochs and steps are counted from 1, errors are in percent.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// The first line; `None` in a file that is cut before its end.
    pub(crate) start: Option<RunStart>,
    /// Lines of a few steps each, in order.
    pub(crate) steps: Vec<StepPoint>,
    /// Whole epochs of training, in order.
    pub(crate) epochs: Vec<EpochPoint>,
    /// Evaluations in order, of all views.
    pub(crate) evaluations: Vec<EvaluationPoint>,
    /// Measurements of the error on training images, in order.
    pub(crate) training_errors: Vec<TrainingErrorPoint>,
    /// Warnings in order.
    pub(crate) warnings: Vec<WarningPoint>,
    /// Whole lines that could not be read, such as those of a later version.
    pub(crate) unknown_lines: u64,
    /// Whether the last line has no end: the run was killed while it wrote, or is writing it.
    pub(crate) is_cut: bool,
}

/// What the run set out to do.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RunStart {
    pub(crate) seed: u64,
    pub(crate) classes: usize,
    pub(crate) train_images: u64,
    /// `None`: the run has no validation split.
    pub(crate) val_split: Option<String>,
    pub(crate) val_images: u64,
    pub(crate) recipe: Recipe,
    pub(crate) model: ModelConfig,
    /// The dataset's folder; `None` in logs of earlier versions.
    #[serde(default)]
    pub(crate) shards: Option<PathBuf>,
    /// CRC-32C of the dataset's manifest; `None` in logs of earlier versions.
    #[serde(default)]
    pub(crate) manifest_crc32c: Option<String>,
}

/// A few steps of training.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct StepPoint {
    pub(crate) epoch: u64,
    pub(crate) step: u64,
    pub(crate) loss: f64,
    pub(crate) lr: f64,
    pub(crate) top1_error: f64,
    pub(crate) top5_error: f64,
    pub(crate) images_per_second: f64,
    /// Share of the time that was spent waiting for images.
    pub(crate) data_wait: f64,
    /// Seconds since the process that wrote the line began to train.
    pub(crate) seconds: f64,
}

/// A whole epoch of training.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct EpochPoint {
    pub(crate) epoch: u64,
    pub(crate) step: u64,
    pub(crate) lr: f64,
    pub(crate) loss: f64,
    pub(crate) top1_error: f64,
    pub(crate) top5_error: f64,
}

/// An evaluation.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct EvaluationPoint {
    pub(crate) epoch: u64,
    pub(crate) step: u64,
    pub(crate) split: String,
    pub(crate) views: View,
    #[serde(flatten)]
    pub(crate) scores: Scores,
    /// The error of calling every image the most frequent class of the training split.
    pub(crate) guessing_top1_error: Option<f64>,
    pub(crate) seconds: f64,
}

/// A measurement of the error on training images.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct TrainingErrorPoint {
    pub(crate) step: u64,
    #[serde(flatten)]
    pub(crate) scores: Scores,
    pub(crate) seconds: f64,
}

/// Something that a person should look at.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct WarningPoint {
    pub(crate) epoch: u64,
    pub(crate) step: u64,
    pub(crate) message: String,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Logged {
    Start(Box<RunStart>),
    Step(StepPoint),
    Epoch(EpochPoint),
    Evaluation(EvaluationPoint),
    TrainingError(TrainingErrorPoint),
    Warning(WarningPoint),
}

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    /// No such file, or one that cannot be read.
    #[error(
        "cannot read {}; name the folder that `train --out` made", path.display()
    )]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Nothing in it is a line of a run.
    #[error("{} holds no line of a run", path.display())]
    Empty { path: PathBuf },
}

impl History {
    /// Reads `metrics.jsonl` of the run in `run`. A run in progress may be read.
    ///
    /// # Errors
    /// No such file, or a file without a line of a run.
    pub(crate) fn read(run: &Path) -> Result<Self, HistoryError> {
        let path = run.join("metrics.jsonl");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(HistoryError::Io { path, source }),
        };
        let history = Self::parse(&bytes);
        let lines = history.steps.len() + history.epochs.len() + history.evaluations.len();
        if history.start.is_none() && lines == 0 {
            return Err(HistoryError::Empty { path });
        }
        Ok(history)
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut history = Self::default();
        history.append(bytes);
        history
    }

    /// Adds the whole lines at the beginning of `bytes`, which follow those before, and returns their length
    /// in bytes.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> usize {
        let mut read = 0;
        self.is_cut = false;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !line.ends_with(b"\n") {
                self.is_cut = true;
                break;
            }
            read += line.len();
            match serde_json::from_slice(line) {
                Ok(Logged::Start(start)) => self.start = Some(*start),
                Ok(Logged::Step(point)) => self.steps.push(point),
                Ok(Logged::Epoch(point)) => self.epochs.push(point),
                Ok(Logged::Evaluation(point)) => self.evaluations.push(point),
                Ok(Logged::TrainingError(point)) => self.training_errors.push(point),
                Ok(Logged::Warning(point)) => self.warnings.push(point),
                Err(_) => self.unknown_lines += 1,
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::History;
    use crate::net::config::ModelConfig;
    use crate::net::scores::Scores;
    use crate::recipe::Recipe;
    use crate::run::View;
    use crate::run::log::Line;

    fn lines() -> Vec<String> {
        let (recipe, model) = (Recipe::default(), ModelConfig::default());
        let scores = Scores {
            samples: 7,
            loss: 2.5,
            top1_error: 42.5,
            top5_error: 12.25,
        };
        let lines = [
            Line::Start {
                seed: 3,
                classes: 10,
                train_images: 2500,
                val_split: Some("val \"b\""),
                val_images: 7,
                recipe: &recipe,
                model: &model,
                shards: Some("/data/shards"),
                manifest_crc32c: Some("00c0ffee"),
            },
            Line::Step {
                epoch: 1,
                step: 20,
                samples: 2500,
                loss: 2.3,
                lr: 0.01,
                top1_error: 88.0,
                top5_error: 44.0,
                gradient_norm: 1.5,
                images_per_second: 30.0,
                data_wait: 0.25,
                rank_wait: None,
                seconds: 80.0,
            },
            Line::Epoch {
                epoch: 1,
                step: 20,
                lr: 0.01,
                loss: 2.3,
                top1_error: 88.0,
                top5_error: 44.0,
            },
            Line::Evaluation {
                epoch: 1,
                step: 20,
                split: "val \"b\"",
                views: View::Ten,
                scores,
                guessing_top1_error: None,
                seconds: 90.0,
            },
            Line::TrainingError {
                epoch: 1,
                step: 10,
                scores,
                seconds: 40.0,
            },
            Line::Warning {
                epoch: 1,
                step: 20,
                message: "hot",
            },
        ];
        lines
            .iter()
            .map(|line| serde_json::to_string(line).unwrap() + "\n")
            .collect()
    }

    #[test]
    fn every_line_that_is_written_is_read() {
        let history = History::parse(lines().concat().as_bytes());
        let start = history.start.unwrap();
        assert_eq!(
            (start.seed, start.val_split.as_deref()),
            (3, Some("val \"b\""))
        );
        assert_eq!(start.recipe, Recipe::default());
        assert_eq!(start.model, ModelConfig::default());
        assert_eq!(start.shards.as_deref(), Some(Path::new("/data/shards")));
        assert_eq!(start.manifest_crc32c.as_deref(), Some("00c0ffee"));
        assert_eq!(history.steps[0].data_wait, 0.25);
        assert_eq!(history.epochs[0].top5_error, 44.0);
        assert_eq!(history.evaluations[0].views, View::Ten);
        assert_eq!(history.evaluations[0].scores.top1_error, 42.5);
        assert_eq!(history.training_errors[0].scores.samples, 7);
        assert_eq!(history.training_errors[0].scores.loss, 2.5);
        assert_eq!(history.warnings[0].message, "hot");
        assert_eq!((history.unknown_lines, history.is_cut), (0, false));
    }

    #[test]
    fn logs_that_do_not_name_their_dataset_are_read() {
        let mut line: serde_json::Value = serde_json::from_str(&lines()[0]).unwrap();
        let fields = line.as_object_mut().unwrap();
        for field in ["shards", "manifest_crc32c"] {
            assert!(fields.remove(field).is_some());
        }
        let start = History::parse(format!("{line}\n").as_bytes())
            .start
            .unwrap();
        assert_eq!(
            (start.classes, start.shards, start.manifest_crc32c),
            (10, None, None)
        );
    }

    #[test]
    fn unknown_lines_are_counted_and_a_cut_line_is_told_apart() {
        let lines = lines();
        let text = format!(
            "{}{{\"event\":\"later\"}}\nnonsense\n{}",
            lines[1],
            &lines[2][..30]
        );
        let history = History::parse(text.as_bytes());
        assert_eq!(history.steps.len(), 1);
        assert!(history.epochs.is_empty());
        assert_eq!((history.unknown_lines, history.is_cut), (2, true));
    }
}
