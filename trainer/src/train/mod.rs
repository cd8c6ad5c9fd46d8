//! The training loop.
//!
//! The state of a run is its seed, its epoch, and the images consumed of it: batches, dropout and
//! schedule follow from these, so that a run goes on from a checkpoint as if it had never stopped.

mod accumulate;
mod begin;
mod difference;
mod folder;
mod initial;
mod norm;
mod options;
mod outcome;
mod run;
mod stop;
mod tell;
mod watch;

pub use options::TrainOptions;
pub use outcome::TrainOutcome;
pub use stop::Stop;

use std::ops::ControlFlow;
use std::time::Instant;

use shardmill_loader::{Epoch, Loader};

use crate::data;
use crate::error::TrainError;
use crate::eval::View;
use crate::model::{DropoutKey, StepOutput};
use crate::report::Meter;
use accumulate::Accumulator;
use run::Run;

use crate::tally::Tally;

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
        let loader = data::training(&run.train, &run.state, options.threads)?;
        if train_epoch(&mut run, &loader)?.is_break() {
            run.save(false)?;
            return Ok(run.outcome(false));
        }
        if close_epoch(&mut run)?.is_break() {
            return Ok(run.outcome(false));
        }
    }
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
    let mut accumulator = Accumulator::default();
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
            return Ok(ControlFlow::Break(()));
        }
        let clock = Instant::now();
        let Some((output, images)) = step_gradients(run, &mut batches, &mut accumulator)? else {
            return Ok(ControlFlow::Continue(()));
        };
        let norm = norm::norm(run.model.gradients());
        if !norm.is_finite() {
            return Err(run.not_finite(run.state.progress.step + 1, "the gradient"));
        }
        let (recipe, epoch) = (&run.state.recipe, run.state.progress.epoch);
        run.sgd.step_with(&mut run.model, |parameter| {
            recipe.rate(parameter, lr, epoch)
        })?;

        let progress = &mut run.state.progress;
        progress.step += 1;
        progress.samples += images as u64;
        progress.steepest = progress.steepest.max(norm);
        for tally in [&mut progress.window, &mut progress.whole_epoch] {
            tally.add(images, output.loss, output.top1, output.top5);
        }
        let now = batches.waited();
        meter.add(
            images,
            clock.elapsed(),
            now - std::mem::replace(&mut waited, now),
        );
        if let Some(warning) = watch::observe(&mut run.state, images, output.loss) {
            run.warn(&warning)?;
        }
        let (step, samples) = (run.state.progress.step, run.state.progress.samples);
        run.show_step(&output, &meter);
        if step.is_multiple_of(run.options.log_every.max(1))
            || samples == run.state.progress.records
        {
            run.log_step(lr, &meter)?;
            meter = Meter::default();
        }
        if run
            .options
            .checkpoint_every
            .is_some_and(|every| step.is_multiple_of(every.max(1)))
        {
            run.save(false)?;
        }
    }
}

/// The mean gradient, and the scores, of the batches of one step with the number of their images;
/// `None` at the end of the epoch.
fn step_gradients(
    run: &mut Run<'_>,
    batches: &mut Epoch,
    accumulator: &mut Accumulator,
) -> Result<Option<(StepOutput, usize)>, TrainError> {
    let (progress, count) = (run.state.progress, run.state.recipe.accumulate);
    let left = progress.records - progress.samples;
    let whole = left.min(run.state.recipe.step_images() as u64) as usize;
    let (mut sums, mut images) = (Tally::default(), 0);
    for number in 0..count {
        if images == whole {
            break;
        }
        let Some(batch) = batches.next() else {
            return Ok(None);
        };
        let batch = batch?;
        let key = DropoutKey {
            seed: run.state.seed,
            step: progress.step * count as u64 + number as u64,
        };
        let output = run
            .model
            .train_step(batch.images_f32(), batch.labels(), key)?;
        if !output.loss.is_finite() {
            return Err(run.not_finite(progress.step + 1, "the loss"));
        }
        images += batch.len();
        if count == 1 {
            return Ok(Some((output, images)));
        }
        sums.add(batch.len(), output.loss, output.top1, output.top5);
        accumulator.add(&run.model, batch.len() as f32 / whole as f32);
    }
    accumulator.finish(&mut run.model);
    let output = StepOutput {
        loss: sums.loss / images as f64,
        top1: sums.top1 as usize,
        top5: sums.top5 as usize,
    };
    Ok(Some((output, images)))
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
        run.state
            .schedule
            .observe(schedule, finished, scores.top1_error);
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
        run.screen
            .say(format_args!("lr {before} -> {lr} after epoch {finished}"));
    }
    Ok(ControlFlow::Continue(()))
}
