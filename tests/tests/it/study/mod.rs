//! `train study`: arms, seeds and results; what is there is never trained again, and never mixed with others.

mod compared;
mod interrupted;
mod race;
mod refused;
mod unusable;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, write_small};

const CLASSES: [&str; 3] = ["ant", "bee", "cow"];

/// A narrow network on small windows, in two epochs of a few steps.
pub(crate) const TINY: &str = "--seeds 2 --epochs 2 --width 0.05 --crop 64 --set batch_size=8";

/// A dataset of three classes in records of `size` pixels a side.
pub(crate) fn shards(work: &Path, name: &str, size: u32) -> PathBuf {
    let (tree, shards) = (work.join(format!("{name}-tree")), work.join(name));
    write_small(&tree, &CLASSES, &[("train", 8), ("val", 3)]);
    let mut options = IngestOptions::new(&tree, &shards);
    options.size = size;
    ingest(&options).unwrap();
    shards
}

/// The command line of a study, with folders within `work`.
pub(crate) fn study(name: &str, shards: &Path, out: &Path, more: &str) -> Command {
    let mut command = Program::Train.command();
    command
        .args(["study", name, "--shards"])
        .arg(shards)
        .arg("--out")
        .arg(out);
    command.args(more.split_whitespace());
    command
}

/// Runs a study to its end and gives its standard output.
pub(crate) fn done(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{command:?}: {text}{errors}");
    text
}

/// The message of a study that is refused.
pub(crate) fn message(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{command:?}: {text}");
    assert!(
        text.contains("error: ") && !text.contains("panicked"),
        "{text}"
    );
    text
}

/// Every result in a folder, without what depends on the clock.
pub(crate) fn results(folder: &Path) -> BTreeMap<String, Value> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read(&path).unwrap();
        let mut value: Value =
            serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Some(seconds) = value.get_mut("seconds") {
            assert!(seconds.as_f64().unwrap() > 0.0, "{name}");
            *seconds = Value::Null;
        }
        (name, value)
    };
    entries.map(read).collect()
}
