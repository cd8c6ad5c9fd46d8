//! Why a study cannot begin or go on; each message says what to do.

use std::io;
use std::path::{Path, PathBuf};

use crate::net::config::ModelConfigError;
use crate::recipe::setup::SetupError;
use crate::run::error::TrainError;
use crate::run::log::HistoryError;

/// Why a study cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StudyError {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Wrong(String),
    /// An arm's network or recipe is not one.
    #[error("arm {arm}")]
    Arm {
        arm: String,
        source: Box<SetupError>,
    },
    /// An arm's network is not one.
    #[error("arm {arm}")]
    Network {
        arm: String,
        source: ModelConfigError,
    },
    /// The recipe to start from is one, and an arm of it is not.
    #[error("recipe {recipe} does not go with all arms of study {study}; {remedy}")]
    Unfit {
        recipe: String,
        study: &'static str,
        remedy: &'static str,
        source: Box<StudyError>,
    },
    /// The recipe to start from is not one.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// An arm could not be trained.
    #[error("{arm} with seed {seed}")]
    Training {
        arm: String,
        seed: u64,
        source: Box<TrainError>,
    },
    /// A network of an ensemble that cannot be used.
    #[error("{}", checkpoint.display())]
    Member {
        checkpoint: PathBuf,
        source: Box<TrainError>,
    },
    /// The dataset or a checkpoint cannot be used.
    #[error(transparent)]
    Train(Box<TrainError>),
    /// The log of an arm that was trained cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A file of a study that is damaged or of another version.
    #[error(
        "{} cannot be read as {what}; restore it, or delete it, and what it says is {remade}",
        path.display()
    )]
    Broken {
        path: PathBuf,
        what: &'static str,
        remade: &'static str,
        source: serde_json::Error,
    },
    /// Results of other settings.
    #[error(
        "{} is of another study: {key} is {stored} there and {given} here; ask for the same, or keep this \
         study apart with another `--out` and `--results`", path.display()
    )]
    OtherSettings {
        path: PathBuf,
        key: String,
        stored: String,
        given: String,
    },
    /// A folder for a run that holds something else.
    #[error(
        "{} holds {name}, which no unfinished run leaves behind; move it away, or choose another `--out`",
        dir.display()
    )]
    Foreign { dir: PathBuf, name: String },
    /// The log or the checkpoint of an arm's folder is of another run, or is not whole.
    #[error(
        "{} does not belong to {arm} with seed {seed}: {why}; delete the folder {}, and the arm is trained again",
        path.display(), dir.display()
    )]
    OtherRun {
        path: PathBuf,
        dir: PathBuf,
        arm: String,
        seed: u64,
        why: String,
    },
    /// Two arms that would be trained alike.
    #[error(
        "with recipe {recipe} the arms {first} and {second} are the same network{why}; {remedy}"
    )]
    SameArms {
        recipe: String,
        first: &'static str,
        second: &'static str,
        why: String,
        remedy: &'static str,
    },
    /// Another process works on the study.
    #[error("another process runs a study in {}; wait for it, or choose another folder with `--out` or \
            `--results`", out.display())]
    Busy { out: PathBuf },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl From<TrainError> for StudyError {
    fn from(error: TrainError) -> Self {
        Self::Train(Box::new(error))
    }
}

impl StudyError {
    /// For a file or folder that the file system refuses to `action`.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
