//! Why a network could not be trained or evaluated; each message says what to do.

use std::io;
use std::path::{Path, PathBuf};

use shardmill_loader::LoaderError;

use crate::checkpoint::CheckpointError;
use crate::engine::EngineError;
use crate::net::ModelError;
use crate::ranks::RankError;

/// Why a network could not be trained or evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// No dataset where one was expected.
    #[error(
        "there is no dataset in {0}; make one from a folder of images with \
         `prep ingest IMAGES --out {0}`",
        dir.display()
    )]
    NoDataset {
        /// The folder.
        dir: PathBuf,
    },
    /// The dataset lacks a split.
    #[error(
        "the dataset in {} has no split {split:?}; it has {known}; with labels: {}", dir.display(),
        or_none(labelled)
    )]
    NoSplit {
        /// The dataset's folder.
        dir: PathBuf,
        /// The split asked for.
        split: String,
        /// The splits that it has.
        known: String,
        /// Those of them with labels.
        labelled: String,
    },
    /// The split's records have no labels.
    #[error(
        "split {split:?} of {} has no labels, so it cannot be trained on or evaluated; \
         choose a labelled split; there are: {}", dir.display(), or_none(labelled)
    )]
    Unlabelled {
        /// The dataset's folder.
        dir: PathBuf,
        /// The split.
        split: String,
        /// The splits with labels.
        labelled: String,
    },
    /// The manifest has no colour statistics.
    #[error(
        "manifest.json in {} holds no colour statistics, which the network's input is shifted by; \
         create the dataset again from a source with a training split", dir.display()
    )]
    NoStatistics {
        /// The dataset's folder.
        dir: PathBuf,
    },
    /// The dataset's classes are not those that the network knows.
    #[error(
        "the classes of {} are not those of the checkpoint: {difference}; {advice}", dir.display()
    )]
    Classes {
        /// The dataset's folder.
        dir: PathBuf,
        /// The first difference.
        difference: String,
        /// What to do.
        advice: String,
    },
    /// A dataset that should have some of the network's classes has others.
    #[error(
        "the network does not know {unknown} of the {found} classes of {}: {names}; leave them out with \
         `prep subset {} --classes A,B,...`", dir.display(), dir.display()
    )]
    UnknownClasses {
        /// The dataset's folder.
        dir: PathBuf,
        /// Number of classes that the network does not have.
        unknown: usize,
        /// Number of the dataset's classes.
        found: usize,
        /// Up to twenty of the unknown ones.
        names: String,
    },
    /// The records are smaller than the window that is cut from them.
    #[error(
        "the records of {} are {height}x{width}, too small for the {crop}x{crop} that the network \
         sees; ingest with a larger `--size`, or train with a smaller `--crop`", dir.display()
    )]
    Crop {
        /// The dataset's folder.
        dir: PathBuf,
        /// Rows of a record.
        height: u32,
        /// Columns of a record.
        width: u32,
        /// Side of the window.
        crop: usize,
    },
    /// A recipe that makes no sense.
    #[error("{0}")]
    Recipe(String),
    /// The run's folder holds something already.
    #[error(
        "{} is not empty; go on with the run in it with `--resume`, or choose another folder with \
         `--out`", run.display()
    )]
    RunExists {
        /// The folder.
        run: PathBuf,
    },
    /// There is no run to resume.
    #[error(
        "there is no run to resume in {}: it has no last.safetensors; leave out `--resume` to \
         start one", run.display()
    )]
    NothingToResume {
        /// The folder.
        run: PathBuf,
    },
    /// Another process trains in the same folder.
    #[error("another process is training in {}; wait for it, or choose another `--out`", run.display())]
    RunBusy {
        /// The folder.
        run: PathBuf,
    },
    /// A resumed run was given other settings.
    #[error(
        "the run was started with {what} {stored}, not {given}; a resumed run keeps it, so leave out the \
         flag or recipe that asks for another, or start another run"
    )]
    Changed {
        /// What differs.
        what: String,
        /// Its value in the checkpoint.
        stored: String,
        /// Its value on the command line.
        given: String,
    },
    /// A non-finite loss, gradient or weight.
    #[error(
        "step {step}: {what} is not finite, so training has stopped; the last good \
         checkpoint is {}; start another run with a lower `--lr`", checkpoint.display()
    )]
    NotFinite {
        /// The step, counted from 1.
        step: u64,
        /// What is not finite.
        what: String,
        /// The checkpoint before it.
        checkpoint: PathBuf,
    },
    /// The checkpoint to start from is of another network.
    #[error(
        "{} does not fit the network: {name} has the shape {found} there and {expected:?} here; choose \
         the network that it was trained as", path.display()
    )]
    Init {
        /// The checkpoint.
        path: PathBuf,
        /// The parameter.
        name: String,
        /// Its shape in the checkpoint.
        found: String,
        /// Its shape in the new network.
        expected: Vec<usize>,
    },
    /// A network's mean image is of other records.
    #[error(
        "the network's mean image has {mean}x{mean} pixels, but the records in {} have {height}x{width}; \
         ingest them again with `prep ingest --size {mean}`", dir.display()
    )]
    MeanImageSize {
        /// The dataset.
        dir: PathBuf,
        /// Side of the mean image.
        mean: usize,
        /// Rows of the records.
        height: u32,
        /// Columns of the records.
        width: u32,
    },
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The loader refused.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// A checkpoint could not be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The network refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The ranks cannot train together, or cannot go on.
    #[error(transparent)]
    Rank(#[from] RankError),
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
}

impl TrainError {
    /// For a file or folder that the file system refuses to `action`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

/// A list, or that it is empty.
const fn or_none(list: &str) -> &str {
    if list.is_empty() { "none" } else { list }
}
