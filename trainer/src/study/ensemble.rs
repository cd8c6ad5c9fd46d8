//! Averages the predictions of several networks, one network in memory at a time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use shardmill_loader::CacheOptions;

use crate::checkpoint::Checkpoint;
use crate::compute::Compute;
use crate::net::scores::{Scores, Tally};
use crate::run::error::TrainError;
use crate::run::log::Screen;
use crate::run::pass::{Pass, Verdict, rank};
use crate::run::subject::{Examined, Subject};
use crate::run::{Stop, View};
use crate::study::error::StudyError;

/// Which networks are averaged on which images.
#[derive(Clone, Debug)]
pub(crate) struct EnsembleOptions {
    /// The checkpoints.
    pub(crate) checkpoints: Vec<PathBuf>,
    /// The dataset's folder.
    pub(crate) shards: PathBuf,
    /// The split; `None`: the one that the networks were validated on.
    pub(crate) split: Option<String>,
    /// Where to compute.
    pub(crate) compute: Compute,
    /// Loader threads.
    pub(crate) threads: usize,
    /// The cache for a dataset in an object store.
    pub(crate) cache: CacheOptions,
    /// Asks for an end.
    pub(crate) stop: Stop,
}

/// The errors of several networks and of their average.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ensemble {
    /// The split.
    pub(crate) split: String,
    /// Each network by itself, in the order that was asked for.
    pub(crate) networks: Vec<Member>,
    /// The average of the softmax outputs of all.
    pub(crate) average: ViewScores,
}

/// One network.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Member {
    /// Its checkpoint: the file with the folders that tell it from the others'.
    pub(crate) checkpoint: String,
    /// Finished epochs.
    pub(crate) epochs: u64,
    /// Images that it was trained on.
    pub(crate) train_images: u64,
    /// Its errors.
    #[serde(flatten)]
    pub(crate) scores: ViewScores,
}

/// Errors on a split.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct ViewScores {
    /// From the centre view.
    pub(crate) center: Option<Scores>,
    /// From ten views.
    pub(crate) ten: Option<Scores>,
}

/// Averages the networks' predictions; `None` if a stop was asked for.
///
/// # Errors
/// Fewer than two checkpoints, the same one twice, or checkpoints that do not belong to the dataset.
pub(crate) fn ensemble(
    options: &EnsembleOptions,
    screen: &mut Screen,
) -> Result<Option<Ensemble>, StudyError> {
    let split = check(options)?;
    let labels = labels(&options.checkpoints);
    let mut networks: Vec<Member> = Vec::new();
    let mut average = ViewScores::default();
    for view in [View::Center, View::Ten] {
        let mut sums = Sums::default();
        for (number, path) in options.checkpoints.iter().enumerate() {
            let wrong = |source: TrainError| StudyError::Member {
                checkpoint: path.clone(),
                source: Box::new(source),
            };
            let subject = Subject {
                compute: options.compute,
                threads: options.threads,
                cache: options.cache.clone(),
                ..Subject::new(path, &options.shards, &split)
            };
            let mut examined = Examined::open(&subject).map_err(wrong)?;
            let (total, of) = (examined.dataset.len(), options.checkpoints.len());
            screen.begin(total, 0);
            let scores = sums.add(&mut examined, view, |done| {
                let text = format_args!(
                    "network {} of {of}, {}: {done} of {total}",
                    number + 1,
                    view.name()
                );
                screen.update(done, text);
                !options.stop.is_requested()
            });
            screen.end();
            let Some(scores) = scores.map_err(wrong)? else {
                return Ok(None);
            };
            if networks.len() == number {
                networks.push(Member {
                    checkpoint: labels[number].clone(),
                    epochs: examined.state.progress.epoch,
                    train_images: examined.state.progress.records,
                    scores: ViewScores::default(),
                });
            }
            networks[number].scores.set(view, scores);
        }
        average.set(
            view,
            sums.scores()
                .ok_or_else(|| StudyError::Wrong(format!("split {split} has no images")))?,
        );
    }
    Ok(Some(Ensemble {
        split,
        networks,
        average,
    }))
}

impl ViewScores {
    fn set(&mut self, view: View, scores: Scores) {
        match view {
            View::Ten => self.ten = Some(scores),
            _ => self.center = Some(scores),
        }
    }
}

/// The softmax outputs of several networks, added up.
#[derive(Debug, Default)]
struct Sums {
    /// A row for each image.
    probabilities: Vec<f32>,
    /// The images' classes.
    labels: Vec<usize>,
    /// Networks that were added.
    networks: usize,
}

impl Sums {
    /// Adds a network's outputs and returns its own scores; `None` if `progress` says so.
    fn add(
        &mut self,
        examined: &mut Examined,
        view: View,
        progress: impl FnMut(u64) -> bool,
    ) -> Result<Option<Scores>, TrainError> {
        let loader = examined.loader(view)?;
        let mut tally = Tally::default();
        let is_first = self.networks == 0;
        let add = |verdict: Verdict<'_>| {
            let Verdict {
                sample,
                label,
                probabilities,
                ..
            } = verdict;
            count(&mut tally, probabilities, label);
            let values = probabilities.iter().map(|&value| value as f32);
            if is_first {
                self.probabilities.extend(values);
                self.labels.push(label);
            } else {
                let row = &mut self.probabilities[sample as usize * probabilities.len()..];
                row.iter_mut()
                    .zip(values)
                    .for_each(|(sum, value)| *sum += value);
            }
            Ok::<_, TrainError>(())
        };
        let pass = Pass::new(view);
        let ended = pass.run(
            &mut *examined.engine,
            &examined.state,
            &loader,
            add,
            progress,
        )?;
        self.networks += 1;
        Ok(tally.scores().filter(|_| ended))
    }

    /// The scores of the average.
    fn scores(&self) -> Option<Scores> {
        let mut tally = Tally::default();
        let classes = self.probabilities.len().checked_div(self.labels.len())?;
        for (row, &label) in self
            .probabilities
            .chunks_exact(classes.max(1))
            .zip(&self.labels)
        {
            let mean: Vec<f64> = row
                .iter()
                .map(|&sum| f64::from(sum) / self.networks as f64)
                .collect();
            count(&mut tally, &mean, label);
        }
        tally.scores()
    }
}

/// Counts an image, as an evaluation does.
fn count(tally: &mut Tally, probabilities: &[f64], label: usize) {
    let rank = rank(probabilities, label);
    let loss = -libm::log(probabilities[label].max(f64::MIN_POSITIVE));
    tally.add(1, loss, usize::from(rank < 1), usize::from(rank < 5));
}

/// Checks what can be checked at once, and returns the split.
fn check(options: &EnsembleOptions) -> Result<String, StudyError> {
    let wrong = |text: String| Err(StudyError::Wrong(text));
    let paths = &options.checkpoints;
    if paths.len() < 2 {
        return wrong(
            "an ensemble has two networks or more: give each with `--checkpoint FILE`, all trained on the same \
             classes, with different seeds"
                .to_owned(),
        );
    }
    let place = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
    for (number, path) in paths.iter().enumerate() {
        if paths[..number]
            .iter()
            .any(|other| place(other) == place(path))
        {
            return wrong(format!(
                "{} is given twice; each network counts once",
                path.display()
            ));
        }
    }
    let mut splits = Vec::new();
    for path in paths {
        let state = Checkpoint::peek(path).map_err(|error| StudyError::Member {
            checkpoint: path.clone(),
            source: Box::new(error.into()),
        })?;
        splits.push(state.recipe.val_split.unwrap_or_else(|| "val".to_owned()));
    }
    if let Some(split) = &options.split {
        return Ok(split.clone());
    }
    match splits.iter().find(|split| **split != splits[0]) {
        Some(other) => wrong(format!(
            "the networks were validated on different splits, {} and {other}; choose one with `--split`",
            splits[0]
        )),
        None => Ok(splits.swap_remove(0)),
    }
}

/// The name of each file with the folder that it is in, and with as many more as tell all from each other.
fn labels(paths: &[PathBuf]) -> Vec<String> {
    let deepest = paths.iter().map(|path| path.components().count()).max();
    let deepest = deepest.unwrap_or_default().max(2);
    let at = |depth: usize| paths.iter().map(|path| short(path, depth)).collect();
    let depths = 2..=deepest;
    depths
        .map(at)
        .find(|labels: &Vec<String>| {
            let different: BTreeSet<&String> = labels.iter().collect();
            different.len() == labels.len()
        })
        .unwrap_or_else(|| at(deepest))
}

/// A file's name with `depth - 1` of its folders.
fn short(path: &Path, depth: usize) -> String {
    let names = path
        .components()
        .rev()
        .take(depth)
        .map(|part| part.as_os_str().to_string_lossy());
    let names: Vec<_> = names.collect();
    names.into_iter().rev().collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::{Sums, labels};

    #[test]
    fn the_average_is_of_probabilities() {
        // Two networks, two images of two classes. The first network is right about neither, and sure of one.
        let sums = Sums {
            probabilities: vec![0.4 + 0.9, 0.6 + 0.1, 0.99 + 0.3, 0.01 + 0.7],
            labels: vec![0, 1],
            networks: 2,
        };
        let scores = sums.scores().unwrap();
        assert_eq!(
            (scores.samples, scores.top1_error, scores.top5_error),
            (2, 50.0, 0.0)
        );
        let loss = -(0.65_f64.ln() + 0.355_f64.ln()) / 2.0;
        assert!((scores.loss - loss).abs() < 1e-6, "{}", scores.loss);
        assert!(Sums::default().scores().is_none());
    }

    #[test]
    fn a_checkpoint_is_called_by_its_run() {
        let called = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(Into::into).collect();
            labels(&paths).join(" ")
        };
        assert_eq!(
            called(&[
                "/home/me/runs/lrn-1/best.safetensors",
                "b/lrn-2/best.safetensors"
            ]),
            "lrn-1/best.safetensors lrn-2/best.safetensors"
        );
        assert_eq!(
            called(&["a/with-1/best.safetensors", "b/with-1/best.safetensors"]),
            "a/with-1/best.safetensors b/with-1/best.safetensors"
        );
    }
}
