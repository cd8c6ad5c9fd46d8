//! A network and the images that it is examined on.

use std::path::PathBuf;

use shardmill_loader::{CacheOptions, Dataset, Loader};

use crate::checkpoint::{Checkpoint, RunState};
use crate::compute::Compute;
use crate::engine::{self, Engine};
use crate::net::TrainState;
use crate::net::sgd::SgdConfig;
use crate::run::View;
use crate::run::data;
use crate::run::error::TrainError;
use crate::run::subset::{self, Softmax, Subset};

/// Images in a batch of an engine for evaluation alone; an engine for training uses its own batch size.
const EVALUATION_ROWS: usize = 256;

/// Which network is examined on which images.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The checkpoint.
    pub checkpoint: PathBuf,
    /// The dataset's folder or address.
    pub shards: PathBuf,
    /// The split, which has labels.
    pub split: String,
    /// For a dataset that has only some of the network's classes: over which outputs the softmax is
    /// taken. `None`: the dataset must have the network's own classes.
    pub subset: Option<Softmax>,
    /// Where to compute.
    pub compute: Compute,
    /// Loader threads; the result does not depend on them.
    pub threads: usize,
    /// The cache for a dataset in an object store.
    pub cache: CacheOptions,
}

impl Subject {
    /// A split, such as `val`, on the CPU.
    #[must_use]
    pub fn new(
        checkpoint: impl Into<PathBuf>,
        shards: impl Into<PathBuf>,
        split: impl Into<String>,
    ) -> Self {
        Self {
            checkpoint: checkpoint.into(),
            shards: shards.into(),
            split: split.into(),
            subset: None,
            compute: Compute::default(),
            threads: 1,
            cache: CacheOptions::default(),
        }
    }
}

/// A network and a split that belong together, opened.
pub(crate) struct Examined {
    pub(crate) dataset: Dataset,
    /// The checkpoint without its tensors.
    pub(crate) state: RunState,
    pub(crate) subset: Option<Subset>,
    pub(crate) engine: Box<dyn Engine>,
    threads: usize,
}

impl Examined {
    /// Opens both.
    ///
    /// # Errors
    /// A checkpoint or dataset that cannot be read, or that do not belong together.
    pub(crate) fn open(subject: &Subject) -> Result<Self, TrainError> {
        let shards = &subject.shards;
        let dataset = data::open_cached(shards, &subject.split, &subject.cache)?;
        let checkpoint = Checkpoint::read(&subject.checkpoint)?;
        let (trained, found) = (&checkpoint.state.classes, dataset.classes());
        let subset = match subject.subset {
            Some(softmax) => Some(Subset::of(shards, trained, found, softmax)?),
            None => {
                data::check_classes(shards, trained, found)
                    .map_err(|error| subset::advised(error, trained, found))?;
                None
            }
        };
        data::check_crop(shards, &dataset, checkpoint.state.model.input_size)?;
        let mean_image = checkpoint.mean_image()?;
        data::check_mean_image(shards, &dataset, mean_image.as_deref())?;
        let train_state = TrainState {
            mean_image,
            ..TrainState::new(checkpoint.model()?, SgdConfig::default())
        };
        Ok(Self {
            dataset,
            engine: engine::open(subject.compute, train_state, EVALUATION_ROWS, None)?,
            state: checkpoint.state,
            subset,
            threads: subject.threads,
        })
    }

    /// Batches of these views of each image, in file order.
    ///
    /// # Errors
    /// What the loader reports.
    pub(crate) fn loader(&self, view: View) -> Result<Loader, TrainError> {
        data::evaluation(
            &self.dataset,
            &self.state,
            view,
            &*self.engine,
            self.threads,
        )
    }

    /// Images of each of these batches.
    pub(crate) fn batch_images(&self, view: View) -> usize {
        data::evaluation_images(view, &*self.engine)
    }

    /// Batches of `batch` centre views of these samples, in their order.
    ///
    /// # Errors
    /// A sample that there is not, and what the loader reports.
    pub(crate) fn center_views(&self, samples: &[u64], batch: usize) -> Result<Loader, TrainError> {
        let some = self.dataset.select(samples.iter().copied())?;
        let output = self.engine.output();
        data::center_views(&some, &self.state, output, batch, self.threads)
    }

    /// Sets how the engine normalises the batches of all of these loaders.
    ///
    /// # Errors
    /// What the engine reports.
    pub(crate) fn set_normalization(&mut self) -> Result<(), TrainError> {
        let normalize = data::normalize(&self.state, 1.0);
        Ok(self.engine.set_normalization(normalize)?)
    }

    /// The network's label for one of the dataset's.
    pub(crate) fn network_label(&self, label: i64) -> usize {
        let label = label as usize;
        let subset = self.subset.as_ref();
        subset.map_or(label, |subset| subset.network_label(label))
    }
}
