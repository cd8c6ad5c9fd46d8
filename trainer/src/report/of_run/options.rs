//! What a run's page is made of.

use std::path::{Path, PathBuf};

use crate::compute::Compute;
use crate::run::Stop;
use crate::run::log::Display;

/// What a run's page is made of, and where it goes.
#[derive(Clone, Debug)]
pub(crate) struct ReportOptions {
    /// The run's folder.
    pub(crate) run: PathBuf,
    /// The page.
    pub(crate) out: PathBuf,
    /// The dataset's folder; `None`: the one that the run's log names, where it is still there.
    pub(crate) shards: Option<PathBuf>,
    /// Whether photographs of the dataset are shown.
    pub(crate) images: bool,
    /// Whose weights are looked at.
    pub(crate) checkpoint: CheckpointChoice,
    /// The split whose images are judged; `None`: the one that was validated on.
    pub(crate) split: Option<String>,
    /// Whether a page that exists is replaced.
    pub(crate) force: bool,
    pub(crate) compute: Compute,
    /// Loader threads.
    pub(crate) threads: usize,
    /// Asks, from another thread, for an end without a page.
    pub(crate) stop: Stop,
    pub(crate) display: Display,
}

/// A checkpoint of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum CheckpointChoice {
    /// The best, or the last where there is no best yet.
    #[default]
    Usual,
    /// `best.safetensors`.
    Best,
    /// `last.safetensors`.
    Last,
    /// Any file.
    File(PathBuf),
}

/// Files of a run's folder.
const BEST: &str = "best.safetensors";
const LAST: &str = "last.safetensors";

impl CheckpointChoice {
    /// `best`, `last`, or else a path.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "best" => Self::Best,
            "last" => Self::Last,
            path => Self::File(path.into()),
        }
    }

    /// The file in the folder `run`, which need not exist; `None` where the run has none of the usual ones.
    pub(super) fn file(&self, run: &Path) -> Option<PathBuf> {
        let usual = |name: &str| run.join(name);
        match self {
            Self::Usual => [BEST, LAST]
                .map(usual)
                .into_iter()
                .find(|path| path.is_file()),
            Self::Best => Some(usual(BEST)),
            Self::Last => Some(usual(LAST)),
            Self::File(path) => Some(path.clone()),
        }
    }
}
