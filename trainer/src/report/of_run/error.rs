//! Why a page about a run cannot be written.

use std::path::PathBuf;

use crate::analysis::AnalysisError;
use crate::analysis::map::MapError;
use crate::analysis::snapshots::SnapshotsError;
use crate::checkpoint::CheckpointError;
use crate::net::ModelError;
use crate::net::config::ModelConfigError;
use crate::report::page::PageFileError;
use crate::report::photo::PhotoError;
use crate::report::picture::PictureError;
use crate::run::error::TrainError;
use crate::run::log::HistoryError;

/// Why a page about a run cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// The run's log is not there.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The page cannot be written.
    #[error(transparent)]
    File(#[from] PageFileError),
    /// The checkpoint is of another network than the log.
    #[error(
        "{} is no checkpoint of this run: {difference}; give one of the run's own, or leave `--checkpoint` out",
        path.display()
    )]
    OtherCheckpoint { path: PathBuf, difference: String },
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A dataset, or an evaluation of it.
    #[error(transparent)]
    Train(Box<TrainError>),
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    #[error(transparent)]
    Map(#[from] MapError),
    /// The folder of snapshots of kernels cannot be read.
    #[error(transparent)]
    Snapshots(#[from] SnapshotsError),
    #[error(transparent)]
    Config(#[from] ModelConfigError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Photo(#[from] PhotoError),
    #[error(transparent)]
    Picture(#[from] PictureError),
}

impl From<TrainError> for ReportError {
    fn from(error: TrainError) -> Self {
        Self::Train(Box::new(error))
    }
}
