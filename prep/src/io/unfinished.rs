//! Folders that hold unfinished work, known by the names of its journals.

use std::fs;
use std::path::Path;

use crate::part::Part;

/// Name of the journal of a conversion under way.
pub(crate) const CONVERT_JOURNAL: &str = "convert.journal";
/// Name of the journal of a subset under way.
pub(crate) const SUBSET_JOURNAL: &str = "subset.journal";
/// Name of the journal of an export under way.
pub(crate) const EXPORT_JOURNAL: &str = "export.journal";
/// Name of the journal in the folder of a dataset that a program is writing.
pub(crate) const WRITE_JOURNAL: &str = "write.journal";

/// The command whose unfinished work is in `folder`, if there is any: `ingest`, `convert`, `subset` or
/// `export`. The same command with the same arguments resumes it. `write` stands for a
/// [`DatasetWriter`](crate::DatasetWriter), which cannot be resumed.
#[must_use]
pub fn unfinished(folder: &Path) -> Option<&'static str> {
    let names = fs::read_dir(folder).ok()?.flatten();
    names
        .filter_map(|entry| command_of(&entry.file_name().to_string_lossy()))
        .min()
}

/// The command whose journal has this name.
fn command_of(name: &str) -> Option<&'static str> {
    match name {
        CONVERT_JOURNAL => Some("convert"),
        SUBSET_JOURNAL => Some("subset"),
        EXPORT_JOURNAL => Some("export"),
        WRITE_JOURNAL => Some("write"),
        name => Part::of_journal(name).map(|_| "ingest"),
    }
}
