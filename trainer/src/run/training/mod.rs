//! A run in progress.
//!
//! The state of a run is its seed, its epoch, and the images consumed of it: batches, dropout and
//! schedule follow from these, so that a run goes on from a checkpoint as if it had never stopped.

mod console;
mod epoch;
mod evaluation;
mod folder;
mod snapshots;
mod start;
mod together;
mod training_error;

use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use shardmill_formats::Causes;
use shardmill_loader::{Dataset, Loader};

use crate::checkpoint::{Checkpoint, RunState};
use crate::engine::Engine;
use crate::net::scores::Scores;
use crate::ranks::Ranks;
use crate::recipe::ColorNoise;
use crate::recipe::schedule::Passed;
use crate::run::data;
use crate::run::divergence::Prior;
use crate::run::error::TrainError;
use crate::run::log::{Events, Line, Metrics, Screen};
use crate::run::{LAST, SNAPSHOTS, TrainOptions, TrainOutcome, View};

/// Trains a network, or resumes its training.
///
/// Everything that can be checked is checked before anything is written.
///
/// # Errors
/// A dataset, recipe or folder that cannot be used, a non-finite loss, or what the file system refuses. The
/// last checkpoint in the run's folder is whole in any case.
pub fn train(options: &TrainOptions) -> Result<TrainOutcome, TrainError> {
    train_among(options, &Ranks::single())
}

/// [`train`] as one of several ranks, all of which must do so with the same options and dataset. Rank 0 writes the
/// run's folder and prints; the others compute the same and compare before every checkpoint.
///
/// # Errors
/// As [`train`], ranks that differ, and whatever ends another rank. All others are told of an error of this one.
pub fn train_among(options: &TrainOptions, ranks: &Ranks) -> Result<TrainOutcome, TrainError> {
    let outcome = run(options, ranks);
    if let Err(error) = &outcome {
        ranks.end(&Causes(error).to_string());
    }
    outcome
}

fn run(options: &TrainOptions, ranks: &Ranks) -> Result<TrainOutcome, TrainError> {
    let mut run = if options.resume {
        Run::resume(options, ranks)?
    } else {
        Run::start(options, ranks)?
    };
    run.screen.begin(run.total_steps(), run.state.progress.step);
    // One loader makes all epochs with the same colour noise: of a dataset in an object store it knows which shards
    // the next epoch begins with.
    let mut loaders: Option<(Option<ColorNoise>, Loader)> = None;
    while run.state.progress.epoch < run.state.recipe.epochs {
        let noise = run.state.recipe.color_noise(run.state.progress.epoch);
        let loader = match loaders.take() {
            Some((made_for, loader)) if made_for == noise => loader,
            _ => data::training_among(
                ranks,
                &run.splits.train,
                &run.state,
                run.engine.output(),
                options.threads,
            )?,
        };
        let (_, loader) = loaders.insert((noise, loader));
        run.engine
            .set_normalization(data::training_normalize(&run.state))?;
        if epoch::train_epoch(&mut run, loader)?.is_break() {
            run.save(false)?;
            let is_good_enough = run.is_good_enough();
            return Ok(run.outcome(is_good_enough));
        }
        if epoch::close_epoch(&mut run)?.is_break() {
            return Ok(run.outcome(false));
        }
    }
    run.look_back()?;
    for view in &options.final_views {
        if run.score(*view).is_none() && run.evaluate(*view)?.is_break() {
            return Ok(run.outcome(false));
        }
    }
    run.measure_at_end()?;
    Ok(run.outcome(true))
}

/// What a run trains and validates on.
struct Splits {
    train: Dataset,
    validation: Option<Dataset>,
}

/// A run's folder, locked for as long as this lives.
#[derive(Debug)]
struct RunFolder {
    dir: PathBuf,
    /// `None` where another rank holds it.
    _lock: Option<File>,
}

impl RunFolder {
    fn last(&self) -> PathBuf {
        self.dir.join(LAST)
    }

    fn best(&self) -> PathBuf {
        self.dir.join("best.safetensors")
    }

    /// The folder of the snapshots of conv1's kernels.
    fn kernels(&self) -> PathBuf {
        self.dir.join(SNAPSHOTS)
    }

    fn metrics(&self) -> PathBuf {
        self.dir.join("metrics.jsonl")
    }
}

/// What a run writes, besides its checkpoints.
struct RunFiles {
    folder: RunFolder,
    /// `None` on ranks that do not write.
    log: Option<RunLog>,
}

/// The files to which lines are appended.
struct RunLog {
    metrics: Metrics,
    events: Events,
}

impl RunFiles {
    /// Number of lines of the metrics file so far; 0 on ranks that do not write.
    fn lines(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.metrics.lines())
    }

    /// Cuts off everything after the first `lines` lines of the metrics file.
    fn cut(&mut self, lines: u64) -> Result<(), TrainError> {
        match &mut self.log {
            Some(log) => log.metrics.cut(lines),
            None => Ok(()),
        }
    }
}

/// A run in progress: its state, network, data, and everything it writes.
struct Run<'a> {
    options: &'a TrainOptions,
    ranks: &'a Ranks,
    state: RunState,
    engine: Box<dyn Engine>,
    prior: Prior,
    /// Top-1 error in percent of calling every validation image the most frequent class.
    guessing: Option<f64>,
    splits: Splits,
    screen: Screen,
    files: RunFiles,
    two: Option<Scores>,
    ten: Option<Scores>,
    /// The rate of the last epoch that this process trained.
    last_lr: Option<f64>,
    /// The last measurement of the error on training images in this process, and its step.
    measured: Option<Measured>,
    clock: Instant,
}

/// A measurement of the error on training images.
#[derive(Clone, Copy, Debug)]
struct Measured {
    step: u64,
    scores: Scores,
}

impl Run<'_> {
    /// The rate of the next step.
    fn lr(&self) -> f64 {
        let (recipe, progress) = (&self.state.recipe, &self.state.progress);
        let passed = Passed {
            epochs: progress.epoch,
            share: progress.samples as f64 / progress.records.max(1) as f64,
        };
        let schedule = &self.state.schedule;
        schedule.lr(&recipe.schedule, recipe.base_lr(), passed)
    }

    /// Steps of the whole run.
    fn total_steps(&self) -> u64 {
        let recipe = &self.state.recipe;
        let steps = recipe.epochs
            * self
                .splits
                .train
                .len()
                .div_ceil(recipe.step_images() as u64);
        self.options.max_steps.map_or(steps, |most| most.min(steps))
    }

    /// Evaluates the validation split, where there is one; breaks when a stop is asked for.
    fn evaluate(&mut self, view: View) -> Result<ControlFlow<(), Option<Scores>>, TrainError> {
        let Some(validation) = self.splits.validation.clone() else {
            return Ok(ControlFlow::Continue(None));
        };
        let words = format!("{}: ", view.name());
        let Some(scores) = self.score_images(&validation, view, &words)? else {
            return Ok(ControlFlow::Break(()));
        };
        let progress = &self.state.progress;
        let line = Line::Evaluation {
            // At the end of the run the last epoch is counted as finished already.
            epoch: (progress.epoch + 1).min(self.state.recipe.epochs),
            step: progress.step,
            split: validation.split(),
            views: view,
            scores,
            guessing_top1_error: self.guessing,
            seconds: self.clock.elapsed().as_secs_f64(),
        };
        self.write(&line)?;
        self.screen.say(&line);
        let guessing = self.guessing.unwrap_or(f64::INFINITY);
        if let Some(text) = self.prior.no_better(scores.top1_error, guessing) {
            self.screen.say(format_args!("         {text}"));
        }
        match view {
            View::Center => self.state.progress.center = Some(scores),
            View::Two => self.two = Some(scores),
            View::Ten => self.ten = Some(scores),
        }
        Ok(ControlFlow::Continue(Some(scores)))
    }

    /// The last scores from `view`; those from more views are of this process.
    fn score(&self, view: View) -> Option<Scores> {
        match view {
            View::Center => self.state.progress.center,
            View::Two => self.two,
            View::Ten => self.ten,
        }
    }

    /// Saves the run, as its best as well where it is, once the ranks agree on it.
    fn save(&mut self, is_best: bool) -> Result<(), TrainError> {
        let state = self.engine.host_state()?;
        let mut parameters = state.model.parameters().iter();
        let broken = parameters.find(|p| p.values().iter().any(|value| !value.is_finite()));
        if let Some(parameter) = broken {
            let what = format!("a value of {}", parameter.name());
            return Err(self.not_finite(self.state.progress.step, &what));
        }
        let tensors = Checkpoint::tensors(self.engine.host_state()?)?;
        self.compare_ranks(&tensors)?;
        let Some(log) = &self.files.log else {
            return Ok(());
        };
        log.metrics.sync()?;
        self.state.progress.metrics_lines = log.metrics.lines();
        let (last, best) = (self.files.folder.last(), self.files.folder.best());
        self.keep_kernels(&tensors)?;
        // The best one first: were this interrupted, the run would come by here again.
        let first = if is_best { &best } else { &last };
        Checkpoint::write(first, &self.state, &tensors)?;
        if is_best {
            Checkpoint::link(&best, &last)?;
        }
        Ok(())
    }

    fn not_finite(&self, step: u64, what: &str) -> TrainError {
        TrainError::NotFinite {
            step,
            what: what.to_owned(),
            checkpoint: self.files.folder.last(),
        }
    }

    fn outcome(mut self, finished: bool) -> TrainOutcome {
        self.screen.end();
        let progress = &self.state.progress;
        let validation = self.splits.validation.as_ref();
        TrainOutcome {
            run: self.files.folder.dir.clone(),
            last: self.files.folder.last(),
            best: progress.best_error.map(|_| self.files.folder.best()),
            best_error: progress.best_error,
            finished,
            epochs: progress.epoch,
            steps: progress.step,
            classes: self.state.classes.len(),
            val_split: validation.map(|split| split.split().to_owned()),
            center: progress.center,
            two: self.two,
            ten: self.ten,
            seconds: self.clock.elapsed().as_secs_f64(),
        }
    }

    /// Writes a line to the metrics file and its figures to the event file.
    fn write(&mut self, line: &Line<'_>) -> Result<(), TrainError> {
        let Some(log) = &mut self.files.log else {
            return Ok(());
        };
        let json = log.metrics.append(line)?;
        self.screen.line(&json);
        log.events.append_line(line)
    }
}
