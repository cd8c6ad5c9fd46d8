//! Seeds that are tables of images and labels, and what an export says of itself.

use std::fs;
use std::sync::LazyLock;

use shardmill_prep::IngestOptions;
use shardmill_prep::dataset::{ExportOptions, export as write_export};
use shardmill_prep::ingest;

use super::Seed;
use super::archives::kind;
use super::scratch::{CLASSES, prepared, read, write_tiny};
use super::sources::LABELS;
use crate::layouts::{val_name, write_kaggle, write_list};

/// Lists with commas and tabs, with a first line of names, quotes and splits, and without.
pub(super) fn lists() -> Vec<Seed> {
    let tree = prepared(write_tiny);
    let table = read(&write_list(tree.path()));
    let text = String::from_utf8_lossy(&table).into_owned();
    let plain: String = text
        .lines()
        .skip(1)
        .map(|line| format!("{line}\n"))
        .collect();
    let numbered = plain.replace(CLASSES[0], "0").replace(CLASSES[1], "1");
    let quoted =
        "\"path\",\"label\",\"split\",\"more\"\n\"a \"\"b\"\".png\",\"one,\ntwo\",train,x\n";
    vec![
        ("names".to_owned(), kind(0, &table)),
        ("plain".to_owned(), kind(0, plain.as_bytes())),
        ("numbers".to_owned(), kind(0, numbered.as_bytes())),
        ("quotes".to_owned(), kind(0, quoted.as_bytes())),
        (
            "tabs".to_owned(),
            kind(1, text.replace(',', "\t").as_bytes()),
        ),
    ]
}

/// Files of labels and words behind the byte that says which.
pub(super) fn labels() -> Vec<Seed> {
    let kaggle = prepared(|out| write_kaggle(prepared(write_tiny).path(), out));
    let mut seeds: Vec<Seed> = Vec::new();
    for (number, file) in (0..).zip(LABELS) {
        let text = match file {
            "val/val_annotations.txt" => {
                table(|name, class, _| format!("{name}\t{class}\t0\t0\t9\t9\n"))
            }
            "val.txt" => table(|name, _, label| format!("val/{name} {label}\n")),
            "words.txt" => table(|_, class, _| format!("{class}\twords of {class}, more\n")),
            file => String::from_utf8_lossy(&read(&kaggle.path().join(file))).into_owned(),
        };
        let name = file.rsplit('/').next().unwrap_or(file);
        seeds.push((name.to_owned(), kind(number, text.as_bytes())));
    }
    let named = table(|name, class, _| format!("{name} {class}\n"));
    seeds.push(("named-val.txt".to_owned(), kind(3, named.as_bytes())));
    seeds
}

/// A line for each validation image, of its name, class and label.
fn table(line: impl Fn(&str, &str, usize) -> String) -> String {
    let lines = CLASSES.iter().enumerate();
    lines
        .map(|(label, class)| line(&val_name(label + 1), class, label))
        .collect()
}

/// What an export says of itself and its keys, behind the byte that says which.
pub(super) fn exports() -> Vec<Seed> {
    let (about, keys) = export();
    vec![
        ("about".to_owned(), kind(0, &about)),
        ("keys".to_owned(), kind(1, &keys)),
    ]
}

/// What an export into class folders says of itself, and its list of keys.
pub(super) fn export() -> (Vec<u8>, Vec<u8>) {
    static EXPORT: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
        let files = exported("folder");
        let file = |wanted: &str| files.iter().find(|(name, _)| name == wanted);
        let about = file("shardmill.json").expect("an export says what it is");
        // Keys that are paths are not listed, and all of these are.
        let keys = CLASSES.map(|class| format!("train/{class}/{class}_1.png\tkey/of/{class}\n"));
        (about.1.clone(), keys.concat().into_bytes())
    });
    EXPORT.clone()
}

/// The files at the top of an export and in its folders of splits.
pub(super) fn exported(format: &str) -> Vec<Seed> {
    let work = prepared(|folder| write_tiny(&folder.join("images")));
    let (shards, out) = (work.path().join("shards"), work.path().join("out"));
    let mut options = IngestOptions::new(work.path().join("images"), &shards);
    options.size = 3;
    options.threads = 1;
    ingest(&options).expect("a tree can be ingested");
    let format = format.parse().expect("a format of exports");
    write_export(&ExportOptions::new(&shards, &out, format)).expect("a dataset can be exported");
    let mut found = Vec::new();
    let mut folders = vec![out];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("an export is a folder") {
            let path = entry.expect("a file of the export").path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    found.push((name.into_owned(), read(&path)));
                }
            }
        }
    }
    found.sort();
    found
}
