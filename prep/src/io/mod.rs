//! Output folders, object stores, and what all commands share: worker threads, progress, free space.
//!
//! Every file in an output folder is opened, created, replaced, renamed and removed by [`file`]. An
//! [`OutputFolder`] holds a journal that lists what is finished.

mod choices;
pub(crate) mod file;
pub(crate) mod flusher;
mod folder;
mod journal;
pub(crate) mod objects;
mod place;
pub(crate) mod pool;
pub(crate) mod progress;
pub(crate) mod safe_path;
pub(crate) mod space;
pub(crate) mod unfinished;

pub(crate) use choices::Choices;
pub(crate) use folder::{FolderState, JournalHeader, OutputFolder};
pub(crate) use journal::Journal;
pub(crate) use place::Place;

/// Extension of an unfinished file.
pub(crate) const PART: &str = "part";

/// Name of a file without the extension of an unfinished one.
pub(crate) fn finished_name(name: &str) -> &str {
    let end = name
        .strip_suffix(PART)
        .and_then(|name| name.strip_suffix('.'));
    end.unwrap_or(name)
}
