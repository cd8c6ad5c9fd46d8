//! The loop over the steps of an epoch.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use shardmill_loader::{Epoch, Loader};

use crate::net::{DropoutKey, StepOutput};
use crate::recipe::rate;
use crate::recipe::schedule::Observation;
use crate::run::View;
use crate::run::divergence;
use crate::run::error::TrainError;
use crate::run::report::Meter;
use crate::run::training::Run;

/// Trains the rest of an epoch. Breaks at the number of steps asked for, and at a request to stop.
pub(super) fn train_epoch(
    run: &mut Run<'_>,
    loader: &Loader,
) -> Result<ControlFlow<()>, TrainError> {
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
            drain_metrics(run)?;
            if enough {
                run.look_back()?;
            }
            return Ok(ControlFlow::Break(()));
        }
        let clock = Instant::now();
        let Some(images) = step_gradients(run, &mut batches)? else {
            drain_metrics(run)?;
            return Ok(ControlFlow::Continue(()));
        };
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

/// Records the metrics of the steps since the last call and returns those of the last step. On the CPU that
/// is one step; a GPU works on while the host runs ahead, and is asked only when its metrics are needed.
fn drain_metrics(run: &mut Run<'_>) -> Result<Option<StepOutput>, TrainError> {
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
        progress.largest_norm = progress.largest_norm.max(metrics.norm);
        for tally in [&mut progress.window, &mut progress.whole_epoch] {
            tally.add(metrics.images, output.loss, output.top1, output.top5);
        }
        let lr = run.lr();
        if let Some(warning) = divergence::observe(&mut run.state, &run.prior, lr, step, metrics) {
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
        let share = (count > 1).then(|| batch.len() as f32 / whole as f32);
        run.engine.accumulate(&batch, key, share)?;
        images += batch.len();
    }
    Ok(Some(images))
}

/// Evaluates where that is due, shows the error to the schedule, and saves. Breaks at a request to stop
/// during the evaluation; the resumed run then closes the epoch.
pub(super) fn close_epoch(run: &mut Run<'_>) -> Result<ControlFlow<()>, TrainError> {
    let finished = run.state.progress.epoch + 1;
    let lines = run.files.metrics.lines();
    let trained = run.log_epoch()?;
    let every = run.options.eval_every;
    let due = finished == run.state.recipe.epochs || (every > 0 && finished.is_multiple_of(every));
    let validated = if due {
        match run.evaluate(View::Center)? {
            ControlFlow::Continue(scores) => scores,
            ControlFlow::Break(()) => {
                run.files.metrics.cut(lines)?;
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
