//! Folders with work in them that did not end.

use std::fs;
use std::path::Path;

use crate::options::Part;
use crate::{convert, export, subset, write};

/// The command whose unfinished work is in `folder`, if there is any: `ingest`, `convert`, `subset` or
/// `export`. The same command with the same arguments goes on with it. `write` stands for a
/// [`DatasetWriter`](crate::DatasetWriter), which nobody can go on with.
#[must_use]
pub fn unfinished(folder: &Path) -> Option<&'static str> {
    let names = fs::read_dir(folder).ok()?.flatten();
    names
        .filter_map(|entry| of_journal(&entry.file_name().to_string_lossy()))
        .min()
}

fn of_journal(name: &str) -> Option<&'static str> {
    match name {
        convert::JOURNAL => Some("convert"),
        subset::JOURNAL => Some("subset"),
        export::staging::JOURNAL => Some("export"),
        write::JOURNAL => Some("write"),
        name => Part::of_journal(name).map(|_| "ingest"),
    }
}
