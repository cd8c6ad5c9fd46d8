//! Output folders: what is there before the work, what is made, and how it is gone on with.
//!
//! Every file in an output folder is opened, made, replaced, renamed and removed by [`file`]. The folder
//! itself is taken by [`OutputFolder`], which notes in a [`Journal`] what is finished.

mod choices;
pub(crate) mod file;
pub(crate) mod flusher;
mod folder;
mod journal;
pub(crate) mod pool;
pub(crate) mod progress;
pub(crate) mod safe_path;
pub(crate) mod space;
pub(crate) mod unfinished;

pub(crate) use choices::Choices;
pub(crate) use folder::{FolderState, JournalHeader, OutputFolder};
pub(crate) use journal::Journal;

/// Extension of a file that is not finished.
pub(crate) const PART: &str = "part";

/// Name of a file without the end that says that it is not finished.
pub(crate) fn finished_name(name: &str) -> &str {
    let end = name
        .strip_suffix(PART)
        .and_then(|name| name.strip_suffix('.'));
    end.unwrap_or(name)
}
