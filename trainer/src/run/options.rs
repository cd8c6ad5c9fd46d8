//! What to train, how, and where to.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shardmill_loader::CacheOptions;

use crate::compute::Compute;
use crate::net::config::{ModelConfig, Variant};
use crate::recipe::Recipe;
use crate::run::log::Display;
use crate::run::{LAST, Stop, View, variant_name};

/// A measurement of the error on training images as an evaluation does it: the centre view, without
/// augmentation or dropout. The error that a step logs is that of the batch before its update, augmented.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingError {
    /// Images that it is measured on, evenly spread over the training split, always the same; all of them
    /// where the split has no more.
    pub images: u64,
    /// Measurements in an epoch, after equal parts of its steps, and one before the first step; 0: only at the
    /// end of the run.
    pub per_epoch: u64,
    /// Error in percent at which the run ends.
    pub enough: Option<f64>,
}

/// What to train, how, and where to.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// The dataset's folder or address.
    pub shards: PathBuf,
    /// The run's folder; it must be empty or not exist, unless the run in it is resumed.
    pub run: PathBuf,
    /// Whether to go on with the run in the folder. Then seed, recipe and network must be those
    /// that it was started with, except the number of epochs.
    pub resume: bool,
    /// The seed that everything random follows from.
    pub seed: u64,
    /// How the network is trained.
    pub recipe: Recipe,
    /// What the network is made of; the number of classes is taken from the dataset.
    pub model: ModelConfig,
    /// A checkpoint whose weights a new run starts from; those of fc8 only if the classes are the same.
    pub init: Option<PathBuf>,
    /// Where to compute; a resumed run may change it.
    pub compute: Compute,
    /// Loader threads; the result does not depend on them.
    pub threads: usize,
    /// The cache for a dataset in an object store; the result does not depend on it.
    pub cache: CacheOptions,
    /// Epochs between evaluations of the split for validation; 0 for none before the end.
    pub eval_every: u64,
    /// Steps between log lines.
    pub log_every: u64,
    /// Steps between checkpoints within an epoch; there is one after every epoch in any case.
    pub checkpoint_every: Option<u64>,
    /// Whether conv1's kernels are kept after every epoch, in `kernels/` of the run's folder.
    pub snapshots: bool,
    /// Steps after which to stop, with a checkpoint, counted from the start of the run.
    pub max_steps: Option<u64>,
    /// The views of the evaluation at the end. The centre view is evaluated in any case.
    pub final_views: Vec<View>,
    /// How the error on training images is measured, where it is.
    pub training_error: Option<TrainingError>,
    /// Asks, from another thread, for a stop with a checkpoint.
    pub stop: Stop,
    /// What is shown meanwhile.
    pub display: Display,
}

impl TrainOptions {
    /// The paper's recipe and network.
    #[must_use]
    pub fn new(shards: impl Into<PathBuf>, run: impl Into<PathBuf>) -> Self {
        Self {
            shards: shards.into(),
            run: run.into(),
            resume: false,
            seed: 1,
            recipe: Recipe::default(),
            model: ModelConfig::default(),
            init: None,
            compute: Compute::default(),
            threads: 1,
            cache: CacheOptions::default(),
            eval_every: 1,
            log_every: 20,
            checkpoint_every: None,
            snapshots: true,
            max_steps: None,
            final_views: vec![View::Center, View::Ten],
            training_error: None,
            stop: Stop::default(),
            display: Display::Quiet,
        }
    }

    /// The default folder of a run: `runs/SHARDS-VARIANT-seedSEED`, so that the same
    /// command line with `--resume` finds it again.
    #[must_use]
    pub fn default_run(shards: &Path, variant: Variant, seed: u64) -> PathBuf {
        let shards = shards.file_name().unwrap_or("shards".as_ref());
        let (shards, variant) = (shards.to_string_lossy(), variant_name(variant));
        Path::new("runs").join(format!("{shards}-{variant}-seed{seed}"))
    }

    /// The checkpoint that a run in this folder goes on from.
    #[must_use]
    pub fn last(&self) -> PathBuf {
        self.run.join(LAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_called_after_its_shards_wherever_they_are() {
        for (shards, name) in [
            ("shards", "shards"),
            ("/data/imagenet/", "imagenet"),
            ("s3://bucket/sets/imagenet/", "imagenet"),
            ("s3://bucket", "bucket"),
            ("gs://bucket/", "bucket"),
            ("https://host.example/imagenet", "imagenet"),
        ] {
            let run = TrainOptions::default_run(shards.as_ref(), Variant::Alexnet, 3);
            assert_eq!(run, Path::new("runs").join(format!("{name}-alexnet-seed3")));
        }
    }
}
