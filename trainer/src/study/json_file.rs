//! Files that hold one JSON value and are never seen half written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::study::error::StudyError;

/// Writes `value`, indented, so that lines can be compared; the file is whole or as it was before.
///
/// # Errors
/// What the file system refuses.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), StudyError> {
    let mut text = serde_json::to_string_pretty(value).expect("plain data becomes JSON");
    text.push('\n');
    write_text(path, &text)
}

/// Writes a text in the same way.
///
/// # Errors
/// What the file system refuses.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), StudyError> {
    let error = |source| StudyError::io("write", path)(source);
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(error)?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let written = put(partial, path, text.as_bytes());
    written.map_err(|source| {
        // The first error is the one to report.
        let _ = fs::remove_file(partial);
        error(source)
    })?;
    if cfg!(unix) {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(error)?;
    }
    Ok(())
}

fn put(partial: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(partial, path)
}
