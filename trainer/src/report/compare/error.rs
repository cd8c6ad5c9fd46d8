//! Why runs cannot be compared.

use std::path::PathBuf;

use crate::report::page::PageFileError;
use crate::run::log::HistoryError;

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    /// A comparison takes two.
    #[error("give the folders of two runs or more")]
    Few,
    /// The same folder twice.
    #[error("{} is given twice; name each run once", run.display())]
    Twice {
        /// The folder.
        run: PathBuf,
    },
    /// A folder without a run.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The page cannot be written.
    #[error(transparent)]
    File(#[from] PageFileError),
}
