//! The commands: each with its arguments and what it prints.

pub(crate) mod ingest;
pub(crate) mod inspect;
pub(crate) mod merge;
pub(crate) mod plan;
pub(crate) mod verify;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

fn check_dataset(dir: &Path) -> Result<()> {
    if dir.join(shardmill_formats::MANIFEST_FILE).is_file() {
        return Ok(());
    }
    bail!(
        "{} holds no manifest.json: give the folder that `prep ingest SRC --out DIR` made",
        dir.display()
    )
}

/// Prints to standard output; a closed pipe (`| head`) is not an error.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("standard output"),
    }
}
