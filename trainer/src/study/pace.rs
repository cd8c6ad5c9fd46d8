//! How long training takes: a short timing before a study begins, and what is left of it.

use std::fs;
use std::io;
use std::path::Path;

use crate::run::error::TrainError;
use crate::run::log::{Display, History};
use crate::run::{TrainOptions, train};
use crate::study::error::StudyError;
use crate::study::job::{Job, Workplace, remove_unfinished};

/// Steps of a timing; the first warms up.
const STEPS: u64 = 8;

/// Share of a training step's time that its images take in an evaluation: a forward pass is a third of a
/// step's arithmetic, and does not reach its speed (docs/benchmarks.md).
const FORWARD: f64 = 0.4;

/// Views of an image in a ten-view evaluation, with the centre view before it.
const VIEWS: f64 = 11.0;

/// Seconds that an arm takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// Seconds of an epoch, with its measurements.
    pub(crate) epoch: f64,
    /// Seconds of the evaluations at the end.
    pub(crate) end: f64,
}

impl Pace {
    /// The pace of a job whose steps take `step` seconds.
    pub(crate) fn of(job: &Job, step: f64) -> Self {
        let settings = &job.settings;
        let images = settings.recipe.step_images() as f64;
        let forward = FORWARD * step / images;
        let measure = settings.training_error;
        let train = settings.dataset.train.images;
        let measured = measure.images.min(train) as f64;
        let validation = settings.dataset.validation.as_ref();
        let validation = validation.map_or(0.0, |split| split.images as f64);
        let validated = if job.eval_every > 0 { validation } else { 0.0 };
        let steps = train.div_ceil(settings.recipe.step_images() as u64) as f64;
        let views = if job.views.is_empty() { 1.0 } else { VIEWS };
        let at_end = if measure.per_epoch == 0 {
            measured
        } else {
            0.0
        };
        Self {
            epoch: step * steps + forward * (measured * measure.per_epoch as f64 + validated),
            end: forward * (views * validation + at_end),
        }
    }

    /// Seconds of `epochs` epochs and the end.
    pub(crate) fn seconds(self, epochs: f64) -> f64 {
        self.epoch * epochs + self.end
    }
}

/// The largest number of epochs with which arms of these paces, each trained `trials` times, take no more than
/// `seconds`. 0: not even one.
#[must_use]
pub(crate) fn epochs_within(paces: &[Pace], trials: u64, seconds: f64) -> u64 {
    let end: f64 = paces.iter().map(|pace| pace.end).sum();
    let epoch: f64 = paces.iter().map(|pace| pace.epoch).sum();
    let left = seconds / trials as f64 - end;
    (left / epoch).max(0.0) as u64
}

/// Seconds of a training step of a job: the mean of a few, in a run that is removed again.
///
/// # Errors
/// A run that cannot be trained, or what the file system refuses.
pub(crate) fn time_step(place: &Workplace, job: &Job) -> Result<f64, StudyError> {
    let run = place.out.join("timing");
    remove(&run)?;
    let settings = &job.settings;
    let options = TrainOptions {
        recipe: settings.recipe.clone(),
        model: settings.model.clone(),
        compute: place.compute,
        threads: place.threads,
        cache: place.cache.clone(),
        log_every: 1,
        max_steps: Some(STEPS),
        eval_every: 0,
        final_views: Vec::new(),
        stop: place.stop.clone(),
        display: Display::Quiet,
        ..TrainOptions::new(&place.shards, &run)
    };
    let trained = match train(&options) {
        // A rate that is too high is found again when the arm is trained.
        Ok(_) | Err(TrainError::NotFinite { .. }) => Ok(()),
        Err(source) => Err(StudyError::Training {
            arm: settings.arm.clone(),
            seed: options.seed,
            source: Box::new(source),
        }),
    };
    let seconds = trained.and_then(|()| Ok(History::read(&run)?));
    remove(&run)?;
    let images = settings.recipe.step_images() as f64;
    let steps = seconds?.steps;
    let rates = steps.iter().skip(usize::from(steps.len() > 1));
    let seconds: Vec<f64> = rates
        .map(|point| images / point.images_per_second)
        .collect();
    Ok(seconds.iter().sum::<f64>() / seconds.len().max(1) as f64)
}

/// Removes the run of a timing, where one is there.
fn remove(run: &Path) -> Result<(), StudyError> {
    let error = |source| StudyError::io("clear", run)(source);
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    for name in ["last.safetensors", "best.safetensors"] {
        gone(fs::remove_file(run.join(name))).map_err(error)?;
    }
    remove_unfinished(run)?;
    gone(fs::remove_dir(run)).map_err(error)
}

#[cfg(test)]
mod tests {
    use super::{Pace, epochs_within};

    #[test]
    fn a_budget_is_shared_by_all_trials_and_never_exceeded() {
        let paces = [(60.0, 10.0), (30.0, 20.0)].map(|(epoch, end)| Pace { epoch, end });
        // Three trials: 3 * (90 * epochs + 30).
        assert_eq!(epochs_within(&paces, 3, 3.0 * (90.0 * 7.0 + 30.0)), 7);
        assert_eq!(epochs_within(&paces, 3, 3.0 * (90.0 * 7.0 + 30.0) - 1.0), 6);
        assert_eq!(epochs_within(&paces, 3, 89.0), 0);
    }
}
