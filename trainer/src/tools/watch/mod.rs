//! The curves of a run, in the terminal, while it trains.
//!
//! The run is left alone: its files are opened for reading only, and its lock is not touched.

mod curves;
mod follow;
mod screen;
mod status;
mod view;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use curves::Curves;
pub(crate) use follow::Follower;
pub(crate) use screen::show;
pub(crate) use status::{Status, Summary};

/// Why a run cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    /// The run's file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// There is nothing to show yet.
    #[error(
        "there is no run in {} yet: it has no metrics.jsonl; name the folder that `train --out` makes, or \
         wait for it in a terminal without `--once` and `--json`", run.display()
    )]
    NoRun {
        /// The folder.
        run: PathBuf,
    },
    /// The file is not that of a run.
    #[error("{} holds no line of a run", path.display())]
    NoLine {
        /// The file.
        path: PathBuf,
    },
    /// What is named is a file.
    #[error("{} is no folder; name the folder that `train --out` made", path.display())]
    NoFolder {
        /// The file.
        path: PathBuf,
    },
    /// The terminal refused.
    #[error("cannot draw on this terminal; `--once` prints the run's state as text")]
    Terminal {
        /// The reason.
        source: io::Error,
    },
}

/// The present state of the run in `run`, with its curves.
///
/// # Errors
/// No run there, or files that cannot be read.
pub(crate) fn state(run: &Path) -> Result<Summary, WatchError> {
    let mut follower = Follower::new(run)?;
    follower.poll()?;
    if !follower.exists() {
        return Err(WatchError::NoRun { run: run.into() });
    }
    let history = follower.history();
    let lines = history.steps.len() + history.epochs.len() + history.evaluations.len();
    if history.start.is_none() && lines == 0 && history.unknown_lines > 0 {
        return Err(WatchError::NoLine {
            path: run.join("metrics.jsonl"),
        });
    }
    Ok(Summary {
        status: Status::of(&follower),
        curves: Curves::of(history),
    })
}

#[cfg(test)]
mod tests;
