//! One of the runs that are compared.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::checkpoint::{Checkpoint, RunState};
use crate::run::log::{EvaluationPoint, History, HistoryError};
use crate::run::{LAST, View};

/// A run, with what is compared of it. Errors are in percent.
#[derive(Debug, Serialize)]
pub(crate) struct ComparedRun {
    /// Distinct among the runs.
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// Whole epochs that were trained, of those that were meant to be.
    pub(crate) epochs: u64,
    pub(crate) planned_epochs: Option<u64>,
    pub(crate) steps: u64,
    /// Mean loss of the last whole epoch of training.
    pub(crate) loss: Option<f64>,
    /// The evaluation from the centre view with the lowest top-1 error, the last one, and the last from ten
    /// views.
    pub(crate) best: Option<Errors>,
    pub(crate) last: Option<Errors>,
    pub(crate) ten_views: Option<Errors>,
    /// The median over log lines.
    pub(crate) images_per_second: Option<f64>,
    pub(crate) warnings: usize,
    #[serde(skip)]
    pub(crate) history: History,
    /// What its last checkpoint says, if it has one that can be read.
    #[serde(skip)]
    pub(crate) state: Option<RunState>,
}

/// An evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Errors {
    pub(crate) epoch: u64,
    pub(crate) loss: f64,
    pub(crate) top1_error: f64,
    pub(crate) top5_error: f64,
}

impl Errors {
    const fn of(point: &EvaluationPoint) -> Self {
        Self {
            epoch: point.epoch,
            loss: point.scores.loss,
            top1_error: point.scores.top1_error,
            top5_error: point.scores.top5_error,
        }
    }
}

impl ComparedRun {
    pub(super) fn read(folder: &Path, name: String) -> Result<Self, HistoryError> {
        let history = History::read(folder)?;
        // Its head alone is read; a run that has none yet is compared by its log.
        let state = Checkpoint::peek(&folder.join(LAST)).ok();
        Ok(Self::of(name, folder, history, state))
    }

    pub(super) fn of(
        name: String,
        folder: &Path,
        history: History,
        state: Option<RunState>,
    ) -> Self {
        let of = |views: View| history.evaluations.iter().filter(move |e| e.views == views);
        let lowest =
            of(View::Center).min_by(|a, b| a.scores.top1_error.total_cmp(&b.scores.top1_error));
        let mut speeds: Vec<f64> = history.steps.iter().map(|s| s.images_per_second).collect();
        speeds.sort_by(f64::total_cmp);
        let planned = state.as_ref().map(|state| state.recipe.epochs);
        let start = history.start.as_ref();
        Self {
            name,
            folder: folder.into(),
            epochs: history.epochs.last().map_or(0, |epoch| epoch.epoch),
            planned_epochs: planned.or_else(|| start.map(|start| start.recipe.epochs)),
            steps: history.steps.last().map_or(0, |point| point.step),
            loss: history.epochs.last().map(|epoch| epoch.loss),
            best: lowest.map(Errors::of),
            last: of(View::Center).next_back().map(Errors::of),
            ten_views: of(View::Ten).next_back().map(Errors::of),
            images_per_second: speeds.get(speeds.len() / 2).copied(),
            warnings: history.warnings.len(),
            history,
            state,
        }
    }

    /// Steps of an epoch; 1 where the log does not say.
    pub(super) fn steps_per_epoch(&self) -> f64 {
        let start = self.history.start.as_ref().map(|start| {
            let images = start.recipe.step_images().max(1) as u64;
            start.train_images.div_ceil(images)
        });
        start.unwrap_or(1).max(1) as f64
    }
}

/// A name for each folder: its last part, with as many parts before it as tell it from the others.
pub(super) fn distinct_names(folders: &[PathBuf]) -> Vec<String> {
    let parts: Vec<Vec<String>> = folders
        .iter()
        .map(|folder| {
            let whole = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            let parts = whole.components().rev();
            parts
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect()
        })
        .collect();
    let name = |of: &[String], count: usize| {
        let mut last: Vec<&str> = of.iter().take(count).map(String::as_str).collect();
        last.reverse();
        last.join("/")
    };
    let longest = parts.iter().map(Vec::len).max().unwrap_or(1);
    let mut names: Vec<String> = parts.iter().map(|of| name(of, 1)).collect();
    for count in 2..=longest {
        let mut uses: HashMap<&str, usize> = HashMap::new();
        for name in &names {
            *uses.entry(name).or_default() += 1;
        }
        let shared: Vec<bool> = names.iter().map(|name| uses[name.as_str()] > 1).collect();
        for (at, _) in shared.iter().enumerate().filter(|(_, shared)| **shared) {
            names[at] = name(&parts[at], count);
        }
    }
    names
}
