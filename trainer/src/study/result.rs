//! The result of one arm with one seed: a JSON file that is enough to go on without its run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::net::config::ModelConfig;
use crate::net::scores::Scores;
use crate::recipe::Recipe;
use crate::recipe::difference::differences;
use crate::run::log::History;
use crate::run::{TrainingError, View};
use crate::study::crossing::ErrorPoint;
use crate::study::dataset::DatasetIdentity;
use crate::study::error::StudyError;
use crate::study::json_file::write_json;

/// What a result is of. Results of other settings are never mixed with these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The study.
    pub(crate) study: String,
    /// The arm; for a search of rates, that of the search.
    pub(crate) arm: String,
    /// The seed that everything random follows from.
    pub(crate) seed: u64,
    /// What it was trained and measured on.
    pub(crate) dataset: DatasetIdentity,
    /// How.
    pub(crate) recipe: Recipe,
    /// Which network.
    pub(crate) model: ModelConfig,
    /// How the error on training images was measured.
    pub(crate) training_error: TrainingError,
}

/// How an arm's training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    /// After its number of epochs.
    Epochs,
    /// At the error on training images that it raced to.
    Reached,
    /// At a loss, gradient or weight that was not finite.
    NotFinite,
}

/// What an arm came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArmResult {
    /// Version of this format.
    pub(crate) version: u32,
    /// What it is of.
    pub(crate) settings: Settings,
    /// How it ended.
    pub(crate) ending: Ending,
    /// Epochs that were trained.
    pub(crate) epochs: f64,
    /// Steps that were trained.
    pub(crate) steps: u64,
    /// Errors on the way.
    pub(crate) curve: Vec<CurvePoint>,
    /// At the end, on training images without augmentation.
    pub(crate) training: Option<Scores>,
    /// At the end, on the validation split, from the centre view.
    pub(crate) center: Option<Scores>,
    /// At the end, on the validation split, from ten views.
    pub(crate) ten: Option<Scores>,
    /// Seconds of training, measurements included.
    pub(crate) seconds: f64,
    /// Version of the program.
    pub(crate) program: String,
}

/// The errors after some steps, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CurvePoint {
    /// Epochs since the start.
    pub(crate) epochs: f64,
    /// Steps since the start.
    pub(crate) step: u64,
    /// Top-1 error on training images without augmentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) training_error: Option<f64>,
    /// Cross-entropy on them in nats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) training_loss: Option<f64>,
    /// Mean top-1 error of the epoch's batches, augmented, each before its step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) batch_error: Option<f64>,
    /// Top-1 error on the validation split from the centre view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) validation_error: Option<f64>,
}

/// The version of [`ArmResult`].
const VERSION: u32 = 1;

/// The file of a result.
pub(crate) fn result_path(results: &Path, arm: &str, seed: u64) -> PathBuf {
    results.join(format!("{arm}-{seed}.json"))
}

impl ArmResult {
    /// The result of a run whose log is `history`.
    pub(crate) fn of(settings: Settings, ending: Ending, history: &History) -> Self {
        let images = settings.dataset.train.images;
        let position = Position {
            images,
            step_images: settings.recipe.step_images() as u64,
        };
        let mut curve: BTreeMap<u64, CurvePoint> = BTreeMap::new();
        let mut at = |step: u64, change: &dyn Fn(&mut CurvePoint)| {
            let point = curve.entry(step).or_insert_with(|| CurvePoint {
                epochs: position.epochs(step),
                step,
                ..CurvePoint::default()
            });
            change(point);
        };
        for point in &history.epochs {
            at(point.step, &|curve| {
                curve.batch_error = Some(point.top1_error)
            });
        }
        for point in &history.training_errors {
            at(point.step, &|curve| {
                curve.training_error = Some(point.scores.top1_error);
                curve.training_loss = Some(point.scores.loss);
            });
        }
        let mut center = history
            .evaluations
            .iter()
            .filter(|point| point.views == View::Center);
        for point in center.clone() {
            at(point.step, &|curve| {
                curve.validation_error = Some(point.scores.top1_error)
            });
        }
        let ten = history
            .evaluations
            .iter()
            .rfind(|point| point.views == View::Ten);
        let steps = curve.keys().next_back().copied().unwrap_or_default();
        Self {
            version: VERSION,
            settings,
            ending,
            epochs: position.epochs(steps),
            steps,
            curve: curve.into_values().collect(),
            training: history.training_errors.last().map(|point| point.scores),
            center: center.next_back().map(|point| point.scores),
            ten: ten.map(|point| point.scores),
            seconds: seconds(history),
            program: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The result in `results`, where it is there.
    ///
    /// # Errors
    /// A file that cannot be read, or that is of other settings.
    pub(crate) fn read(results: &Path, expected: &Settings) -> Result<Option<Self>, StudyError> {
        let path = result_path(results, &expected.arm, expected.seed);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StudyError::io("read", &path)(error)),
        };
        let result: Self = serde_json::from_slice(&text).map_err(|source| StudyError::Broken {
            path: path.clone(),
            what: "the result of an arm",
            remade: "trained again",
            source,
        })?;
        if let Some(difference) = differences(&result.settings, expected).into_iter().next() {
            return Err(StudyError::OtherSettings {
                path,
                key: difference.key,
                stored: difference.first,
                given: difference.second,
            });
        }
        Ok(Some(result))
    }

    /// Writes the result to its file in `results`.
    ///
    /// # Errors
    /// What the file system refuses.
    pub(crate) fn write(&self, results: &Path) -> Result<(), StudyError> {
        let path = result_path(results, &self.settings.arm, self.settings.seed);
        write_json(&path, self)
    }

    /// The measured errors on training images.
    pub(crate) fn training_curve(&self) -> Vec<ErrorPoint> {
        let points = self.curve.iter();
        let point = |point: &CurvePoint| {
            point.training_error.map(|error| ErrorPoint {
                epochs: point.epochs,
                error,
            })
        };
        points.filter_map(point).collect()
    }
}

/// Where a step lies in the epochs of a training.
#[derive(Clone, Copy, Debug)]
struct Position {
    /// Images of an epoch.
    images: u64,
    /// Images of a step, but the last of an epoch.
    step_images: u64,
}

impl Position {
    /// Epochs after `step` steps.
    fn epochs(self, step: u64) -> f64 {
        let steps = self.images.div_ceil(self.step_images);
        let rest = (step % steps * self.step_images).min(self.images);
        (step / steps) as f64 + rest as f64 / self.images as f64
    }
}

/// Seconds of all processes that trained a run: each counts from 0.
fn seconds(history: &History) -> f64 {
    let steps = history
        .steps
        .iter()
        .map(|point| (point.step, point.seconds));
    let measured = history.training_errors.iter();
    let measured = measured.map(|point| (point.step, point.seconds));
    let evaluated = history.evaluations.iter();
    let evaluated = evaluated.map(|point| (point.step, point.seconds));
    let mut times: Vec<(u64, f64)> = steps.chain(measured).chain(evaluated).collect();
    times.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let (mut total, mut last) = (0.0, 0.0);
    for (_, seconds) in times {
        total += if seconds >= last {
            seconds - last
        } else {
            seconds
        };
        last = seconds;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::Position;

    #[test]
    fn the_last_step_of_an_epoch_ends_it_though_it_is_small() {
        let position = Position {
            images: 50_000,
            step_images: 128,
        };
        assert_eq!(position.epochs(0), 0.0);
        assert_eq!(position.epochs(391), 1.0);
        assert_eq!(position.epochs(2 * 391), 2.0);
        assert_eq!(position.epochs(391 + 196), 1.0 + 196.0 * 128.0 / 50_000.0);
    }
}
