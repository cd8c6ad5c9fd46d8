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

/// Digits that tell unfinished files of one name apart, if several processes may be writing it.
pub(crate) const ATTEMPT_DIGITS: usize = 16;

/// Name of a file without the extension of an unfinished one, and without what tells it from others of its name.
pub(crate) fn finished_name(name: &str) -> &str {
    let end = name
        .strip_suffix(PART)
        .and_then(|name| name.strip_suffix('.'));
    let Some(end) = end else {
        return name;
    };
    let is_attempt = |text: &str| {
        text.len() == ATTEMPT_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    match end.rsplit_once('.') {
        Some((name, attempt)) if is_attempt(attempt) => name,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_file_is_known_by_its_name() {
        for (name, finished) in [
            ("a.safetensors", "a.safetensors"),
            ("a.safetensors.part", "a.safetensors"),
            ("a.safetensors.0123456789abcdef.part", "a.safetensors"),
            (
                "a.safetensors.0123456789abcde.part",
                "a.safetensors.0123456789abcde",
            ),
            (
                "a.safetensors.0123456789abcdef",
                "a.safetensors.0123456789abcdef",
            ),
        ] {
            assert_eq!(finished_name(name), finished);
        }
    }
}
