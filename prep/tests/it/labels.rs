//! What says labels, and contradicts itself or is not all used: refused, or said.

use std::fs;
use std::path::{Path, PathBuf};

use shardmill_prep::{IngestOptions, IngestSummary, ingest};
use tempfile::TempDir;

use crate::cases::{picture, pictures};
use crate::kit::records;

/// A source that is made, and what becomes of it.
struct Work(TempDir);

impl Work {
    fn new(pictures_of: &[&str], texts: &[(&str, &str)]) -> Self {
        let work = Self(tempfile::tempdir().unwrap());
        pictures(&work.source(), pictures_of);
        for (name, text) in texts {
            let path = work.source().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        work
    }

    fn source(&self) -> PathBuf {
        self.0.path().join("source")
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    /// Ingests the source, or a file of it.
    fn ingest(&self, file: &str) -> Result<IngestSummary, String> {
        let mut options = IngestOptions::new(self.source().join(file), self.out());
        options.size = 8;
        ingest(&options).map_err(|error| error.to_string())
    }

    /// Ingests it, and gives the notes.
    fn notes(&self, file: &str) -> String {
        self.ingest(file).unwrap().notes.join("\n")
    }

    /// Keys and labels of a split.
    fn labels(&self, split: &str) -> Vec<(String, i64)> {
        let records = records(&self.out()).into_iter();
        let mut found: Vec<_> = records
            .filter(|record| record.split == split)
            .map(|record| (record.key, record.label))
            .collect();
        found.sort();
        found
    }
}

/// What is said of a list beside four pictures, `0.jpg` to `3.jpg`.
fn listed(name: &str, text: &str) -> (Work, Result<IngestSummary, String>) {
    let work = Work::new(&["0.jpg", "1.jpg", "2.jpg", "3.jpg"], &[(name, text)]);
    let result = work.ingest(name);
    (work, result)
}

fn notes_of(name: &str, text: &str) -> String {
    listed(name, text).1.unwrap().notes.join("\n")
}

#[test]
fn a_quote_that_never_closes_is_an_error_with_its_line() {
    let text = "path,label,caption\n0.jpg,cat,a cat\n1.jpg,dog,\"a dog\n2.jpg,cat,x\n3.jpg,dog,y\n";
    for end in ["\n", "\r\n"] {
        let error = listed("l.csv", &text.replace('\n', end)).1.unwrap_err();
        assert!(error.contains("line 3: a quote"), "{error}");
        assert!(error.contains("never closed"), "{error}");
    }
    // A quote that another row's quote seems to close.
    let text = "path,label,caption\n0.jpg,cat,\"a cat\n1.jpg,dog,x\n2.jpg,cat,\"y\n3.jpg,dog,z\n";
    let error = listed("l.csv", text).1.unwrap_err();
    assert!(error.contains("line 2: a quote"), "{error}");
    assert!(error.contains("line 4"), "{error}");
}

#[test]
fn a_cell_that_swallows_what_looks_like_rows_is_said_and_a_text_of_lines_is_not() {
    let rows = "path,label,caption\n0.jpg,cat,\"a cat,\non a mat\"\n1.jpg,dog,\"say \"\"x\"\"\"\n";
    let notes = notes_of("l.csv", rows);
    assert!(!notes.contains("quote"), "{notes}");
    let rows = format!("{rows}2.jpg,cat,\"a\n3.jpg,dog,b\n\"\n");
    let (work, result) = listed("l.csv", &rows);
    let notes = result.unwrap().notes.join("\n");
    assert!(
        notes.contains("1 line inside of quoted cells looks like a row"),
        "{notes}"
    );
    assert!(notes.contains("line 6"), "{notes}");
    assert_eq!(work.labels("train").len(), 3);
}

#[test]
fn quotes_of_a_tsv_are_letters_unless_they_enclose_a_cell() {
    let text = "path\tlabel\tcaption\n0.jpg\tcat\tok\n1.jpg\tdog\t\"Hello, dog\n2.jpg\t\"cat\"\tx\n3.jpg\tdog\t5\"\n";
    let (work, result) = listed("l.tsv", text);
    result.unwrap();
    let expected = [("0.jpg", 0), ("1.jpg", 1), ("2.jpg", 0), ("3.jpg", 1)];
    assert_eq!(
        work.labels("train"),
        expected.map(|(k, l)| (k.to_owned(), l))
    );
    // Also where a later quote seems to close the cell.
    let text = text.replace("5\"", "5\"\"").replace("\tx\n", "\tsaid\"\n");
    let (work, result) = listed("l.tsv", &text);
    result.unwrap();
    assert_eq!(work.labels("train").len(), 4);
    // A text of several lines is one cell.
    let text = "path\tlabel\tcaption\n0.jpg\tcat\t\"a\tcat\n\non \"\"a\"\" mat\"\n1.jpg\tdog\tb\n";
    let (work, result) = listed("l.tsv", text);
    result.unwrap();
    assert_eq!(work.labels("train").len(), 2);
}

#[test]
fn a_row_that_is_longer_than_the_first_line_is_said_as_that() {
    let notes = notes_of(
        "l.csv",
        "path,label,split\n0.jpg,cat,train\n1.jpg,dog,val,more\n",
    );
    assert!(!notes.contains("without a first line"), "{notes}");
    assert!(notes.contains("line 3"), "{notes}");
}

#[test]
fn rows_without_a_label_among_others_are_said() {
    let notes = notes_of(
        "l.csv",
        "path,label\n0.jpg,cat\n1.jpg,\n2.jpg,dog\n3.jpg,\n",
    );
    assert!(
        notes.contains("2 rows have no label and became split test"),
        "{notes}"
    );
    assert!(notes.contains("line 3"), "{notes}");
    // A list without labels is one, and says nothing.
    assert_eq!(notes_of("l.csv", "path\n0.jpg\n1.jpg\n"), "");
}

#[test]
fn an_image_of_two_splits_is_an_error_with_two_labels_and_said_with_one() {
    let text = "path,label,split\n0.jpg,cat,train\n0.jpg,dog,val\n1.jpg,dog,train\n";
    let error = listed("l.csv", text).1.unwrap_err();
    assert!(
        error.contains("line 3: \"0.jpg\" has another label here than in line 2"),
        "{error}"
    );
    let notes = notes_of("l.csv", &text.replace("dog,val", "cat,val"));
    assert!(
        notes.contains("1 image is in more than one split"),
        "{notes}"
    );
    assert!(notes.contains("0.jpg"), "{notes}");
}

#[test]
fn paths_may_begin_with_a_dot_or_at_the_root_of_the_system() {
    let work = Work::new(&["0.jpg", "1.jpg"], &[]);
    let path = work.source().join("1.jpg");
    let text = format!("./0.jpg,cat\n{},dog\n0.jpg,cat\n", path.display());
    fs::write(work.source().join("l.csv"), text).unwrap();
    let notes = work.notes("l.csv");
    assert!(notes.contains("1 lines name an image again"), "{notes}");
    let expected = [("0.jpg", 0), ("1.jpg", 1)].map(|(k, l)| (k.to_owned(), l));
    assert_eq!(work.labels("train"), expected);
    fs::write(work.source().join("l.csv"), "/nowhere/0.jpg,cat\n").unwrap();
    fs::remove_dir_all(work.out()).unwrap();
    let error = work.ingest("l.csv").unwrap_err();
    assert!(error.contains("leads out of the table's folder"), "{error}");
}

#[test]
fn a_source_without_images_is_called_what_it_is() {
    for (text, words) in [
        ("", "it names no image"),
        ("path,label\n", "it names no image"),
    ] {
        let error = listed("l.csv", text).1.unwrap_err();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("class folders"), "{error}");
    }
    let work = Work::new(&["train/cat/0.jpg"], &[]);
    let mut options = IngestOptions::new(work.source(), work.out());
    options.without = vec!["train"];
    let error = ingest(&options).unwrap_err().to_string();
    assert!(
        error.contains("--without train: no split is left"),
        "{error}"
    );
}

const NUMBERED: [&str; 5] = [
    "train/1/0.jpg",
    "train/2/0.jpg",
    "train/3/0.jpg",
    "val/a.jpg",
    "val/b.jpg",
];

#[test]
fn numbers_of_a_validation_list_are_class_folders_where_all_are() {
    // As names they are the first and the second, as positions the second and the third.
    let work = Work::new(&NUMBERED, &[("val.txt", "a.jpg 1\nb.jpg 2\n")]);
    let notes = work.notes("");
    assert!(notes.contains("names of class folders"), "{notes}");
    let labels = work.labels("val").into_iter().map(|(_, label)| label);
    assert_eq!(labels.collect::<Vec<_>>(), [0, 1]);
    // Only as names.
    let work = Work::new(&NUMBERED, &[("val.txt", "a.jpg 1\nb.jpg 3\n")]);
    work.notes("");
    let labels = work.labels("val").into_iter().map(|(_, label)| label);
    assert_eq!(labels.collect::<Vec<_>>(), [0, 2]);
    // Only as positions.
    let work = Work::new(&NUMBERED, &[("val.txt", "a.jpg 0\nb.jpg 2\n")]);
    let notes = work.notes("");
    assert!(notes.contains("count the class folders"), "{notes}");
    let labels = work.labels("val").into_iter().map(|(_, label)| label);
    assert_eq!(labels.collect::<Vec<_>>(), [0, 2]);
    // As neither.
    let work = Work::new(&NUMBERED, &[("val.txt", "a.jpg 0\nb.jpg 3\n")]);
    let error = work.ingest("").unwrap_err();
    assert!(error.contains("line 2"), "{error}");
}

#[test]
fn a_validation_list_may_begin_with_a_mark_of_its_bytes_order() {
    let names = ["train/cat/0.jpg", "train/dog/0.jpg", "val/a.jpg"];
    let work = Work::new(&names, &[("val.txt", "\u{feff}a.jpg 1\n")]);
    work.notes("");
    assert_eq!(work.labels("val"), [("val/dog/a.jpg".to_owned(), 1)]);
}

const KAGGLE: [&str; 3] = [
    "ILSVRC/Data/CLS-LOC/train/n01440764/0.jpg",
    "ILSVRC/Data/CLS-LOC/train/n01443537/0.jpg",
    "ILSVRC/Data/CLS-LOC/val/V_1.JPEG",
];

#[test]
fn tables_of_validation_images_that_contradict_themselves_are_refused() {
    let table = "ImageId,PredictionString\nV_1,n01440764 1 2 3 4\nV_1,n01443537 1 2 3 4\n";
    let work = Work::new(&KAGGLE, &[("LOC_val_solution.csv", table)]);
    let error = work.ingest("").unwrap_err();
    for words in [
        "LOC_val_solution.csv",
        "line 3",
        "V_1",
        "n01440764",
        "n01443537",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
    let table = "a.jpg\tn00000001\t0\na.jpg\tn00000002\t0\n";
    let names = [
        "train/n00000001/0.jpg",
        "train/n00000002/0.jpg",
        "val/images/a.jpg",
    ];
    let work = Work::new(&names, &[("val/val_annotations.txt", table)]);
    let error = work.ingest("").unwrap_err();
    for words in ["val_annotations.txt", "line 2", "n00000001", "n00000002"] {
        assert!(error.contains(words), "{words}: {error}");
    }
    // Said twice alike, it is no contradiction.
    let twice = table.replace("n00000002", "n00000001");
    let work = Work::new(&names, &[("val/val_annotations.txt", &twice)]);
    work.notes("");
}

#[test]
fn images_that_a_validation_table_names_and_that_are_not_there_are_said() {
    let rows = ["V_1", "V_2", "V_3"].map(|name| format!("{name},n01440764 1 2 3 4\n"));
    let table = format!("ImageId,PredictionString\n{}", rows.concat());
    let work = Work::new(&KAGGLE, &[("LOC_val_solution.csv", &table)]);
    let notes = work.notes("");
    assert!(notes.contains("2 images"), "{notes}");
    assert!(notes.contains("V_2, V_3"), "{notes}");
    let names = ["train/cat/0.jpg", "val/a.jpg"];
    let work = Work::new(&names, &[("val.txt", "a.jpg 0\nb.jpg 0\n")]);
    let notes = work.notes("");
    assert!(
        notes.contains("1 image") && notes.contains("b.jpg"),
        "{notes}"
    );
}

/// A tar of pictures and texts.
fn tar(folder: &Path, members: &[(&str, &str)]) {
    fs::create_dir_all(folder).unwrap();
    let file = fs::File::create(folder.join("train.tar")).unwrap();
    let mut tar = tar::Builder::new(file);
    for (name, text) in members {
        let bytes = if text.is_empty() {
            let path = folder.parent().unwrap().join(name);
            picture(&path);
            fs::read(path).unwrap()
        } else {
            text.as_bytes().to_vec()
        };
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    tar.finish().unwrap();
}

#[test]
fn labels_of_a_sample_that_disagree_are_an_error_that_names_both() {
    let said = |members: &[(&str, &str)]| {
        let work = Work::new(&[], &[]);
        tar(&work.source(), members);
        work.ingest("").map(|_| ())
    };
    let error = said(&[
        ("a.jpg", ""),
        ("a.cls", "cat"),
        ("a.json", r#"{"label":"dog"}"#),
    ]);
    let error = error.unwrap_err();
    assert!(
        error.contains("\"cat\"") && error.contains("\"dog\""),
        "{error}"
    );
    let json = r#"{"class_id":1,"label_idx":0,"class_name":"dog"}"#;
    let error = said(&[("a.jpg", ""), ("a.json", json)]).unwrap_err();
    assert!(
        error.contains("class_id") && error.contains("label_idx"),
        "{error}"
    );
    // A synset beside a name, a number beside a name, the same twice.
    for json in [
        r#"{"label":"n01440764"}"#,
        r#"{"label":3}"#,
        r#"{"label":"cat","target":"cat"}"#,
        r#"{"label":"cat","target":7,"class":"animal"}"#,
    ] {
        said(&[("a.jpg", ""), ("a.cls", "cat"), ("a.json", json)]).unwrap();
    }
}
