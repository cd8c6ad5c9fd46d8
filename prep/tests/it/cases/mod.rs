//! Inputs of users that went wrong, as a table: what is given, and what is right.
//!
//! Each case is tried on the input as its reporter had it, where the archives of cases are at hand
//! (`SHARDMILL_CASES`, or `../shared/cases` beside the project), and on the same input made here.

mod columns;
mod decoders;
mod folders;
mod kaggle;
mod lists;
mod outputs;
mod pixels;
mod streams;
mod tables;
mod tars;
mod tiff_maker;
mod warned;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::kit::{manifest, prep, records};

/// An input, and what `prep ingest` must make of it.
pub(crate) struct Case {
    /// Its folder in the archives.
    pub(crate) name: &'static str,
    /// What is ingested, below that folder; empty for the folder itself.
    pub(crate) source: &'static str,
    /// More arguments.
    pub(crate) arguments: &'static [&'static str],
    /// Makes the same input in an empty folder.
    pub(crate) make: fn(&Path),
    pub(crate) right: Right,
}

/// A split's records: key and label, sorted by key.
pub(crate) type Records = &'static [(&'static str, i64)];

/// What is right.
pub(crate) enum Right {
    /// Exit code 0 and a dataset.
    Dataset {
        /// Synsets in the order of their labels.
        classes: &'static [&'static str],
        splits: &'static [(&'static str, Records)],
        /// Key and reason, sorted.
        rejects: &'static [(&'static str, &'static str)],
        /// Each is somewhere in what is printed.
        says: &'static [&'static str],
    },
    /// Exit code 1, no dataset, and an error that holds each of these.
    Refused { says: &'static [&'static str] },
}

/// Runs every case of a table.
pub(crate) fn check(archive: &str, cases: &[Case]) {
    let unpacked = unpack(archive);
    for case in cases {
        let made = tempfile::tempdir().unwrap();
        (case.make)(made.path());
        case.check(made.path(), "made here");
        if let Some(unpacked) = &unpacked {
            let folder = unpacked.path().join(case.name);
            assert!(folder.is_dir(), "{archive} holds no {}", case.name);
            // It says what the case is, and is no part of it.
            let _ = fs::remove_file(folder.join("README"));
            case.check(&folder, "of the archive");
        }
    }
}

impl Case {
    fn check(&self, folder: &Path, which: &str) {
        let case = format!("{} {which}", self.name);
        let out = tempfile::tempdir().unwrap();
        let out = out.path().join("shards");
        let source = folder.join(self.source);
        let (source, target) = (source.to_str().unwrap(), out.to_str().unwrap());
        let small = [
            "ingest", source, "--out", target, "--codec", "raw", "--size", "24",
        ];
        let output = prep(&[&small, self.arguments].concat());
        let Output {
            status,
            stdout,
            stderr,
        } = &output;
        let text = [stdout, stderr]
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .concat();
        let (code, expected_words) = match &self.right {
            Right::Dataset { says, .. } => (0, says),
            Right::Refused { says } => (1, says),
        };
        assert_eq!(status.code(), Some(code), "{case}: {text}");
        for words in *expected_words {
            assert!(text.contains(words), "{case}: no {words:?} in {text}");
        }
        let Right::Dataset {
            classes,
            splits,
            rejects,
            ..
        } = &self.right
        else {
            assert!(!out.join("manifest.json").exists(), "{case}: {text}");
            return;
        };
        let synsets: Vec<String> = manifest(&out)
            .classes
            .into_iter()
            .map(|c| c.synset)
            .collect();
        assert_eq!(synsets, *classes, "{case}: {text}");
        let mut found: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
        for record in records(&out) {
            found
                .entry(record.split)
                .or_default()
                .push((record.key, record.label));
        }
        found.values_mut().for_each(|records| records.sort());
        let expected = splits.iter().map(|(split, records)| {
            let records = records
                .iter()
                .map(|(key, label)| ((*key).to_owned(), *label));
            ((*split).to_owned(), records.collect())
        });
        assert_eq!(found, expected.collect(), "{case}: {text}");
        let rejects: Vec<_> = rejects
            .iter()
            .map(|(key, reason)| ((*key).to_owned(), (*reason).to_owned()))
            .collect();
        assert_eq!(named_rejects(&out), rejects, "{case}: {text}");
        let verified = prep(&["verify", target]);
        assert!(verified.status.success(), "{case}: verify refuses it");
    }
}

/// Tries a case as it came, if it is at hand, and as it is made here.
pub(crate) fn each(archive: &str, case: &str, make: fn(&Path), check: fn(&Path)) {
    let made = tempfile::tempdir().unwrap();
    make(made.path());
    check(made.path());
    if let Some(unpacked) = unpack(archive) {
        let folder = unpacked.path().join(case);
        assert!(folder.is_dir(), "{archive} holds no {case}");
        check(&folder);
    }
}

/// Key and reason of every reject, sorted.
fn named_rejects(out: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(out.join("rejects.jsonl")).unwrap_or_default();
    let mut rejects: Vec<(String, String)> = text
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let field = |name: &str| line[name].as_str().unwrap().to_owned();
            (field("key"), field("reason"))
        })
        .collect();
    rejects.sort();
    rejects
}

/// The cases as they came; `None` where they are not at hand, which the log of real images then says.
fn unpack(archive: &str) -> Option<tempfile::TempDir> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases");
    let folder = std::env::var_os("SHARDMILL_CASES").map_or_else(beside, PathBuf::from);
    let path = folder.join(archive);
    let found = path.is_file();
    if let Some(log) = std::env::var_os("SHARDMILL_DATA_LOG") {
        let mut log = OpenOptions::new()
            .append(true)
            .create(true)
            .open(log)
            .unwrap();
        writeln!(
            log,
            "{} cases of {archive}",
            if found { "ran" } else { "skipped" }
        )
        .unwrap();
    }
    if !found {
        return None;
    }
    let target = tempfile::tempdir().unwrap();
    tar::Archive::new(File::open(&path).unwrap())
        .unpack(target.path())
        .unwrap();
    Some(target)
}

/// A small picture of its own colours for each name, as a PNG whatever it is called.
pub(crate) fn picture(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let seed = path
        .to_string_lossy()
        .bytes()
        .fold(7_u8, |sum, byte| sum.wrapping_mul(31) ^ byte);
    let picture =
        image::RgbImage::from_fn(30, 26, |x, y| image::Rgb([x as u8 * 8, y as u8 * 9, seed]));
    picture
        .save_with_format(path, image::ImageFormat::Png)
        .unwrap();
}

/// Pictures with these names below a folder.
pub(crate) fn pictures(folder: &Path, names: &[&str]) {
    for name in names {
        picture(&folder.join(name));
    }
}
