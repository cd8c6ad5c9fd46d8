//! The training loop.
//!
//! The state of a run is its seed, its epoch, and the images consumed of it: batches, dropout and
//! schedule follow from these, so that a run goes on from a checkpoint as if it had never stopped.

mod begin;
pub(crate) mod data;
pub(crate) mod error;
pub(crate) mod eval;
mod folder;
mod initial;
mod options;
mod outcome;
pub(crate) mod report;
mod stop;
pub(crate) mod subset;
mod tell;
mod training;
mod watch;

pub use options::TrainOptions;
pub use outcome::TrainOutcome;
pub use stop::Stop;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use shardmill_loader::{Epoch, Loader};

use crate::net::{DropoutKey, StepOutput};
use crate::recipe::rate;
use crate::recipe::schedule::Observation;
use crate::run::error::TrainError;
use crate::run::eval::View;
use crate::run::report::Meter;
use training::Run;
use watch::StepLoss;

/// Trains a network, or goes on training it.
///
/// Nothing is written before everything that can be checked is checked.
///
/// # Errors
/// A dataset, recipe or folder that cannot be used, a loss that is no number, or whatever the file
/// system refuses; then the last checkpoint in the run's folder is whole.
pub fn train(options: &TrainOptions) -> Result<TrainOutcome, TrainError> {
    let mut run = if options.resume {
        Run::resume(options)?
    } else {
        Run::start(options)?
    };
    run.screen.begin(run.total_steps(), run.state.progress.step);
    while run.state.progress.epoch < run.state.recipe.epochs {
        let loader = data::training(&run.train, &run.state, run.engine.output(), options.threads)?;
        run.engine
            .set_normalization(data::training_normalize(&run.state))?;
        if train_epoch(&mut run, &loader)?.is_break() {
            run.save(false)?;
            return Ok(run.outcome(false));
        }
        if close_epoch(&mut run)?.is_break() {
            return Ok(run.outcome(false));
        }
    }
    run.look_back()?;
    for view in &options.final_views {
        if run.score(*view).is_none() && run.evaluate(*view)?.is_break() {
            return Ok(run.outcome(false));
        }
    }
    Ok(run.outcome(true))
}

/// Trains the rest of an epoch; breaks when the number of steps asked for is reached, or when a stop
/// is asked for.
fn train_epoch(run: &mut Run<'_>, loader: &Loader) -> Result<ControlFlow<()>, TrainError> {
    let lr = run.lr();
    let batch_size = run.state.recipe.batch_size as u64;
    let progress = run.state.progress;
    let done = progress.samples.div_ceil(batch_size);
    let mut batches = loader.epoch(progress.epoch).seek(done);
    let (mut meter, mut waited) = (Meter::default(), batches.waited());
    loop {
        if run.state.progress.samples == run.state.progress.records {
            return Ok(ControlFlow::Continue(()));
        }
        let enough = run
            .options
            .max_steps
            .is_some_and(|steps| run.state.progress.step >= steps);
        if enough || run.options.stop.is_requested() {
            settle(run)?;
            if enough {
                run.look_back()?;
            }
            return Ok(ControlFlow::Break(()));
        }
        let clock = Instant::now();
        let Some(images) = step_gradients(run, &mut batches)? else {
            settle(run)?;
            return Ok(ControlFlow::Continue(()));
        };
        let (recipe, epoch) = (&run.state.recipe, run.state.progress.epoch);
        run.engine
            .step(|parameter| recipe.rate(parameter, lr, epoch))?;

        let progress = &mut run.state.progress;
        progress.step += 1;
        progress.samples += images as u64;
        let (step, samples) = (progress.step, progress.samples);
        let log = step.is_multiple_of(run.options.log_every.max(1)) || samples == progress.records;
        let every = run.options.checkpoint_every;
        let save = every.is_some_and(|every| step.is_multiple_of(every.max(1)));
        let output = if log || save || run.engine.metrics_due() {
            settle(run)?
        } else {
            None
        };
        let now = batches.waited();
        meter.add(
            images,
            clock.elapsed(),
            now - std::mem::replace(&mut waited, now),
        );
        if let Some(output) = output {
            run.show_step(&output, &meter);
        }
        if log {
            run.log_step(lr, &meter)?;
            meter = Meter::default();
        }
        if save {
            run.save(false)?;
        }
    }
}

/// Takes note of the scores of the steps that were done since it was last called, and gives the last
/// one's. On the CPU that is one step; a card works on while the host runs ahead, and is asked when
/// somebody wants to know.
fn settle(run: &mut Run<'_>) -> Result<Option<StepOutput>, TrainError> {
    let metrics = run.engine.drain_metrics()?;
    if let Some(line) = run.engine.take_log_line() {
        run.screen.say(line);
    }
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
        progress.steepest = progress.steepest.max(metrics.norm);
        for tally in [&mut progress.window, &mut progress.whole_epoch] {
            tally.add(metrics.images, output.loss, output.top1, output.top5);
        }
        let lr = run.lr();
        let step_loss = StepLoss {
            step,
            images: metrics.images,
            loss: output.loss,
        };
        if let Some(warning) = watch::observe(&mut run.state, &run.prior, lr, step_loss) {
            run.warn(&warning)?;
        }
    }
    Ok(metrics.last().map(|metrics| metrics.output))
}

/// Computes the mean gradient of the batches of one step and gives the number of their images;
/// `None` at the end of the epoch.
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
        let share = (count > 1).then(|| batch.len() as f32 / whole as f32);
        run.engine.accumulate(&batch, key, share)?;
        images += batch.len();
    }
    Ok(Some(images))
}

/// Evaluates where it is due, lets the schedule look at the error, and saves; breaks when a stop is
/// asked for meanwhile, and then leaves the epoch to be closed by whoever goes on.
fn close_epoch(run: &mut Run<'_>) -> Result<ControlFlow<()>, TrainError> {
    let finished = run.state.progress.epoch + 1;
    let lines = run.metrics.lines();
    let trained = run.log_epoch()?;
    let every = run.options.eval_every;
    let due = finished == run.state.recipe.epochs || (every > 0 && finished.is_multiple_of(every));
    let validated = if due {
        match run.evaluate(View::Center)? {
            ControlFlow::Continue(scores) => scores,
            ControlFlow::Break(()) => {
                run.metrics.cut(lines)?;
                run.save(false)?;
                return Ok(ControlFlow::Break(()));
            }
        }
    } else {
        None
    };
    // Without a validation split the training error has to do.
    let watched = if run.validation.is_some() {
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
