//! Several runs laid over each other: their curves, and the values in which their recipes differ.

mod curves;
mod error;
mod notes;
mod page;
mod run;
mod table;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub(crate) use error::CompareError;

use crate::report::page::write;
use run::{ComparedRun, distinct_names};
use table::ValueRow;

/// Runs beside each other. Errors are in percent.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) runs: Vec<ComparedRun>,
    /// What forbids a comparison of some figures, and what else a reader must know.
    pub(crate) notes: Vec<String>,
    /// The values in which they differ, one for each run.
    pub(crate) differences: Vec<ValueRow>,
    /// The page that was written.
    pub(crate) page: Option<PathBuf>,
}

impl Comparison {
    /// Reads the logs of runs in these folders; of finished ones and of those in progress.
    ///
    /// # Errors
    /// Fewer than two folders, the same folder twice, or a folder without a run.
    pub(crate) fn read(folders: &[PathBuf]) -> Result<Self, CompareError> {
        if folders.len() < 2 {
            return Err(CompareError::Few);
        }
        let real: Vec<Option<PathBuf>> = folders.iter().map(|f| f.canonicalize().ok()).collect();
        for (at, folder) in real.iter().enumerate() {
            if folder.is_some() && real[..at].contains(folder) {
                return Err(CompareError::Twice {
                    run: folders[at].clone(),
                });
            }
        }
        let names = distinct_names(folders);
        let runs = folders.iter().zip(names);
        let runs = runs.map(|(folder, name)| ComparedRun::read(folder, name));
        let runs = runs.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            notes: notes::notes(&runs),
            differences: table::differences(&runs),
            runs,
            page: None,
        })
    }

    /// Writes the page to `path`; over a file that is there only if `force` allows it.
    ///
    /// # Errors
    /// A file that is there, or what the file system refuses.
    pub(crate) fn write(&mut self, path: &Path, force: bool) -> Result<(), CompareError> {
        let html = page::page(self).html();
        write(path, &html, force)?;
        self.page = Some(path.into());
        Ok(())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&table::as_text(self))
    }
}

#[cfg(test)]
mod tests;
