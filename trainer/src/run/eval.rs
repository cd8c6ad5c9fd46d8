//! Evaluation: the share of a split's images that a network classifies wrongly.

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use shardmill_formats::Printable;
use shardmill_loader::{CacheOptions, Loader};

use crate::checkpoint::RunState;
use crate::compute::Compute;
use crate::engine::Engine;
use crate::net::scores::{Scores, Tally};
use crate::run::View;
use crate::run::data::VAL;
use crate::run::error::TrainError;
use crate::run::log::{Display, Screen};
use crate::run::pass::{Pass, Verdict};
use crate::run::subject::{Examined, Subject};
use crate::run::subset::{Softmax, Subset, SubsetSize};

/// What to evaluate.
#[derive(Clone, Debug)]
pub struct EvalOptions {
    /// The checkpoint.
    pub checkpoint: PathBuf,
    /// The dataset's folder or address.
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
    /// The cache for a dataset in an object store.
    pub cache: CacheOptions,
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
            split: VAL.to_owned(),
            views: vec![View::Center, View::Ten],
            subset: None,
            compute: Compute::default(),
            threads: 1,
            cache: CacheOptions::default(),
            display: Display::Quiet,
        }
    }

    /// Without the views and what is shown.
    fn subject(&self) -> Subject {
        Subject {
            checkpoint: self.checkpoint.clone(),
            shards: self.shards.clone(),
            split: self.split.clone(),
            subset: self.subset,
            compute: self.compute,
            threads: self.threads,
            cache: self.cache.clone(),
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
    let mut examined = Examined::open(&options.subject())?;
    let mut screen = Screen::new(options.display);
    let Examined { state, subset, .. } = &examined;
    let mut evaluation = Evaluation {
        split: options.split.clone(),
        classes: subset.as_ref().map_or(state.classes.len(), Subset::choices),
        subset: subset.as_ref().map(Subset::size),
        epoch: state.progress.epoch,
        step: state.progress.step,
        center: None,
        two: None,
        ten: None,
        seconds: 0.0,
    };
    let total = examined.dataset.len();
    for &view in &options.views {
        screen.begin(total, 0);
        let loader = examined.loader(view)?;
        let Examined {
            state,
            subset,
            engine,
            ..
        } = &mut examined;
        let pass = Pass {
            subset: subset.as_ref(),
            ..Pass::new(view)
        };
        let scores = score(&mut **engine, state, &loader, &pass, |done| {
            screen.update(done, format_args!("{}: {done} of {total}", view.name()));
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

/// The scores of a network on the images of `loader`, by one pass over them. `progress` is called with the
/// number of images done and returns whether to go on; `None` if it does not.
fn score(
    engine: &mut dyn Engine,
    state: &RunState,
    loader: &Loader,
    pass: &Pass,
    progress: impl FnMut(u64) -> bool,
) -> Result<Option<Scores>, TrainError> {
    let Some(tally) = tally(engine, state, loader, pass, progress)? else {
        return Ok(None);
    };
    let empty = || TrainError::Recipe("the split has no images".to_owned());
    tally.scores().map(Some).ok_or_else(empty)
}

/// [`score`] as sums.
pub(super) fn tally(
    engine: &mut dyn Engine,
    state: &RunState,
    loader: &Loader,
    pass: &Pass,
    progress: impl FnMut(u64) -> bool,
) -> Result<Option<Tally>, TrainError> {
    let mut tally = Tally::default();
    let add = |verdict: Verdict| {
        let Verdict {
            probabilities,
            label,
            rank,
            ..
        } = verdict;
        // The smallest positive number keeps the loss of a hopeless case finite.
        let loss = -libm::log(probabilities[label].max(f64::MIN_POSITIVE));
        tally.add(1, loss, usize::from(rank < 1), usize::from(rank < 5));
        Ok::<_, TrainError>(())
    };
    let is_whole = pass.run(engine, state, loader, add, progress)?;
    Ok(is_whole.then_some(tally))
}
