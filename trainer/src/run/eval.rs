//! Evaluation: the share of a split's images that a network classifies wrongly.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use shardmill_formats::Printable;
use shardmill_loader::Loader;

use crate::checkpoint::{Checkpoint, RunState};
use crate::compute::Compute;
use crate::engine::{self, Engine};
use crate::net::TrainState;
use crate::net::scores::{Scores, Tally};
use crate::net::sgd::SgdConfig;
use crate::run::View;
use crate::run::data;
use crate::run::error::TrainError;
use crate::run::log::{Display, Screen};
use crate::run::subset::{self, Softmax, Subset, SubsetSize};

/// Images in a batch of an engine for evaluation alone; an engine for training uses its own batch size.
const EVALUATION_ROWS: usize = 256;

/// What to evaluate.
#[derive(Clone, Debug)]
pub struct EvalOptions {
    /// The checkpoint.
    pub checkpoint: PathBuf,
    /// The dataset's folder.
    pub shards: PathBuf,
    /// The split.
    pub split: String,
    /// The views, each evaluated by itself.
    pub views: Vec<View>,
    /// For a dataset that has only some of the network's classes: over which outputs the softmax is
    /// taken. `None`: the dataset must have the network's own classes.
    pub subset: Option<Softmax>,
    /// Where to compute.
    pub compute: Compute,
    /// Loader threads.
    pub threads: usize,
    /// What is shown meanwhile.
    pub display: Display,
}

impl EvalOptions {
    /// The centre view and the ten views of split `val`.
    #[must_use]
    pub fn new(checkpoint: impl Into<PathBuf>, shards: impl Into<PathBuf>) -> Self {
        Self {
            checkpoint: checkpoint.into(),
            shards: shards.into(),
            split: data::VAL.to_owned(),
            views: vec![View::Center, View::Ten],
            subset: None,
            compute: Compute::default(),
            threads: 1,
            display: Display::Quiet,
        }
    }
}

/// A checkpoint's errors on a split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The split.
    pub split: String,
    /// Number of classes among which the network chose.
    pub classes: usize,
    /// What part of the network's classes the dataset has, where such a part was asked for.
    pub subset: Option<SubsetSize>,
    /// Finished epochs of the checkpoint.
    pub epoch: u64,
    /// Steps of the checkpoint.
    pub step: u64,
    /// From the centre view, where asked for.
    pub center: Option<Scores>,
    /// From the centre and its mirror image, where asked for.
    pub two: Option<Scores>,
    /// From ten views, where asked for.
    pub ten: Option<Scores>,
    /// Seconds that it took.
    pub seconds: f64,
}

impl fmt::Display for Evaluation {
    /// What was evaluated, then a line for each view.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "after {} epochs ({} steps), split {}, chance error {:.1}%",
            self.epoch,
            self.step,
            Printable(&self.split),
            100.0 - 100.0 / self.classes as f64
        )?;
        if let Some(subset) = self.subset {
            let (classes, of) = (subset.classes, subset.of);
            let over = match subset.softmax {
                Softmax::Subset => "these",
                Softmax::All => "all",
            };
            writeln!(
                f,
                "{classes} of the network's {of} classes, softmax over {over}"
            )?;
        }
        let views = [
            (View::Center, self.center),
            (View::Two, self.two),
            (View::Ten, self.ten),
        ];
        for (view, scores) in views {
            if let Some(scores) = scores {
                writeln!(
                    f,
                    "{:<12} top-1 error {:.2}%  top-5 error {:.2}%  loss {:.4}  ({} images)",
                    view.name(),
                    scores.top1_error,
                    scores.top5_error,
                    scores.loss,
                    scores.samples
                )?;
            }
        }
        Ok(())
    }
}

/// Evaluates a checkpoint on a split.
///
/// # Errors
/// A checkpoint or dataset that cannot be read, or that do not belong together.
pub fn evaluate(options: &EvalOptions) -> Result<Evaluation, TrainError> {
    let clock = Instant::now();
    let dataset = data::open(&options.shards, &options.split)?;
    let checkpoint = Checkpoint::read(&options.checkpoint)?;
    let state = &checkpoint.state;
    let (trained, found) = (&state.classes, dataset.classes());
    let subset = match options.subset {
        Some(softmax) => Some(Subset::of(&options.shards, trained, found, softmax)?),
        None => {
            data::check_classes(&options.shards, trained, found)
                .map_err(|error| subset::advised(error, trained, found))?;
            None
        }
    };
    data::check_crop(&options.shards, &dataset, state.model.input_size)?;
    let mean_image = checkpoint.mean_image()?;
    data::check_mean_image(&options.shards, &dataset, mean_image.as_deref())?;
    let train_state = TrainState {
        mean_image,
        ..TrainState::new(checkpoint.model()?, SgdConfig::default())
    };
    let mut engine = engine::open(options.compute, train_state, EVALUATION_ROWS, None)?;
    let mut screen = Screen::new(options.display);
    let mut evaluation = Evaluation {
        split: options.split.clone(),
        classes: subset.as_ref().map_or(trained.len(), Subset::choices),
        subset: subset.as_ref().map(Subset::size),
        epoch: state.progress.epoch,
        step: state.progress.step,
        center: None,
        two: None,
        ten: None,
        seconds: 0.0,
    };
    for &view in &options.views {
        screen.begin(dataset.len(), 0);
        let loader = data::evaluation(&dataset, state, view, &*engine, options.threads)?;
        let subset = subset.as_ref();
        let scores = score(&mut *engine, state, &loader, view, subset, |done| {
            let text = format_args!("{}: {done} of {}", view.name(), dataset.len());
            screen.update(done, text);
            true
        })?;
        screen.end();
        match view {
            View::Center => evaluation.center = scores,
            View::Two => evaluation.two = scores,
            View::Ten => evaluation.ten = scores,
        }
    }
    evaluation.seconds = clock.elapsed().as_secs_f64();
    Ok(evaluation)
}

/// The scores of a network on the images of `loader`, of a dataset that may have a subset of its classes.
/// `progress` is called with the number of images done and returns whether to go on; `None` if it does not.
pub(super) fn score(
    engine: &mut dyn Engine,
    state: &RunState,
    loader: &Loader,
    view: View,
    subset: Option<&Subset>,
    mut progress: impl FnMut(u64) -> bool,
) -> Result<Option<Scores>, TrainError> {
    engine.set_normalization(data::normalize(state, 1.0))?;
    let mut tally = Tally::default();
    for batch in loader.epoch(0) {
        let batch = Arc::new(batch?);
        let logits = engine.logits(&batch)?;
        for (views, &label) in logits.chunks(view.count()).zip(batch.labels()) {
            let (probabilities, label) = match subset {
                Some(subset) => (
                    mean_softmax(&subset.outputs(views)),
                    subset.label(label as usize),
                ),
                None => (mean_softmax(views), label as usize),
            };
            let rank = rank(&probabilities, label);
            // The smallest positive number keeps the loss of a hopeless case finite.
            let loss = -libm::log(probabilities[label].max(f64::MIN_POSITIVE));
            tally.add(1, loss, usize::from(rank < 1), usize::from(rank < 5));
        }
        if !progress(tally.samples) {
            return Ok(None);
        }
    }
    let empty = || TrainError::Recipe("the split has no images".to_owned());
    tally.scores().map(Some).ok_or_else(empty)
}

/// The softmax of each row, averaged over the rows.
pub(crate) fn mean_softmax(rows: &[impl AsRef<[f32]>]) -> Vec<f64> {
    let mut mean = vec![0.0; rows[0].as_ref().len()];
    for row in rows {
        let row = row.as_ref();
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> = row
            .iter()
            .map(|&logit| libm::exp(f64::from(logit) - f64::from(highest)))
            .collect();
        let sum: f64 = powers.iter().sum();
        for (mean, power) in mean.iter_mut().zip(powers) {
            *mean += power / sum / rows.len() as f64;
        }
    }
    mean
}

/// How many classes come before `label`. Equal probabilities and NaNs count as before it, so that a network
/// that gives every class the same probability is never right.
fn rank(probabilities: &[f64], label: usize) -> usize {
    let own = probabilities[label];
    let others = probabilities
        .iter()
        .enumerate()
        .filter(|&(class, _)| class != label);
    others
        .filter(|&(_, &other)| other >= own || other.is_nan() || own.is_nan())
        .count()
}

#[cfg(test)]
mod tests {
    use super::{mean_softmax, rank};

    #[test]
    fn averages_probabilities_and_not_logits() {
        let (sure, unsure) = (vec![0.0, 40.0], vec![1.0, 0.0]);
        let mean = mean_softmax(&[sure, unsure]);
        let expected = (1.0 + 1.0 / (1.0 + 1f64.exp())) / 2.0;
        assert!((mean[1] - expected).abs() < 1e-12);
        assert!((mean[0] + mean[1] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn large_logits_do_not_overflow() {
        assert_eq!(mean_softmax(&[vec![1e30, -1e30]]), [1.0, 0.0]);
    }

    #[test]
    fn ranks_are_counted_from_the_top() {
        let probabilities = [0.1, 0.4, 0.3, 0.2];
        assert_eq!(
            [0, 1, 2, 3].map(|label| rank(&probabilities, label)),
            [3, 0, 1, 2]
        );
    }

    #[test]
    fn a_network_that_cannot_tell_is_right_about_nothing() {
        assert_eq!(rank(&[0.25; 4], 0), 3);
        assert_eq!(rank(&[f64::NAN; 4], 0), 3);
    }
}
