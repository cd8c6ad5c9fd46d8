//! What came of a run.

use std::path::PathBuf;

use crate::net::scores::Scores;

/// What came of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainOutcome {
    /// The run's folder.
    pub run: PathBuf,
    /// The checkpoint of its end.
    pub last: PathBuf,
    /// The checkpoint with the lowest validation error, where there is a validation split.
    pub best: Option<PathBuf>,
    /// Its top-1 error from the centre view, in percent.
    pub best_error: Option<f64>,
    /// Whether every epoch was trained, or the error on training images has fallen far enough; otherwise the
    /// number of steps asked for, or a request to stop, came first.
    pub finished: bool,
    /// Finished epochs.
    pub epochs: u64,
    /// Steps since the run began.
    pub steps: u64,
    /// Classes of the dataset.
    pub classes: usize,
    /// The split that was validated on, where there is one.
    pub val_split: Option<String>,
    /// Validation scores of the last epoch from the centre view.
    pub center: Option<Scores>,
    /// Validation scores at the end from the centre and its mirror image, where asked for.
    pub two: Option<Scores>,
    /// Validation scores at the end from ten views, where asked for.
    pub ten: Option<Scores>,
    /// Seconds that training took in this process, evaluations included.
    pub seconds: f64,
}
