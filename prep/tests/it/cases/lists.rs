//! CSV and TSV lists.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use shardmill_prep::{IngestOptions, IngestSummary, ingest, verify};

use super::{Case, Records, Right, check, picture};

#[test]
fn lists_come_out_right() {
    check("sources.tar", CASES);
}

/// Pictures `img/0.jpg` to `img/N.jpg`.
pub(super) fn images(folder: &Path, count: usize) {
    for number in 0..count {
        picture(&folder.join(format!("img/{number}.jpg")));
    }
}

fn list(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
}

/// Lines `N,img/N.jpg,N modulo 3` or the like.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

const LISTED: Records = &[
    ("img/0.jpg", 0),
    ("img/1.jpg", 1),
    ("img/10.jpg", 1),
    ("img/11.jpg", 2),
    ("img/2.jpg", 2),
    ("img/3.jpg", 0),
    ("img/4.jpg", 1),
    ("img/5.jpg", 2),
    ("img/6.jpg", 0),
    ("img/7.jpg", 1),
    ("img/8.jpg", 2),
    ("img/9.jpg", 0),
];

const CASES: &[Case] = &[
    Case {
        name: "B5",
        source: "list.csv",
        arguments: &[],
        make: |folder| {
            images(folder, 12);
            let rows = lines(12, |n| format!("img/{n}.jpg,{n}\n"));
            list(folder, "list.csv", &format!("image_id,label\n{rows}"));
        },
        right: Right::Dataset {
            classes: &[
                "0000", "0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009",
                "0010", "0011",
            ],
            splits: &[(
                "train",
                &[
                    ("img/0.jpg", 0),
                    ("img/1.jpg", 1),
                    ("img/10.jpg", 10),
                    ("img/11.jpg", 11),
                    ("img/2.jpg", 2),
                    ("img/3.jpg", 3),
                    ("img/4.jpg", 4),
                    ("img/5.jpg", 5),
                    ("img/6.jpg", 6),
                    ("img/7.jpg", 7),
                    ("img/8.jpg", 8),
                    ("img/9.jpg", 9),
                ],
            )],
            rejects: &[],
            says: &[],
        },
    },
    Case {
        name: "B12",
        source: "B12/list.csv",
        arguments: &[],
        make: |folder| {
            images(&folder.join("B12"), 12);
            let rows = lines(14, |n| format!("img/{n}.jpg,{}\n", n % 3));
            list(
                &folder.join("B12"),
                "list.csv",
                &format!("path,label\n{rows}"),
            );
        },
        right: Right::Dataset {
            classes: &["0000", "0001", "0002"],
            splits: &[("train", LISTED)],
            rejects: &[("img/12.jpg", "missing"), ("img/13.jpg", "missing")],
            says: &["2 images rejected (2 missing)"],
        },
    },
    Case {
        name: "B12",
        source: "B12/list.csv",
        arguments: &["--on-error", "stop"],
        make: |folder| {
            images(&folder.join("B12"), 12);
            let rows = lines(14, |n| format!("img/{n}.jpg,{}\n", n % 3));
            list(
                &folder.join("B12"),
                "list.csv",
                &format!("path,label\n{rows}"),
            );
        },
        right: Right::Refused {
            says: &[" of list.csv names a file that is not there"],
        },
    },
    Case {
        name: "B18",
        source: "unk.csv",
        arguments: &[],
        make: |folder| {
            images(folder, 12);
            let rows = lines(12, |n| format!("{n},img/{n}.jpg,{}\n", n % 3));
            list(folder, "unk.csv", &format!(",image,labels\n{rows}"));
        },
        right: Right::Dataset {
            classes: &["0000", "0001", "0002"],
            splits: &[("train", LISTED)],
            rejects: &[],
            says: &["not used: column 1, which has no name; path is \"image\", label \"labels\""],
        },
    },
    Case {
        name: "G11",
        source: "G11/list.csv",
        arguments: &[],
        make: |folder| {
            images(&folder.join("G11"), 1);
            let rows = [
                "path,label",
                "img/0.jpg,0",
                "img/0.jpg,0",
                "img/0.jpg,0",
                "img\\1.jpg,1",
            ];
            list(
                &folder.join("G11"),
                "list.csv",
                &(rows.join("\r\n") + "\r\n"),
            );
        },
        right: Right::Refused {
            says: &["line 5: "],
        },
    },
];

/// A list with the class 10,000 has 10,001 classes, which sort as text as they do as numbers.
#[test]
fn ten_thousand_classes_have_names_of_five_digits() {
    let make = |folder: &Path| {
        images(folder, 2);
        list(
            folder,
            "list.csv",
            "path,label\nimg/0.jpg,0\nimg/1.jpg,10000\n",
        );
    };
    super::each("sources.tar", "I3", make, |folder| {
        let out = folder.join("out");
        let mut options = IngestOptions::new(folder.join("list.csv"), &out);
        options.size = 8;
        let manifest = ingest(&options).unwrap().manifest;
        assert_eq!(manifest.classes.len(), 10_001);
        assert_eq!(&*manifest.classes[0].synset, "00000");
        assert_eq!(&*manifest.classes[10_000].synset, "10000");
        assert!(verify(&out, 1, false).unwrap().faults.is_empty());
    });
}

/// A manifest over 64 MiB is refused before anything is made, not when it is read.
#[test]
fn a_manifest_that_no_reader_takes_is_not_begun() {
    let work = tempfile::tempdir().unwrap();
    images(work.path(), 1);
    let name = |n: usize| format!("img/0.jpg,{n:06}{}\n", "x".repeat(4_000));
    let rows: String = (0..9_000)
        .map(|n| name(n).replace("img/0", &format!("img/{n}")))
        .collect();
    list(work.path(), "list.csv", &format!("path,label\n{rows}"));
    let out = work.path().join("out");
    let mut options = IngestOptions::new(work.path().join("list.csv"), &out);
    options.size = 8;
    let error = ingest(&options).unwrap_err().to_string();
    assert!(
        error.contains("9000 classes") && error.contains("64 MiB"),
        "{error}"
    );
    assert!(!out.exists());
}

/// What `prep` says of a list of three pictures.
fn said(text: &str) -> Result<IngestSummary, String> {
    let work = tempfile::tempdir().unwrap();
    images(work.path(), 3);
    fs::create_dir(work.path().join("img/folder.jpg")).unwrap();
    list(work.path(), "list.csv", text);
    let mut options = IngestOptions::new(work.path().join("list.csv"), work.path().join("out"));
    options.size = 8;
    ingest(&options).map_err(|error| error.to_string())
}

#[test]
fn a_first_line_that_names_no_known_column_is_refused_with_its_columns() {
    let error = said("foo,bar\nimg/0.jpg,0\n").unwrap_err();
    assert!(
        error.contains("line 1: it names no known column of paths, but \"foo\", \"bar\""),
        "{error}"
    );
    let error = said("path,breed\nimg/0.jpg,0\n").unwrap_err();
    assert!(
        error.contains("no known column of labels, but \"breed\""),
        "{error}"
    );
    // Nothing but paths: there are no labels, and none were meant.
    let summary = said("path\nimg/0.jpg\nimg/1.jpg\n").unwrap();
    assert!(!summary.manifest.splits["test"].labelled);
}

#[test]
fn labels_of_a_list_are_whole_numbers_or_texts() {
    for (text, words) in [
        (
            "path,label\nimg/0.jpg,1\nimg/1.jpg,01\n",
            "line 3: label 1 is written \"01\" here, but \"1\"",
        ),
        (
            "path,label\nimg/0.jpg,3.0\n",
            "line 2: label 3.0 is no whole number",
        ),
        (
            "path,label\nimg/0.jpg,0\nimg/1.jpg,cat\n",
            "line 3: some labels are numbers",
        ),
        (
            "path,label\nimg/0.jpg,0\nimg/0.jpg,1\n",
            "line 3: \"img/0.jpg\" has another label here than in line 2",
        ),
        (
            "path,label\nimg/0.jpg,0\nimg/1.jpg,\n",
            "with and without labels",
        ),
    ] {
        // An image without a label is of another split unless the list says which.
        let text = text.replace("img/1.jpg,\n", "img/1.jpg,,train\n").replace(
            "path,label\nimg/0.jpg,0\nimg/1.jpg,,",
            "path,label,split\nimg/0.jpg,0,train\nimg/1.jpg,,",
        );
        let error = said(&text).unwrap_err();
        assert!(error.contains(words), "{text:?}: {error}");
    }
    let summary = said("\u{feff}path,label\r\nimg/0.jpg,b\r\nimg/1.jpg,a\r\n").unwrap();
    let names: Vec<_> = summary
        .manifest
        .classes
        .iter()
        .map(|class| &*class.synset)
        .collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn what_a_list_names_twice_or_wrongly_is_said() {
    let summary =
        said("path,label,width\nimg/0.jpg,0,5\nimg/0.jpg,0,5\nimg/folder.jpg,0,5\nimg/9.jpg,0,5\n")
            .unwrap();
    assert_eq!(summary.manifest.splits["train"].records, 1);
    let notes = summary.notes.join("\n");
    assert!(notes.contains("not used: \"width\""), "{notes}");
    assert!(notes.contains("1 lines name an image again"), "{notes}");
    let mut rejects: Vec<_> = summary
        .rejects
        .iter()
        .map(|line| (&*line.key, &*line.reason))
        .collect();
    rejects.sort_unstable();
    assert_eq!(
        rejects,
        [("img/9.jpg", "missing"), ("img/folder.jpg", "not-a-file")]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever labels are given, they are refused or the dataset is sound, and its labels are those that
    /// were meant: numbers themselves, texts in their order.
    #[test]
    fn labels_of_any_kind_are_refused_or_kept(
        labels in prop::collection::vec("[0-9]{1,5}|[a-c]|\\.\\.|a/b|ü|x y|[0-9]\\.[0-9]|-?[01]", 1..6),
    ) {
        let rows: String = labels.iter().enumerate().map(|(n, label)| format!("img/{}.jpg,{label}\n", n % 3)).collect();
        let work = tempfile::tempdir().unwrap();
        images(work.path(), 3);
        list(work.path(), "list.csv", &format!("path,label\n{rows}"));
        let out = work.path().join("out");
        let mut options = IngestOptions::new(work.path().join("list.csv"), &out);
        options.size = 8;
        let Ok(summary) = ingest(&options) else { return Ok(()) };
        prop_assert_eq!(verify(&out, 1, false).unwrap().faults.len(), 0);
        let mut texts: Vec<&str> = labels.iter().map(String::as_str).filter(|label| *label != "-1").collect();
        texts.sort_unstable();
        texts.dedup();
        let numbers: Option<Vec<i64>> = texts.iter().map(|text| text.parse().ok()).collect();
        let classes = numbers.map_or(texts.len() as i64, |numbers| numbers.into_iter().max().map_or(0, |n| n + 1));
        prop_assert_eq!(summary.manifest.classes.len() as i64, classes);
        for record in crate::kit::records(&out) {
            let number: usize = record.key["img/".len()..].trim_end_matches(".jpg").parse().unwrap();
            let label = &labels[number];
            let meant = label.parse().unwrap_or_else(|_| texts.binary_search(&label.as_str()).unwrap() as i64);
            prop_assert_eq!(record.label, meant);
        }
    }
}
