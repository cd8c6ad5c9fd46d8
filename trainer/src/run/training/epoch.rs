//! The loop over the steps of an epoch.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shardmill_loader::{Epoch, Loader};

use crate::net::scores::Scores;
use crate::net::{BatchPlace, DropoutKey, StepOutput};
use crate::recipe::rate;
use crate::recipe::schedule::Observation;
use crate::run::View;
use crate::run::divergence::{self, Circumstances};
use crate::run::error::TrainError;
use crate::run::log::{Figures, Line, in_two_units};
use crate::run::training::Run;
use crate::run::training::console::audience;

/// Times since the last log line; evaluations and checkpoints are not in them.
#[derive(Clone, Copy, Debug, Default)]
struct Meter {
    images: usize,
    busy: Duration,
    waited: Duration,
    /// What messages between ranks took.
    exchanged: Duration,
}

impl Meter {
    /// Adds a step that took `busy` in all, of which `waited` for its images.
    fn add(&mut self, images: usize, busy: Duration, waited: Duration) {
        self.images += images;
        self.busy += busy;
        self.waited += waited;
    }

    fn images_per_second(&self) -> f64 {
        self.images as f64 / self.busy.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// The share of the time that was spent waiting.
    fn data_wait(&self) -> f64 {
        self.share(self.waited)
    }

    /// The share of the time that was spent in messages between ranks, waiting for slower ones included.
    fn rank_wait(&self) -> f64 {
        self.share(self.exchanged)
    }

    fn share(&self, of: Duration) -> f64 {
        of.as_secs_f64() / self.busy.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Trains the rest of an epoch. Breaks at the number of steps asked for, and at a request to stop.
pub(super) fn train_epoch(
    run: &mut Run<'_>,
    loader: &Loader,
) -> Result<ControlFlow<()>, TrainError> {
    let batch_size = run.state.recipe.batch_size as u64;
    let progress = run.state.progress;
    let done = progress.samples.div_ceil(batch_size);
    let mut batches = loader.epoch(progress.epoch).seek(done);
    let (mut meter, mut waited) = (Meter::default(), batches.waited());
    loop {
        if run.state.progress.samples == run.state.progress.records && !run.is_good_enough() {
            return Ok(ControlFlow::Continue(()));
        }
        if run.is_good_enough() {
            drain_metrics(run)?;
            return Ok(ControlFlow::Break(()));
        }
        let enough = run
            .options
            .max_steps
            .is_some_and(|steps| run.state.progress.step >= steps);
        let (clock, exchanged) = (Instant::now(), run.ranks.waited());
        if run.ranks.any(run.options.stop.is_requested())? || enough {
            drain_metrics(run)?;
            if enough {
                run.look_back()?;
            }
            return Ok(ControlFlow::Break(()));
        }
        let Some(images) = step_gradients(run, &mut batches)? else {
            drain_metrics(run)?;
            return Ok(ControlFlow::Continue(()));
        };
        let lr = run.lr();
        run.last_lr = Some(lr);
        let (recipe, epoch) = (&run.state.recipe, run.state.progress.epoch);
        run.engine
            .step(&|parameter| recipe.rate(parameter, lr, epoch))?;

        let progress = &mut run.state.progress;
        progress.step += 1;
        progress.samples += images as u64;
        let (step, samples) = (progress.step, progress.samples);
        let log = step.is_multiple_of(run.options.log_every.max(1)) || samples == progress.records;
        let every = run.options.checkpoint_every;
        let save = every.is_some_and(|every| step.is_multiple_of(every.max(1)));
        let output = if log || save || run.engine.metrics_due() {
            drain_metrics(run)?
        } else {
            None
        };
        let now = batches.waited();
        meter.add(
            images,
            clock.elapsed(),
            now - std::mem::replace(&mut waited, now),
        );
        meter.exchanged += run.ranks.waited() - exchanged;
        if let Some(output) = output {
            run.show_step(&output, &meter);
        }
        if log {
            run.log_step(lr, &meter)?;
            meter = Meter::default();
        }
        run.measure_if_due()?;
        if save {
            run.save(false)?;
        }
    }
}

/// Records the metrics of the steps since the last call and returns those of the last step. On the CPU that
/// is one step; a GPU works on while the host runs ahead, and is asked only when its metrics are needed.
fn drain_metrics(run: &mut Run<'_>) -> Result<Option<StepOutput>, TrainError> {
    let metrics = run.engine.drain_metrics()?;
    if let Some(line) = run.engine.take_log_line() {
        run.screen.say(line);
    }
    let lr = run.lr();
    let before = run.state.progress.step - metrics.len() as u64;
    for (step, metrics) in (before + 1..).zip(&metrics) {
        let output = &metrics.output;
        if !output.loss.is_finite() {
            return Err(run.not_finite(step, "the loss"));
        }
        if !metrics.norm.is_finite() {
            return Err(run.not_finite(step, "the gradient"));
        }
        let progress = &mut run.state.progress;
        progress.largest_norm = progress.largest_norm.max(metrics.norm);
        for tally in [&mut progress.window, &mut progress.whole_epoch] {
            tally.add(metrics.images, output.loss, output.top1, output.top5);
        }
        let around = Circumstances {
            prior: &run.prior,
            guessing: run.guessing,
            lr,
            audience: audience(run.options),
        };
        if let Some(warning) = divergence::observe(&mut run.state, around, step, metrics) {
            run.warn(&warning)?;
        }
    }
    Ok(metrics.last().map(|metrics| metrics.output))
}

/// Computes the mean gradient of the batches of one step and returns the number of their images; `None` at
/// the end of the epoch.
fn step_gradients(run: &mut Run<'_>, batches: &mut Epoch) -> Result<Option<usize>, TrainError> {
    let (progress, count) = (run.state.progress, run.state.recipe.accumulate);
    let left = progress.records - progress.samples;
    let whole = left.min(run.state.recipe.step_images() as u64) as usize;
    let mut images = 0;
    for number in 0..count {
        if images == whole {
            break;
        }
        let Some(batch) = batches.next() else {
            return Ok(None);
        };
        let batch = Arc::new(batch?);
        let key = DropoutKey {
            seed: run.state.seed,
            step: progress.step * count as u64 + number as u64,
        };
        let is_part = count > 1 || !run.ranks.is_alone();
        let begin = progress.samples + images as u64;
        let place = BatchPlace {
            key,
            first: (batch.places().start - begin) as usize,
            share: is_part.then(|| batch.len() as f32 / whole as f32),
        };
        run.engine.accumulate(&batch, place)?;
        // Over all ranks.
        images += run.state.recipe.batch_size.min(whole - images);
    }
    Ok(Some(images))
}

/// Evaluates where that is due, shows the error to the schedule, and saves. Breaks at a request to stop
/// during the evaluation; the resumed run then closes the epoch.
pub(super) fn close_epoch(run: &mut Run<'_>) -> Result<ControlFlow<()>, TrainError> {
    let finished = run.state.progress.epoch + 1;
    let lines = run.files.lines();
    let trained = run.log_epoch()?;
    let every = run.options.eval_every;
    let due = finished == run.state.recipe.epochs || (every > 0 && finished.is_multiple_of(every));
    let validated = if due {
        match run.evaluate(View::Center)? {
            ControlFlow::Continue(scores) => scores,
            ControlFlow::Break(()) => {
                run.files.cut(lines)?;
                run.save(false)?;
                return Ok(ControlFlow::Break(()));
            }
        }
    } else {
        None
    };
    // Without a validation split the schedule follows the training error.
    let watched = if run.splits.validation.is_some() {
        validated
    } else {
        trained
    };
    let before = run.lr();
    if let Some(scores) = watched {
        let schedule = &run.state.recipe.schedule;
        let observation = Observation {
            step: run.state.progress.step,
            error: scores.top1_error,
            has_learned: run.state.progress.has_learned,
        };
        run.state.schedule.observe(schedule, observation);
    }
    let best = validated.map(|scores| scores.top1_error).filter(|error| {
        run.state
            .progress
            .best_error
            .is_none_or(|best| *error < best)
    });
    let progress = &mut run.state.progress;
    progress.best_error = best.or(progress.best_error);
    progress.epoch = finished;
    progress.samples = 0;
    progress.whole_epoch = Default::default();
    run.save(best.is_some())?;
    let lr = run.lr();
    if lr != before && finished < run.state.recipe.epochs {
        run.screen.say(format_args!(
            "lr {} -> {} after epoch {finished}",
            rate(before),
            rate(lr)
        ));
    }
    Ok(ControlFlow::Continue(()))
}

impl Run<'_> {
    /// Moves the bar.
    fn show_step(&self, output: &StepOutput, meter: &Meter) {
        let scores = self.state.progress.whole_epoch.scores();
        let figures = Figures {
            loss: output.loss,
            errors: scores.map(|scores| [scores.top1_error, scores.top5_error]),
            images_per_second: meter.images_per_second(),
            data_wait: meter.data_wait(),
        };
        let (epoch, epochs) = (self.state.progress.epoch + 1, self.state.recipe.epochs);
        self.screen.update(
            self.state.progress.step,
            format_args!("epoch {epoch}/{epochs} {figures}"),
        );
    }

    /// Writes the scores since the last such line.
    fn log_step(&mut self, lr: f64, meter: &Meter) -> Result<(), TrainError> {
        let Some(scores) = std::mem::take(&mut self.state.progress.window).scores() else {
            return Ok(());
        };
        let largest_norm = std::mem::take(&mut self.state.progress.largest_norm);
        let progress = self.state.progress;
        let images_per_second = meter.images_per_second();
        let line = Line::Step {
            epoch: progress.epoch + 1,
            step: progress.step,
            samples: progress.samples,
            loss: scores.loss,
            lr,
            top1_error: scores.top1_error,
            top5_error: scores.top5_error,
            gradient_norm: largest_norm,
            images_per_second,
            data_wait: meter.data_wait(),
            rank_wait: (!self.ranks.is_alone()).then(|| meter.rank_wait()),
            seconds: self.clock.elapsed().as_secs_f64(),
        };
        self.write(&line)?;
        if !self.screen.has_bar() {
            let recipe = &self.state.recipe;
            let images = (self.total_steps() - progress.step) as f64 * recipe.step_images() as f64;
            // Without evaluations, and a little too much for the last batch of each epoch.
            let left = Duration::try_from_secs_f64(images / images_per_second);
            let left = in_two_units(left.unwrap_or_default());
            self.screen.say(format_args!("{line} eta {left}"));
        }
        Ok(())
    }

    /// Writes the scores of the epoch that has ended.
    fn log_epoch(&mut self) -> Result<Option<Scores>, TrainError> {
        let scores = self.state.progress.whole_epoch.scores();
        if let Some(scores) = scores {
            let line = Line::Epoch {
                epoch: self.state.progress.epoch + 1,
                step: self.state.progress.step,
                lr: self.lr(),
                loss: scores.loss,
                top1_error: scores.top1_error,
                top5_error: scores.top5_error,
            };
            self.write(&line)?;
            self.screen.say(&line);
        }
        Ok(scores)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Figures, Line, Meter, in_two_units};

    #[test]
    fn counts_waiting_as_part_of_a_step() {
        let mut meter = Meter::default();
        meter.add(64, Duration::from_secs(3), Duration::from_secs(1));
        meter.add(64, Duration::from_secs(5), Duration::from_secs(1));
        assert_eq!((meter.images_per_second(), meter.data_wait()), (16.0, 0.25));
    }

    #[test]
    fn a_log_line_of_imagenet_on_a_fast_machine_fits_a_terminal() {
        let line = |step, error, data_wait| {
            let line = Line::Step {
                epoch: 90,
                step,
                samples: 1_281_167,
                loss: 6.9078,
                lr: 0.000_01,
                top1_error: error,
                top5_error: error,
                gradient_norm: 1.0,
                images_per_second: 32_000.0,
                data_wait,
                rank_wait: Some(0.5),
                seconds: 1e6,
            };
            format!("{line} eta {}", in_two_units(Duration::from_secs(273_600)))
        };
        // 90 epochs in batches of 128 and of 64, at the worst.
        let text = line(900_810, 99.9, 0.012);
        assert_eq!(
            text,
            "epoch 90 step 900810 loss 6.908 err 99.9/99.9% 32000 img/s wait 1.2% eta 3d04h"
        );
        assert_eq!(text.len(), 78);
        for (error, data_wait) in [(99.9, 0.99), (100.0, 1.0), (99.96, 0.0996)] {
            assert!(line(1_801_710, error, data_wait).len() <= 80);
        }
    }

    #[test]
    fn the_text_behind_the_bar_fits_a_terminal_too() {
        for error in [99.9, 100.0] {
            let figures = Figures {
                loss: 6.9078,
                errors: Some([error, error]),
                images_per_second: 32_000.0,
                data_wait: 0.012,
            };
            // The bar, and up to four letters of the time left: `{bar:8} eta {eta} {wide_msg}`.
            let line = format!("{:8} eta {:4} epoch 90/90 {figures}", "", "");
            assert!(line.len() <= 80, "{line}");
        }
    }
}
