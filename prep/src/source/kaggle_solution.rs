//! Kaggle's table of the validation images and their classes.

use std::path::Path;

use super::bounded::read_text;
use super::named_labels::NamedLabels;
use crate::error::PrepError;

/// Name of the table.
pub(super) const FILE: &str = "LOC_val_solution.csv";

/// Synset of each validation image, by its name without extension. The table has a line
/// `ImageId,synset x y x y synset x y x y ...` for each.
pub(super) fn read(path: &Path) -> Result<NamedLabels, PrepError> {
    let wrong = |message: String| PrepError::Source {
        path: path.to_owned(),
        message,
    };
    let text = read_text(path)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut synsets = NamedLabels::default();
    for row in reader.records() {
        let row = row.map_err(|error| wrong(error.to_string()))?;
        let line = row.position().map_or(0, csv::Position::line);
        let synset = row.get(1).and_then(|boxes| boxes.split_whitespace().next());
        let (Some(image), Some(synset)) = (row.get(0), synset) else {
            return Err(wrong(format!("line {line} has no image or no synset")));
        };
        synsets
            .add(image, synset, line)
            .map_err(|message| wrong(format!("line {line}: {message}")))?;
    }
    Ok(synsets)
}
