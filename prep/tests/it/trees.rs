//! Folders of any shape: every file in them is a record, a reject or counted, and what is written is sound.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use shardmill_prep::source::PassedKind;
use shardmill_prep::{IngestOptions, IngestSummary, Layout, PrepError, ingest, verify};

use crate::cases::picture;

fn options(source: &Path, out: &Path) -> IngestOptions {
    let mut options = IngestOptions::new(source, out);
    options.size = 8;
    options
}

/// Files of a tree; links are files, and are not followed.
fn files_in(folder: &Path) -> u64 {
    let found = walkdir::WalkDir::new(folder).into_iter();
    found
        .filter(|entry| !entry.as_ref().unwrap().file_type().is_dir())
        .count() as u64
}

fn assert_adds_up(source: &Path, summary: &IngestSummary, out: &Path) {
    let passed = &summary.passed_over;
    assert_eq!(
        files_in(source),
        summary.images() + passed.files(),
        "{passed}"
    );
    let records: u64 = summary
        .manifest
        .splits
        .values()
        .map(|split| split.records)
        .sum();
    assert_eq!(summary.images(), records + summary.rejects.len() as u64);
    assert_eq!(verify(out, 1, false).unwrap().faults.len(), 0);
}

/// A path of up to four components.
fn path() -> impl Strategy<Value = String> {
    let folder = prop::sample::select(vec![
        "train",
        "val",
        "validation",
        "test",
        "cat",
        "dog",
        "7",
        "10",
        ".git",
        "__MACOSX",
        "extra",
        "images",
        "n01440764",
        "latest",
        "Ünï",
        "a%b",
        "dev kit",
    ]);
    let file = prop::sample::select(vec![
        "a.jpg",
        "b.PNG",
        "c",
        "README",
        "notes.txt",
        ".x.jpg",
        "Thumbs.db",
        "v.tar",
        "l.csv",
        "val.txt",
        "n01440764_1.JPEG",
        "words.txt",
    ]);
    (prop::collection::vec(folder, 0..4), file).prop_map(|(folders, file)| {
        let mut parts = folders;
        parts.push(file);
        parts.join("/")
    })
}

/// Makes a tree of the paths that fit together.
fn make(source: &Path, paths: &BTreeSet<String>) {
    for path in paths {
        let path = source.join(path);
        let blocked = path
            .ancestors()
            .any(|around| around != path && around.is_file());
        if blocked || path.exists() {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match name.as_str() {
            "a.jpg" | "b.PNG" | "c" | "n01440764_1.JPEG" => picture(&path),
            _ => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "a 0\n").unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn every_file_of_a_tree_is_a_record_a_reject_or_counted(
        paths in prop::collection::btree_set(path(), 1..14),
        named in any::<bool>(),
    ) {
        let work = tempfile::tempdir().unwrap();
        let (source, out) = (work.path().join("source"), work.path().join("out"));
        make(&source, &paths);
        let mut options = options(&source, &out);
        options.layout = named.then_some(Layout::ClassFolders);
        match ingest(&options) {
            Ok(summary) => assert_adds_up(&source, &summary, &out),
            // A refusal is one in words, and leaves nothing.
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                prop_assert!(!out.join("manifest.json").exists());
            }
        }
    }

    /// Of these trees none is refused.
    #[test]
    fn the_sums_add_up_beside_splits_with_anything_else(
        paths in prop::collection::btree_set(path(), 1..14),
    ) {
        let work = tempfile::tempdir().unwrap();
        let (source, out) = (work.path().join("source"), work.path().join("out"));
        let aside = |path: &String| !["train/", "val/", "validation/", "test/"].iter().any(|s| path.starts_with(s));
        make(&source, &paths.into_iter().filter(aside).collect());
        for name in ["train/cat/1.jpg", "train/dog/2.jpg", "train/dog/boxes.txt", "train/dog/x/.hidden/3.jpg"] {
            picture(&source.join(name));
        }
        let summary = ingest(&options(&source, &out)).unwrap();
        prop_assert_eq!(summary.images(), 2);
        assert_adds_up(&source, &summary, &out);
    }
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    fn name() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            4 => prop::sample::select(b"ab01".to_vec()),
            2 => prop::sample::select(b" .%~\\:\"'*?\x01\x1b\x7f".to_vec()),
            2 => 0x80_u8..=0xFF,
        ];
        prop::collection::vec(byte, 1..5).prop_filter("a name of a file", |name| {
            !matches!(&name[..], b"." | b"..")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        #[test]
        fn whatever_names_are_given_what_is_written_is_sound(
            names in prop::collection::btree_set((name(), name()), 1..6),
        ) {
            let work = tempfile::tempdir().unwrap();
            let (source, out) = (work.path().join("source"), work.path().join("out"));
            for (class, file) in &names {
                picture(&source.join("train").join(OsStr::from_bytes(class)).join(OsStr::from_bytes(file)));
            }
            match ingest(&options(&source, &out)) {
                Ok(summary) => assert_adds_up(&source, &summary, &out),
                Err(PrepError::AllRejected { .. } | PrepError::NoImages { .. } | PrepError::Source { .. }) => {}
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }

    #[test]
    fn links_and_fifos_are_rejects_or_counted_and_none_hangs() {
        let work = tempfile::tempdir().unwrap();
        let (source, out) = (work.path().join("source"), work.path().join("out"));
        picture(&source.join("train/cat/1.jpg"));
        picture(&source.join("train/dog/1.jpg"));
        symlink("1.jpg", source.join("train/cat/2.jpg")).unwrap();
        symlink("/nowhere/3.jpg", source.join("train/cat/3.jpg")).unwrap();
        symlink("itself.jpg", source.join("train/cat/itself.jpg")).unwrap();
        symlink("..", source.join("train/dog/up")).unwrap();
        symlink("/nowhere", source.join("gone")).unwrap();
        let fifo = source.join("train/dog/fifo.jpg");
        assert!(
            Command::new("mkfifo")
                .arg(&fifo)
                .status()
                .unwrap()
                .success()
        );
        let summary = ingest(&options(&source, &out)).unwrap();
        assert_adds_up(&source, &summary, &out);
        let rejects: Vec<_> = summary
            .rejects
            .iter()
            .map(|line| (&*line.key, &*line.reason))
            .collect();
        assert_eq!(
            rejects,
            [
                ("train/cat/3.jpg", "missing"),
                ("train/cat/itself.jpg", "missing")
            ]
        );
        let count = |kind| summary.passed_over.of(kind).map_or(0, |files| files.files);
        assert_eq!(count(PassedKind::Loop), 1);
        assert_eq!(count(PassedKind::Dangling), 1);
        assert_eq!(count(PassedKind::Special), 1);
        assert_eq!(summary.manifest.splits["train"].records, 3);
    }

    #[test]
    fn a_split_that_is_a_link_to_nothing_stops_the_ingest() {
        let work = tempfile::tempdir().unwrap();
        let source = work.path().join("source");
        picture(&source.join("train/cat/1.jpg"));
        symlink("/nowhere", source.join("val")).unwrap();
        let error = ingest(&options(&source, &work.path().join("out")))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("val: it is a link that leads nowhere"),
            "{error}"
        );
    }
}

/// A tree of pictures, and what an ingest of it says.
fn ingested(names: &[&str]) -> (Result<IngestSummary, String>, tempfile::TempDir) {
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    for name in names {
        picture(&source.join(name));
    }
    let summary = ingest(&options(&source, &work.path().join("out")));
    (summary.map_err(|error| error.to_string()), work)
}

#[test]
fn a_class_that_is_called_like_a_split_stays_a_class() {
    let (summary, _work) = ingested(&["airplane/1.jpg", "bus/1.jpg", "train/1.jpg"]);
    let summary = summary.unwrap();
    let classes: Vec<_> = summary
        .manifest
        .classes
        .iter()
        .map(|class| &*class.synset)
        .collect();
    assert_eq!(classes, ["airplane", "bus", "train"]);
    assert!(summary.manifest.splits.keys().eq(["train"]));
}

#[test]
fn a_lone_validation_folder_is_a_split_and_not_a_class() {
    let (summary, _work) = ingested(&["val/cat/1.jpg", "val/dog/1.jpg"]);
    let manifest = summary.unwrap().manifest;
    assert_eq!(manifest.classes.len(), 2);
    assert!(manifest.splits.keys().eq(["val"]));
}

#[test]
fn a_test_folder_with_class_folders_has_labels() {
    let (summary, _work) = ingested(&["train/cat/1.jpg", "train/dog/1.jpg", "test/dog/1.jpg"]);
    assert!(summary.unwrap().manifest.splits["test"].labelled);
    let (summary, _work) = ingested(&["train/cat/1.jpg", "test/1.jpg"]);
    assert!(!summary.unwrap().manifest.splits["test"].labelled);
    let (summary, _work) = ingested(&["train/cat/1.jpg", "test/dog/1.jpg"]);
    let error = summary.unwrap_err();
    assert!(
        error.contains("class folder \"dog\" is in test/"),
        "{error}"
    );
}

#[test]
fn two_folders_of_one_split_are_an_error_that_names_both() {
    let (summary, _work) = ingested(&["train/cat/1.jpg", "val/cat/1.jpg", "valid/cat/1.jpg"]);
    let error = summary.unwrap_err();
    assert!(
        error.contains("\"val\" and \"valid\" are both the split val"),
        "{error}"
    );
}

#[test]
fn training_images_in_one_folder_are_labelled_by_the_synsets_in_their_names() {
    let names = [
        "train/n01440764_1.JPEG",
        "train/n01443537_1.JPEG",
        "train/n01440764_2.JPEG",
    ];
    let (summary, _work) = ingested(&names);
    let manifest = summary.unwrap().manifest;
    assert_eq!(
        (manifest.classes.len(), manifest.splits["train"].records),
        (2, 3)
    );
    let (summary, _work) = ingested(&["train/a.jpg", "train/b.jpg"]);
    let error = summary.unwrap_err();
    assert!(error.contains("does not begin with a synset"), "{error}");
}

#[test]
fn class_folders_of_one_number_written_in_two_ways_are_an_error() {
    let (summary, _work) = ingested(&["1/a.jpg", "01/a.jpg", "2/a.jpg"]);
    let error = summary.unwrap_err();
    assert!(error.contains("\"01\" and \"1\" are one number"), "{error}");
}

#[test]
fn an_output_folder_inside_of_the_source_is_no_part_of_it_on_any_run() {
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    picture(&source.join("cat/1.jpg"));
    picture(&source.join("dog/1.jpg"));
    let out = source.join("shards");
    let first = ingest(&options(&source, &out)).unwrap();
    assert_eq!((first.images(), first.manifest.classes.len()), (2, 2));
    // Another output beside the first: the first is still not a class.
    fs::remove_dir_all(&out).unwrap();
    fs::create_dir(&out).unwrap();
    let again = ingest(&options(&source, &out)).unwrap();
    assert_eq!(again.manifest, first.manifest);
    // Another output: the first dataset is still not a class.
    let other = source.join("dog/shards");
    let third = ingest(&options(&source, &other)).unwrap();
    assert_eq!(third.manifest, first.manifest);
    assert_eq!(third.passed_over.of(PassedKind::Output).unwrap().files, 2);
}

#[test]
fn leaving_out_a_split_that_is_not_there_is_an_error() {
    let work = tempfile::tempdir().unwrap();
    picture(&work.path().join("source/train/cat/1.jpg"));
    let mut options = options(&work.path().join("source"), &work.path().join("out"));
    options.without = vec!["val"];
    let error = ingest(&options).unwrap_err().to_string();
    assert!(
        error.contains("--without val: the source has no such split, but train"),
        "{error}"
    );
}
