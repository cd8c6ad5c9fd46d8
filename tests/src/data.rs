//! Real images for development, where they are at hand.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Unpacks an archive of real images for the test called `test`; `None` where there is none, as in a
/// user's clone.
///
/// The folder of archives is named by `SHARDMILL_DATA`, or is `../shared/data` beside the project. A
/// line `ran TEST` or `skipped TEST` is added to the file that `SHARDMILL_DATA_LOG` names, since the
/// test runner hides what a passing test prints.
///
/// # Panics
/// If an archive that is there cannot be unpacked.
#[must_use]
pub fn real_images(test: &str, archive: &str) -> Option<TempDir> {
    let path = folder().join(archive);
    let found = path.is_file();
    note(test, found);
    if !found {
        return None;
    }
    let target = tempfile::tempdir().expect("a temporary folder can be made");
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    tar::Archive::new(file)
        .unpack(target.path())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(target)
}

/// Adds to the log whether a test that not every machine can run was run here.
///
/// # Panics
/// If the log cannot be written.
pub fn note(test: &str, ran: bool) {
    let Some(log) = std::env::var_os("SHARDMILL_DATA_LOG") else {
        return;
    };
    let log = OpenOptions::new().append(true).create(true).open(log);
    let word = if ran { "ran" } else { "skipped" };
    log.and_then(|mut log| writeln!(log, "{word} {test}"))
        .expect("the log can be written");
}

fn folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    std::env::var_os("SHARDMILL_DATA").map_or_else(beside, PathBuf::from)
}
