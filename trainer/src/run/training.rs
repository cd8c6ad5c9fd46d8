//! A run in progress: its state, network, optimiser, data, and everything it writes.

use std::ops::ControlFlow;
use std::time::Instant;

use shardmill_loader::Dataset;

use crate::checkpoint::{Checkpoint, RunState};
use crate::engine::Engine;
use crate::net::scores::Scores;
use crate::run::error::TrainError;
use crate::run::eval::{self, View};
use crate::run::folder::RunFolder;
use crate::run::report::{EvaluationLine, Events, Line, Metrics, Screen};
use crate::run::watch::Prior;
use crate::run::{TrainOptions, TrainOutcome};

/// A run in progress.
pub(crate) struct Run<'a> {
    pub(crate) options: &'a TrainOptions,
    pub(crate) state: RunState,
    pub(crate) engine: Engine,
    pub(crate) prior: Prior,
    /// Top-1 error in percent of calling every validation image the most frequent class.
    pub(crate) guessing: Option<f64>,
    pub(crate) train: Dataset,
    pub(crate) validation: Option<Dataset>,
    pub(crate) screen: Screen,
    pub(crate) folder: RunFolder,
    pub(crate) metrics: Metrics,
    pub(crate) events: Events,
    pub(crate) two: Option<Scores>,
    pub(crate) ten: Option<Scores>,
    pub(crate) clock: Instant,
}

impl Run<'_> {
    /// The rate of the epoch at hand.
    pub(crate) fn lr(&self) -> f64 {
        let recipe = &self.state.recipe;
        self.state.schedule.lr(
            &recipe.schedule,
            recipe.base_lr(),
            self.state.progress.epoch,
        )
    }

    /// Steps of the whole run.
    pub(crate) fn total_steps(&self) -> u64 {
        let recipe = &self.state.recipe;
        let steps = recipe.epochs * self.train.len().div_ceil(recipe.step_images() as u64);
        self.options.max_steps.map_or(steps, |most| most.min(steps))
    }

    /// Evaluates the validation split, where there is one; breaks when a stop is asked for.
    pub(crate) fn evaluate(
        &mut self,
        view: View,
    ) -> Result<ControlFlow<(), Option<Scores>>, TrainError> {
        let Some(validation) = self.validation.clone() else {
            return Ok(ControlFlow::Continue(None));
        };
        let (screen, stop) = (&self.screen, &self.options.stop);
        let threads = self.options.threads;
        let scores = eval::score(
            &mut self.engine,
            &self.state,
            (&validation, None),
            view,
            threads,
            |done| {
                screen.note(format_args!(
                    "{}: {done} of {}",
                    view.name(),
                    validation.len()
                ));
                !stop.is_requested()
            },
        )?;
        let Some(scores) = scores else {
            return Ok(ControlFlow::Break(()));
        };
        let progress = &self.state.progress;
        let line = EvaluationLine {
            // At the end of the run the last epoch is counted as finished already.
            epoch: (progress.epoch + 1).min(self.state.recipe.epochs),
            step: progress.step,
            split: validation.split(),
            views: view,
            scores,
            guessing_top1_error: self.guessing,
            seconds: self.clock.elapsed().as_secs_f64(),
        };
        self.write(&Line::Evaluation(line.clone()))?;
        self.screen.say(&line);
        let guessing = self.guessing.unwrap_or(f64::INFINITY);
        if let Some(text) = self.prior.no_better(scores.top1_error, guessing) {
            self.screen.say(format_args!("         {text}"));
        }
        // Called by what the split is for, whatever its name: `train/` has its own tags.
        let [top1, top5, loss] = match view {
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
        let values = [
            (top1, scores.top1_error),
            (top5, scores.top5_error),
            (loss, scores.loss),
        ];
        self.events.scalars(line.step, &values)?;
        match view {
            View::Center => self.state.progress.center = Some(scores),
            View::Two => self.two = Some(scores),
            View::Ten => self.ten = Some(scores),
        }
        Ok(ControlFlow::Continue(Some(scores)))
    }

    /// The last scores from `view`; those from more views are of this process.
    pub(crate) fn score(&self, view: View) -> Option<Scores> {
        match view {
            View::Center => self.state.progress.center,
            View::Two => self.two,
            View::Ten => self.ten,
        }
    }

    /// Saves the run, as its best as well where it is.
    pub(crate) fn save(&mut self, is_best: bool) -> Result<(), TrainError> {
        let state = self.engine.host_state()?;
        let broken = state
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
        let tensors = Checkpoint::tensors(self.engine.host_state()?)?;
        // The best one first: were this interrupted, the run would come by here again.
        let first = if is_best { &best } else { &last };
        Checkpoint::write(first, &self.state, &tensors)?;
        if is_best {
            Checkpoint::link(&best, &last)?;
        }
        Ok(())
    }

    pub(crate) fn not_finite(&self, step: u64, what: &str) -> TrainError {
        TrainError::NotFinite {
            step,
            what: what.to_owned(),
            checkpoint: self.folder.last(),
        }
    }

    pub(crate) fn outcome(mut self, finished: bool) -> TrainOutcome {
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
            val_split: self
                .validation
                .as_ref()
                .map(|split| split.split().to_owned()),
            center: progress.center,
            two: self.two,
            ten: self.ten,
            seconds: self.clock.elapsed().as_secs_f64(),
        }
    }

    /// Writes a line to the metrics file.
    pub(crate) fn write(&mut self, line: &Line<'_>) -> Result<(), TrainError> {
        let json = self.metrics.append(line)?;
        self.screen.line(&json);
        Ok(())
    }
}
