//! The log of an arm's run, which must be that of its own training before it becomes a result.

use std::fs;
use std::path::Path;

use crate::checkpoint::{Checkpoint, RunState};
use crate::net::config::ModelConfig;
use crate::recipe::Recipe;
use crate::recipe::difference::differences;
use crate::run::error::TrainError;
use crate::run::log::History;
use crate::study::error::StudyError;
use crate::study::result::Settings;

/// Checks that the checkpoint `last` and the log of the run in `dir` are of `settings`, and that the log has all
/// the lines that the checkpoint counts.
///
/// # Errors
/// A file of another run, one that is missing, or a log that is cut.
pub(super) fn check_run(settings: &Settings, dir: &Path, last: &Path) -> Result<(), StudyError> {
    let state = Checkpoint::peek(last).map_err(TrainError::from)?;
    let log = dir.join("metrics.jsonl");
    let other = |path: &Path, why: String| Err(other_run(settings, dir, path, why));
    if let Some(why) = checkpoint_differs(settings, &state) {
        return other(last, why);
    }
    let Ok(bytes) = fs::read(&log) else {
        return other(&log, "it is missing or cannot be read".to_owned());
    };
    let Some(start) = History::read(dir).ok().and_then(|history| history.start) else {
        return other(&log, "it does not say which run it is of".to_owned());
    };
    let dataset = &settings.dataset;
    let counts = [
        ("seed", start.seed, settings.seed),
        ("classes", start.classes as u64, dataset.classes as u64),
        ("train_images", start.train_images, dataset.train.images),
    ];
    if let Some((key, found, own)) = counts.iter().find(|(_, found, own)| found != own) {
        return other(&log, format!("its {key} is {found}, the arm's {own}"));
    }
    if let Some(why) = changed(settings, &start.recipe, &start.model) {
        return other(&log, why);
    }
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    let counted = state.progress.metrics_lines;
    if lines < counted {
        return other(
            &log,
            format!("it has {lines} lines, and the checkpoint counts {counted}"),
        );
    }
    Ok(())
}

/// Checks that the log of a run that has ended goes as far as its checkpoint, and no further.
///
/// # Errors
/// A log of another length.
pub(super) fn check_end(
    settings: &Settings,
    dir: &Path,
    checkpoint: &Path,
    history: &History,
) -> Result<(), StudyError> {
    let state = Checkpoint::peek(checkpoint).map_err(TrainError::from)?;
    let step = state.progress.step;
    let logged = last_step(history);
    if logged == step {
        return Ok(());
    }
    let why = format!("its last step is {logged}, the checkpoint's {step}");
    Err(other_run(settings, dir, &dir.join("metrics.jsonl"), why))
}

/// The last step that anything was logged of.
fn last_step(history: &History) -> u64 {
    let steps = history.steps.iter().map(|point| point.step);
    let epochs = history.epochs.iter().map(|point| point.step);
    let evaluations = history.evaluations.iter().map(|point| point.step);
    let measured = history.training_errors.iter().map(|point| point.step);
    let all = steps.chain(epochs).chain(evaluations).chain(measured);
    all.max().unwrap_or_default()
}

fn checkpoint_differs(settings: &Settings, state: &RunState) -> Option<String> {
    let counts = [
        ("seed", state.seed, settings.seed),
        (
            "number of classes",
            state.classes.len() as u64,
            settings.dataset.classes as u64,
        ),
        (
            "number of training images",
            state.progress.records,
            settings.dataset.train.images,
        ),
    ];
    if let Some((key, found, own)) = counts.iter().find(|(_, found, own)| found != own) {
        return Some(format!("its {key} is {found}, the arm's {own}"));
    }
    changed(settings, &state.recipe, &state.model)
}

/// The first setting of a run that is not the arm's, in words. A run may go on for more epochs than it began with.
fn changed(settings: &Settings, recipe: &Recipe, model: &ModelConfig) -> Option<String> {
    let own = Recipe {
        epochs: recipe.epochs,
        ..settings.recipe.clone()
    };
    let mut found = differences(recipe, &own).into_iter();
    let difference = found
        .next()
        .or_else(|| differences(model, &settings.model).into_iter().next())?;
    Some(format!(
        "its {} is {}, the arm's {}",
        difference.key, difference.first, difference.second
    ))
}

fn other_run(settings: &Settings, dir: &Path, path: &Path, why: String) -> StudyError {
    StudyError::OtherRun {
        path: path.into(),
        dir: dir.into(),
        arm: settings.arm.clone(),
        seed: settings.seed,
        why,
    }
}
