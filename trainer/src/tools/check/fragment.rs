//! What one part of a check has found, in a file that is written anew with everything that it finds.

use std::fs;
use std::path::PathBuf;

use shardmill_formats::Causes;

use crate::run::error::TrainError;
use crate::tools::check::comparisons::Comparisons;

/// What one part of a check has found so far.
#[derive(Debug)]
pub(super) struct Fragment {
    file: PathBuf,
    text: String,
    pub(super) tally: Comparisons,
}

impl Fragment {
    pub(super) fn new(file: PathBuf) -> Self {
        Self {
            file,
            text: String::new(),
            tally: Comparisons::default(),
        }
    }

    /// Runs something that may fail; an error is noted as a failure of `what`, and what follows runs all the same.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn attempt(
        &mut self,
        what: &str,
        work: impl FnOnce(&mut Comparisons) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        if let Err(error) = work(&mut self.tally) {
            let failure = format!("{what}: {}", Causes(&error));
            self.tally.expect(&failure, false);
        }
        self.save()
    }

    /// Appends text.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn say(&mut self, text: &str) -> Result<(), TrainError> {
        self.text += text;
        self.save()
    }

    /// Notes what ended the part.
    pub(super) fn fail(&mut self, error: &TrainError) {
        self.tally.expect(&Causes(error).to_string(), false);
    }

    /// Whether everything holds so far.
    pub(super) fn passed(&self) -> bool {
        self.tally.passed()
    }

    /// # Errors
    /// The file cannot be written.
    pub(super) fn save(&self) -> Result<(), TrainError> {
        let text = format!("{}{}", self.text, self.tally.markdown());
        fs::write(&self.file, text).map_err(TrainError::io("write", &self.file))
    }
}
