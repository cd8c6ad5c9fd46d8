//! Columns of labels in Parquet files that differ, are not full, or count otherwise than labels do.

use std::path::Path;

use shardmill_prep::{IngestOptions, IngestSummary, ingest};

use super::tables::{ABC, Values, bytes_of_images, name, numbers, parquet, paths};
use crate::kit::records;

fn ingested(work: &Path) -> Result<IngestSummary, String> {
    let mut options = IngestOptions::new(work.join("source"), work.join("out"));
    options.size = 8;
    ingest(&options).map_err(|error| error.to_string())
}

/// Twelve rows with labels.
fn table(path: &Path, column: &str, names: Option<&[&str]>, labels: Values) {
    let label = format!("optional int64 {column};");
    let columns = vec![bytes_of_images(), paths(name), labels];
    parquet(path, &label, names.map(|names| (column, names)), columns);
}

#[test]
fn files_whose_labels_are_in_columns_of_two_names_are_refused() {
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join("source").join(name);
    table(&path("train-0.parquet"), "label", None, numbers());
    table(&path("train-1.parquet"), "coarse_label", None, numbers());
    let error = ingested(work.path()).unwrap_err();
    for words in [
        "train-0.parquet",
        "train-1.parquet",
        "\"label\"",
        "\"coarse_label\"",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn rows_without_a_label_among_others_are_said() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("source/data.parquet");
    let labels = (0..12).map(|n| (n % 4 != 2).then_some(n % 3));
    table(&path, "label", None, Values::Sparse(labels.collect()));
    let summary = ingested(work.path()).unwrap();
    assert_eq!(summary.manifest.splits["test"].records, 3);
    let notes = summary.notes.join("\n");
    assert!(
        notes.contains(
            "3 rows have no label and became split test (the first: row 3 of data.parquet)"
        ),
        "{notes}"
    );
    // A file for testing is no surprise, and neither is one without labels.
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join("source").join(name);
    table(&path("train.parquet"), "label", None, numbers());
    table(
        &path("test.parquet"),
        "label",
        None,
        Values::Sparse(vec![None; 12]),
    );
    assert_eq!(ingested(work.path()).unwrap().notes.join("\n"), "");
}

#[test]
fn labels_that_are_not_the_ids_of_the_source_are_said() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("source/train.parquet");
    let names = ["T-shirt", "Trouser", "Ankle boot"];
    table(&path, "label", Some(&names), numbers());
    let summary = ingested(work.path()).unwrap();
    let notes = summary.notes.join("\n");
    assert!(
        notes.contains("\"T-shirt\" 0 -> 1, \"Trouser\" 1 -> 2, \"Ankle boot\" 2 -> 0"),
        "{notes}"
    );
    // Names that are in order keep their ids.
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("source/train.parquet");
    table(&path, "label", Some(ABC), numbers());
    assert_eq!(ingested(work.path()).unwrap().notes.join("\n"), "");
}

#[test]
fn names_that_are_numbers_sort_as_numbers_and_keep_the_ids() {
    let numbered = |count: i64| {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().join("source/train.parquet");
        let names: Vec<String> = (0..count).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let labels = Values::Sparse((0..12).map(|n| Some(n % count)).collect());
        table(&path, "label", Some(&names), labels);
        let summary = ingested(work.path()).unwrap();
        assert_eq!(summary.notes.join("\n"), "");
        for record in records(&work.path().join("out")) {
            let stem = record
                .key
                .rsplit('/')
                .next()
                .unwrap()
                .trim_end_matches(".jpg");
            assert_eq!(record.label, stem.parse::<i64>().unwrap() % count);
        }
        summary.manifest.classes
    };
    let classes = numbered(12);
    assert_eq!((&*classes[2].synset, &*classes[2].name), ("0002", "2"));
    // Where both orders are one, the names stay synsets, as they always were.
    assert_eq!(numbered(10)[2].synset, "2");
}
