//! Trains one arm with one seed, or goes on with it, or takes its result from its file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use shardmill_loader::CacheOptions;

use crate::checkpoint::Checkpoint;
use crate::compute::Compute;
use crate::run::error::TrainError;
use crate::run::log::{Display, History};
use crate::run::{Stop, TrainOptions, View, train};
use crate::study::error::StudyError;
use crate::study::result::{ArmResult, Ending, Settings};
use crate::study::run_log::{check_end, check_run};

/// Where and with what a study works.
#[derive(Clone, Debug)]
pub(crate) struct Workplace {
    /// The dataset's folder.
    pub(crate) shards: PathBuf,
    /// The folder of the runs.
    pub(crate) out: PathBuf,
    /// The folder of the results.
    pub(crate) results: PathBuf,
    /// Where to compute.
    pub(crate) compute: Compute,
    /// Loader threads.
    pub(crate) threads: usize,
    /// The cache for a dataset in an object store.
    pub(crate) cache: CacheOptions,
    /// What is shown.
    pub(crate) display: Display,
    /// Asks for a stop with a checkpoint.
    pub(crate) stop: Stop,
}

/// One arm with one seed.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// What its result is of.
    pub(crate) settings: Settings,
    /// Epochs to train now, where these are fewer than the recipe's.
    pub(crate) epochs: Option<u64>,
    /// Epochs between evaluations of the validation split; 0: only after the last.
    pub(crate) eval_every: u64,
    /// Views of the evaluation at the end, besides the centre.
    pub(crate) views: Vec<View>,
}

/// Log lines of an epoch, at most.
const LOG_LINES: u64 = 5;

impl Job {
    /// Steps that the job takes unless it ends earlier.
    pub(crate) fn steps(&self) -> u64 {
        let Settings {
            dataset, recipe, ..
        } = &self.settings;
        let epochs = self.epochs.unwrap_or(recipe.epochs);
        epochs * dataset.train.images.div_ceil(recipe.step_images() as u64)
    }

    /// The result in its file, where it is there and the job needs no more.
    ///
    /// # Errors
    /// A file that cannot be read, or of other settings.
    pub(crate) fn known(&self, results: &Path) -> Result<Option<ArmResult>, StudyError> {
        let known = ArmResult::read(results, &self.settings)?;
        Ok(known.filter(|known| known.ending != Ending::Epochs || known.steps >= self.steps()))
    }

    /// Trains what is missing, and writes the result. `None` if a stop was asked for; then the run goes on
    /// from its last checkpoint.
    ///
    /// # Errors
    /// A run that cannot be trained, or what the file system refuses.
    pub(crate) fn train(&self, place: &Workplace) -> Result<Option<ArmResult>, StudyError> {
        let Settings { arm, seed, .. } = &self.settings;
        let options = self.options(place);
        let options = TrainOptions {
            resume: self.prepare(&options)?,
            ..options
        };
        let ending = if options.resume && self.has_reached(&options)? {
            Ending::Reached
        } else {
            match train(&options) {
                Ok(outcome) if outcome.finished || outcome.steps >= self.steps() => {
                    match self.has_reached(&options)? {
                        true => Ending::Reached,
                        false => Ending::Epochs,
                    }
                }
                Ok(_) => return Ok(None),
                Err(TrainError::NotFinite { .. }) => Ending::NotFinite,
                Err(source) => {
                    return Err(StudyError::Training {
                        arm: arm.clone(),
                        seed: *seed,
                        source: Box::new(source),
                    });
                }
            }
        };
        let history = History::read(&options.run)?;
        // Steps after the last checkpoint may have led to what is not finite.
        if ending != Ending::NotFinite {
            check_end(&self.settings, &options.run, &options.last(), &history)?;
        }
        let result = ArmResult::of(self.settings.clone(), ending, &history);
        result.write(&place.results)?;
        Ok(Some(result))
    }

    /// Whether there is a run to go on with. What a run that was killed before its first checkpoint has left is
    /// removed, since nothing can go on with it.
    fn prepare(&self, options: &TrainOptions) -> Result<bool, StudyError> {
        if options.last().is_file() {
            check_run(&self.settings, &options.run, &options.last())?;
            return Ok(true);
        }
        remove_unfinished(&options.run)?;
        Ok(false)
    }

    fn options(&self, place: &Workplace) -> TrainOptions {
        let Settings {
            arm,
            seed,
            dataset,
            recipe,
            model,
            training_error,
            ..
        } = &self.settings;
        let run = place.out.join(format!("{arm}-{seed}"));
        let steps = dataset.train.images.div_ceil(recipe.step_images() as u64);
        TrainOptions {
            seed: *seed,
            recipe: recipe.clone(),
            model: model.clone(),
            compute: place.compute,
            threads: place.threads,
            cache: place.cache.clone(),
            eval_every: self.eval_every,
            log_every: steps.div_ceil(LOG_LINES),
            max_steps: self.epochs.map(|_| self.steps()),
            final_views: self.views.clone(),
            training_error: Some(*training_error),
            stop: place.stop.clone(),
            display: place.display,
            ..TrainOptions::new(&place.shards, run)
        }
    }

    /// Whether the run ended at the error that it raced to: its checkpoint is of the step of that measurement.
    fn has_reached(&self, options: &TrainOptions) -> Result<bool, StudyError> {
        let Some(enough) = self.settings.training_error.enough else {
            return Ok(false);
        };
        let history = History::read(&options.run)?;
        let step = Checkpoint::peek(&options.last())
            .map_err(TrainError::from)?
            .progress
            .step;
        let last = history.training_errors.last();
        Ok(last.is_some_and(|last| last.step == step && last.scores.top1_error <= enough))
    }
}

/// Removes the files of a run from `dir`, where there is such a folder.
///
/// # Errors
/// A file that no run makes; then nothing is removed.
pub(super) fn remove_unfinished(dir: &Path) -> Result<(), StudyError> {
    let error = |source| StudyError::io("clear", dir)(source);
    let kernels = dir.join(KERNELS);
    let snapshots = files(&kernels, |name| name.starts_with("epoch-"))?;
    let is_of_a_run = |name: &str| {
        let known = [
            "metrics.jsonl",
            "run.lock",
            "last.safetensors.partial",
            // The best one is written before the last one.
            "best.safetensors.partial",
            "best.safetensors",
            KERNELS,
        ];
        known.contains(&name) || name.starts_with("events.out.tfevents.")
    };
    let own = files(dir, is_of_a_run)?;
    snapshots
        .iter()
        .try_for_each(fs::remove_file)
        .map_err(error)?;
    for path in own {
        let removed = match path.is_dir() {
            true => fs::remove_dir(path),
            false => fs::remove_file(path),
        };
        removed.map_err(error)?;
    }
    Ok(())
}

/// The folder of a run's snapshots of kernels.
const KERNELS: &str = "kernels";

/// What is in a folder, nothing where there is none.
fn files(dir: &Path, is_known: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, StudyError> {
    let error = |source| StudyError::io("clear", dir)(source);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(error)?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(error)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type().map_err(error)?.is_dir();
        if !is_known(&name) || is_folder != (name == KERNELS) {
            let dir = dir.to_owned();
            return Err(StudyError::Foreign { dir, name });
        }
        paths.push(entry.path());
    }
    Ok(paths)
}
