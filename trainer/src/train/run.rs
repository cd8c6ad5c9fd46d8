//! A run in progress: its state, network, optimiser, data, and everything it writes.

use std::time::Instant;

use shardmill_loader::Dataset;

use super::difference::difference;
use super::folder::RunFolder;
use super::{TrainOptions, TrainOutcome, watch};
use crate::checkpoint::{Checkpoint, Progress, RunState};
use crate::data;
use crate::error::TrainError;
use crate::eval::{self, View};
use crate::model::{Model, StepOutput};
use crate::model_config::ModelConfig;
use crate::report::{EvaluationLine, Line, Meter, Metrics, Screen, StepLine};
use crate::schedule::ScheduleState;
use crate::sgd::Sgd;
use crate::tally::Scores;

/// A run in progress.
pub(super) struct Run<'a> {
    pub(super) options: &'a TrainOptions,
    pub(super) state: RunState,
    pub(super) model: Model,
    pub(super) sgd: Sgd,
    pub(super) train: Dataset,
    pub(super) validation: Option<Dataset>,
    pub(super) screen: Screen,
    folder: RunFolder,
    metrics: Metrics,
    center: Option<Scores>,
    ten: Option<Scores>,
    clock: Instant,
}

impl<'a> Run<'a> {
    /// A new run, with a checkpoint of its very beginning.
    pub(super) fn start(options: &'a TrainOptions) -> Result<Self, TrainError> {
        RunFolder::check_new(&options.run)?;
        let (train, validation) = open(options)?;
        let classes = train.classes().to_vec();
        let model = ModelConfig {
            classes: classes.len(),
            ..options.model.clone()
        };
        let state = RunState {
            seed: options.seed,
            recipe: options.recipe.clone(),
            model,
            classes,
            pixels: data::statistics(&options.shards, &train)?,
            schedule: ScheduleState::default(),
            progress: Progress {
                records: train.len(),
                ..Progress::default()
            },
        };
        let model = Model::new(&state.model, state.seed)?;
        let sgd = Sgd::new(&model, state.recipe.sgd);
        let folder = RunFolder::create(&options.run)?;
        let metrics = Metrics::create(&folder.metrics())?;
        let mut run = Self::assemble(
            options, state, model, sgd, train, validation, folder, metrics,
        );
        run.introduce();
        run.write(&Line::Start {
            seed: run.state.seed,
            classes: run.state.classes.len(),
            train_images: run.state.progress.records,
            val_images: run.validation.as_ref().map_or(0, |split| split.len()),
            recipe: &run.state.recipe.clone(),
            model: &run.state.model.clone(),
        })?;
        run.save(false)?;
        Ok(run)
    }

    /// A run that goes on from its last checkpoint.
    pub(super) fn resume(options: &'a TrainOptions) -> Result<Self, TrainError> {
        let folder = RunFolder::open(&options.run)?;
        let checkpoint = Checkpoint::read(&folder.last())?;
        let (train, validation) = open(options)?;
        data::check_classes(&options.shards, &checkpoint.state.classes, train.classes())?;
        check_same(&checkpoint.state, options, &train)?;
        let mut state = checkpoint.state.clone();
        state.recipe.epochs = options.recipe.epochs;
        let model = checkpoint.model()?;
        let sgd = checkpoint.sgd(&model)?;
        drop(checkpoint);
        let metrics = Metrics::resume(&folder.metrics(), state.progress.metrics_lines)?;
        let run = Self::assemble(
            options, state, model, sgd, train, validation, folder, metrics,
        );
        run.introduce();
        let progress = &run.state.progress;
        run.screen.say(format_args!(
            "resumed   at step {}, {} images into epoch {}",
            progress.step,
            progress.samples,
            progress.epoch + 1
        ));
        Ok(run)
    }

    fn assemble(
        options: &'a TrainOptions,
        state: RunState,
        model: Model,
        sgd: Sgd,
        train: Dataset,
        validation: Option<Dataset>,
        folder: RunFolder,
        metrics: Metrics,
    ) -> Self {
        Self {
            options,
            state,
            model,
            sgd,
            train,
            validation,
            screen: Screen::new(options.display),
            folder,
            metrics,
            center: None,
            ten: None,
            clock: Instant::now(),
        }
    }

    fn introduce(&self) {
        let parameters: usize = self.model.parameters().iter().map(|p| p.len()).sum();
        let model = &self.state.model;
        let images = self.validation.as_ref().map_or_else(
            || "no labelled split `val`: the schedule follows the training error".to_owned(),
            |split| format!("{} for validation", split.len()),
        );
        self.screen.say(format_args!(
            "network   {:?} of width {}, {parameters} parameters, input {}x{}, seed {}",
            model.variant, model.width, model.input_size, model.input_size, self.state.seed
        ));
        self.screen.say(&self.state.recipe);
        self.screen.say(format_args!(
            "data      {} images of {} classes; {images}",
            self.train.len(),
            self.state.classes.len()
        ));
        self.screen
            .say(format_args!("run       {}", self.folder.path().display()));
        if let Some(advice) = watch::advice(&self.state) {
            self.screen.say(advice);
        }
    }

    /// The rate of the epoch at hand.
    pub(super) fn lr(&self) -> f64 {
        let recipe = &self.state.recipe;
        self.state
            .schedule
            .lr(&recipe.schedule, recipe.lr, self.state.progress.epoch)
    }

    /// Steps of the whole run.
    pub(super) fn total_steps(&self) -> u64 {
        let recipe = &self.state.recipe;
        let steps = recipe.epochs * self.train.len().div_ceil(recipe.batch_size as u64);
        self.options.max_steps.map_or(steps, |most| most.min(steps))
    }

    /// Moves the bar.
    pub(super) fn show_step(&self, output: &StepOutput, meter: &Meter) {
        self.screen.update(
            self.state.progress.step,
            format_args!(
                "epoch {}/{}  loss {:.4}  {:.1} images/s  wait {:.1}%",
                self.state.progress.epoch + 1,
                self.state.recipe.epochs,
                output.loss,
                meter.images_per_second(),
                100.0 * meter.data_wait()
            ),
        );
    }

    /// Writes what was seen since the last such line.
    pub(super) fn log_step(&mut self, lr: f64, meter: &Meter) -> Result<(), TrainError> {
        let Some(scores) = std::mem::take(&mut self.state.progress.window).scores() else {
            return Ok(());
        };
        let progress = self.state.progress;
        let line = StepLine {
            epoch: progress.epoch + 1,
            step: progress.step,
            samples: progress.samples,
            loss: scores.loss,
            lr,
            top1_error: scores.top1_error,
            top5_error: scores.top5_error,
            images_per_second: meter.images_per_second(),
            data_wait: meter.data_wait(),
            seconds: self.clock.elapsed().as_secs_f64(),
        };
        self.write(&Line::Step(line))?;
        if !self.screen.has_bar() {
            let (step, total) = (progress.step, self.total_steps());
            let epochs = self.state.recipe.epochs;
            self.screen.say(format_args!(
                "epoch {}/{epochs}  step {step}/{total}  {line}",
                line.epoch
            ));
        }
        Ok(())
    }

    /// Writes what was seen of the epoch that has ended.
    pub(super) fn log_epoch(&mut self) -> Result<Option<Scores>, TrainError> {
        let scores = self.state.progress.whole_epoch.scores();
        if let Some(scores) = scores {
            let (epoch, step) = (self.state.progress.epoch + 1, self.state.progress.step);
            let Scores {
                loss,
                top1_error,
                top5_error,
                ..
            } = scores;
            let lr = self.lr();
            self.write(&Line::Epoch {
                epoch,
                step,
                lr,
                loss,
                top1_error,
                top5_error,
            })?;
            self.screen.say(format_args!(
                "epoch {epoch}  training: top-1 error {top1_error:.2}%, top-5 error \
                 {top5_error:.2}%, loss {loss:.4}"
            ));
        }
        Ok(scores)
    }

    /// Evaluates the validation split, where there is one.
    pub(super) fn evaluate(&mut self, view: View) -> Result<Option<Scores>, TrainError> {
        let Some(validation) = self.validation.clone() else {
            return Ok(None);
        };
        let screen = &self.screen;
        let threads = self.options.threads;
        let scores = eval::score(
            &mut self.model,
            &self.state,
            &validation,
            view,
            threads,
            |done| {
                screen.note(format_args!(
                    "{}: {done} of {}",
                    view.name(),
                    validation.len()
                ));
            },
        )?;
        let progress = &self.state.progress;
        let line = EvaluationLine {
            // At the end of the run the last epoch is counted as finished already.
            epoch: (progress.epoch + 1).min(self.state.recipe.epochs),
            step: progress.step,
            split: data::VAL,
            views: view,
            scores,
            seconds: self.clock.elapsed().as_secs_f64(),
        };
        self.write(&Line::Evaluation(line.clone()))?;
        self.screen.say(&line);
        match view {
            View::Center => self.center = Some(scores),
            View::Ten => self.ten = Some(scores),
        }
        Ok(Some(scores))
    }

    /// The last scores from `view` in this process.
    pub(super) fn score(&self, view: View) -> Option<Scores> {
        match view {
            View::Center => self.center,
            View::Ten => self.ten,
        }
    }

    /// Shows and writes a warning.
    pub(super) fn warn(&mut self, message: &str) -> Result<(), TrainError> {
        let (epoch, step) = (self.state.progress.epoch + 1, self.state.progress.step);
        self.screen.say(message);
        self.write(&Line::Warning {
            epoch,
            step,
            message,
        })
    }

    /// Saves the run, as its best as well where it is.
    pub(super) fn save(&mut self, is_best: bool) -> Result<(), TrainError> {
        let broken = self
            .model
            .parameters()
            .iter()
            .find(|parameter| parameter.values().iter().any(|value| !value.is_finite()));
        if let Some(parameter) = broken {
            let what = format!("a value of {}", parameter.name());
            return Err(self.not_finite(self.state.progress.step, &what));
        }
        self.metrics.sync()?;
        self.state.progress.metrics_lines = self.metrics.lines();
        let (last, best) = (self.folder.last(), self.folder.best());
        let tensors = Checkpoint::tensors(&self.model, &self.sgd)?;
        // The best one first: were this interrupted, the run would come by here again.
        let first = if is_best { &best } else { &last };
        Checkpoint::write(first, &self.state, &tensors)?;
        if is_best {
            Checkpoint::link(&best, &last)?;
        }
        Ok(())
    }

    pub(super) fn not_finite(&self, step: u64, what: &str) -> TrainError {
        TrainError::NotFinite {
            step,
            what: what.to_owned(),
            checkpoint: self.folder.last(),
        }
    }

    pub(super) fn outcome(mut self, finished: bool) -> TrainOutcome {
        self.screen.end();
        let progress = &self.state.progress;
        TrainOutcome {
            run: self.folder.path().to_owned(),
            last: self.folder.last(),
            best: progress.best_error.map(|_| self.folder.best()),
            best_error: progress.best_error,
            finished,
            epochs: progress.epoch,
            steps: progress.step,
            classes: self.state.classes.len(),
            center: self.center,
            ten: self.ten,
            seconds: self.clock.elapsed().as_secs_f64(),
        }
    }

    fn write(&mut self, line: &Line<'_>) -> Result<(), TrainError> {
        let json = self.metrics.append(line)?;
        self.screen.line(&json);
        Ok(())
    }
}

/// Opens training and validation split and checks what can be checked before a run begins.
fn open(options: &TrainOptions) -> Result<(Dataset, Option<Dataset>), TrainError> {
    if let Some(problem) = options.recipe.problem() {
        return Err(TrainError::Recipe(problem));
    }
    let train = data::open(&options.shards, data::TRAIN)?;
    data::check_crop(&options.shards, &train, options.model.input_size)?;
    Ok((train, data::open_validation(&options.shards)?))
}

/// Checks that a resumed run is the same run.
fn check_same(
    stored: &RunState,
    options: &TrainOptions,
    train: &Dataset,
) -> Result<(), TrainError> {
    let mut recipe = options.recipe.clone();
    recipe.epochs = stored.recipe.epochs;
    let model = ModelConfig {
        classes: stored.model.classes,
        ..options.model.clone()
    };
    let seed = difference(&stored.seed, &options.seed)
        .map(|(_, stored, given)| ("seed".to_owned(), stored, given));
    let records = difference(&stored.progress.records, &train.len())
        .map(|(_, stored, given)| ("a number of training images of".to_owned(), stored, given));
    let changed = seed
        .or_else(|| difference(&stored.recipe, &recipe))
        .or_else(|| difference(&stored.model, &model))
        .or(records);
    match changed {
        Some((what, stored, given)) => Err(TrainError::Changed {
            what,
            stored,
            given,
        }),
        None => Ok(()),
    }
}
