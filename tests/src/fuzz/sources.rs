//! The parsers of sources. Each reads files, so the input becomes a file in a folder with what belongs to it.

use std::path::Path;

use shardmill_prep::IngestOptions;
use shardmill_prep::ingest::estimate;
use tempfile::TempDir;

use super::packs::unpacked_kit;
use super::scratch::{gzip, prepared, write, write_flat, write_tiny};
use crate::layouts::{write_kaggle, write_official};

const META: &str = "ILSVRC2012_devkit_t12/data/meta.mat";
const TRUTH: &str = "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt";
const KIT: &str = "ILSVRC2012_devkit_t12.tar.gz";
const TRAIN: &str = "ILSVRC2012_img_train.tar";
const VAL: &str = "ILSVRC2012_img_val.tar";

/// The files of labels and words that [`labels`] chooses from by its first byte; the first two are Kaggle's.
pub(super) const LABELS: [&str; 5] = [
    "LOC_val_solution.csv",
    "LOC_synset_mapping.txt",
    "val/val_annotations.txt",
    "val.txt",
    "words.txt",
];

thread_local! {
    static TAR: TempDir = prepared(|_| ());
    static PARQUET: TempDir = prepared(|_| ());
    static LIST: TempDir = prepared(write_tiny);
    static EXPORT: TempDir = prepared(write_tiny);
    static TRAIN_TAR: TempDir = prepared(|_| ());
    static VAL_TAR: TempDir = prepared(|folder| write_official_except(folder, VAL));
    static UNPACKED_KIT: TempDir = prepared(|folder| {
        write_flat(folder);
        restore_kit(folder);
    });
    static PACKED_KIT: TempDir = prepared(write_flat);
    static TABLES: [TempDir; 5] = LABELS.map(|file| prepared(|folder| match file.starts_with("LOC") {
        true => kaggle(folder),
        false => write_flat(folder),
    }));
}

/// The official files except one.
fn write_official_except(folder: &Path, except: &str) {
    write_official(prepared(write_tiny).path(), folder);
    std::fs::remove_file(folder.join(except)).expect("a file that was written");
}

fn kaggle(folder: &Path) {
    write_kaggle(prepared(write_tiny).path(), folder);
}

fn restore_kit(folder: &Path) {
    let (meta, truth) = unpacked_kit();
    write(&folder.join(META), &meta);
    write(&folder.join(TRUTH), &truth);
}

/// A tar of WebDataset; the first byte says how it is packed.
pub(super) fn tar(input: &[u8]) {
    let Some((kind, tar)) = input.split_first() else {
        return;
    };
    TAR.with(|folder| match kind % 4 {
        0 => list_file(folder, "a.tar", tar),
        // The packing's checksum is sound, so that the fuzzer gets behind it.
        1 => list_file(folder, "a.tar.gz", &gzip(tar)),
        2 => list_file(folder, "b.tar.gz", tar),
        _ => list_file(folder, "a.tar.zst", tar),
    });
}

/// The training tar, which holds tars, or the validation tar beside the development kit.
pub(super) fn official(input: &[u8]) {
    match input.split_first() {
        Some((0, tar)) => TRAIN_TAR.with(|folder| list_beside(folder, TRAIN, tar)),
        Some((_, tar)) => VAL_TAR.with(|folder| list_beside(folder, VAL, tar)),
        None => {}
    }
}

pub(super) fn parquet(input: &[u8]) {
    PARQUET.with(|folder| list_file(folder, "a.parquet", input));
}

/// A table of images, separated by commas or tabs.
pub(super) fn list(input: &[u8]) {
    match input.split_first() {
        Some((0, table)) => LIST.with(|folder| list_file(folder, "list.csv", table)),
        Some((_, table)) => LIST.with(|folder| list_file(folder, "list.tsv", table)),
        None => {}
    }
}

/// A file of labels or words; the first byte says which.
pub(super) fn labels(input: &[u8]) {
    let Some((kind, table)) = input.split_first() else {
        return;
    };
    let kind = usize::from(*kind) % LABELS.len();
    TABLES.with(|folders| list_beside(&folders[kind], LABELS[kind], table));
}

/// A file of the development kit, or the packed kit.
pub(super) fn devkit(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else {
        return;
    };
    match kind % 3 {
        2 => PACKED_KIT.with(|folder| list_beside(folder, KIT, &gzip(bytes))),
        kind => UNPACKED_KIT.with(|folder| {
            restore_kit(folder.path());
            list_beside(folder, [META, TRUTH][usize::from(kind)], bytes);
        }),
    }
}

/// What an export says of itself, or its list of keys, beside class folders.
pub(super) fn export(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else {
        return;
    };
    EXPORT.with(|folder| {
        let (about, keys) = super::lists::export();
        write(&folder.path().join("shardmill.json"), &about);
        write(&folder.path().join("keys.tsv"), &keys);
        list_beside(
            folder,
            ["shardmill.json", "keys.tsv"][usize::from(kind % 2)],
            bytes,
        );
    });
}

/// Lists a source that is one file.
fn list_file(folder: &TempDir, name: &str, bytes: &[u8]) {
    let path = folder.path().join(name);
    write(&path, bytes);
    list_source(&path);
}

/// Lists a source that is a folder with this file in it.
fn list_beside(folder: &TempDir, name: &str, bytes: &[u8]) {
    write(&folder.path().join(name), bytes);
    list_source(folder.path());
}

/// Lists a source, and decodes an image of it.
fn list_source(source: &Path) {
    // Not in the source, which would be listed without it.
    let mut options = IngestOptions::new(source, source.with_extension("shards"));
    options.size = 4;
    options.threads = 1;
    match estimate(&options, 1) {
        Ok(estimate) => {
            assert!(estimate.images.values().all(|&images| images > 0));
            assert!(!estimate.to_string().is_empty());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
