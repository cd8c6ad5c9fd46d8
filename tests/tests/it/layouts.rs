//! The same images in every layout become the same records.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use shardmill_prep::{IngestOptions, Layout, ingest};
use shardmill_tests::{
    Packing, photo, real_images, val_name, write_kaggle, write_list, write_official, write_parquet,
    write_tree, write_webdataset,
};

use crate::ingest::samples;

type Records = BTreeMap<String, (i64, Vec<u8>)>;

/// Ingests a source and gives the records of both splits.
fn records(source: &Path, layout: Layout) -> (Records, Vec<(String, String)>) {
    let work = tempfile::tempdir().unwrap();
    let mut options = IngestOptions::new(source, work.path().join("shards"));
    options.size = 64;
    let summary = ingest(&options).unwrap();
    assert_eq!(summary.manifest.source.layout, layout.name());
    assert_eq!(summary.rejects, []);
    let classes = summary.manifest.classes.into_iter();
    let classes = classes.map(|class| (class.synset, class.name)).collect();
    let mut records = samples(&options.out, "train");
    records.extend(samples(&options.out, "val"));
    (records, classes)
}

/// Renames the validation images of a class-folder tree as the official ones are, in an order that
/// mixes the classes.
fn number_validation(tree: &Path) {
    let val = tree.join("val");
    let mut images: Vec<PathBuf> = Vec::new();
    for class in fs::read_dir(&val).unwrap() {
        let files = fs::read_dir(class.unwrap().path()).unwrap();
        images.extend(files.map(|file| file.unwrap().path()));
    }
    images.sort_by_key(|path| path.file_name().unwrap().to_owned());
    for (i, path) in images.iter().enumerate() {
        fs::rename(path, path.with_file_name(val_name(i + 1))).unwrap();
    }
}

fn check(tree: &Path) {
    let (expected, classes) = records(tree, Layout::ClassFolders);
    let work = tempfile::tempdir().unwrap();
    let [official, kaggle] = ["official", "kaggle"].map(|name| work.path().join(name));
    write_official(tree, &official);
    write_kaggle(tree, &kaggle);
    let packed = [Packing::None, Packing::Gzip, Packing::Zstd];
    let [tars, gzip, zstd] = packed.map(|packing| {
        let folder = work.path().join(format!("{packing:?}"));
        write_webdataset(tree, &folder, packing);
        folder
    });
    let parquet = work.path().join("parquet");
    write_parquet(tree, &parquet);
    let list = write_list(tree);
    let synsets = |classes: &[(String, String)]| -> Vec<String> {
        classes.iter().map(|class| class.0.clone()).collect()
    };
    for (source, layout) in [
        (&official, Layout::Official),
        (&kaggle, Layout::Kaggle),
        (&kaggle.join("ILSVRC"), Layout::Kaggle),
        (&list, Layout::List),
        (&tars, Layout::WebDataset),
        (&gzip, Layout::WebDataset),
        (&zstd, Layout::WebDataset),
        (&parquet, Layout::Parquet),
    ] {
        let (found, known) = records(source, layout);
        assert!(found == expected, "{layout}: other records");
        assert_eq!(synsets(&known), synsets(&classes), "{layout}");
        let words = format!("words of {}", known[0].0);
        match layout {
            Layout::Official => assert_eq!(known[0].1, words),
            Layout::Kaggle => assert_eq!(known[0].1, words + ", more"),
            _ => assert_eq!(known[0].1, classes[0].1),
        }
    }
}

#[test]
fn every_layout_of_a_small_tree_gives_the_same_records() {
    let tree = tempfile::tempdir().unwrap();
    write_tree(tree.path());
    number_validation(tree.path());
    check(tree.path());
    let (_, classes) = records(tree.path(), Layout::ClassFolders);
    assert_eq!(
        classes[0].1, "tench, Tinca tinca",
        "the project's own table names it"
    );
}

#[test]
fn every_layout_of_real_images_gives_the_same_records() {
    let Some(unpacked) = real_images("layouts", "imagenet-samples.tar") else {
        return;
    };
    let tree = unpacked.path().join("imagenet");
    // Each image of every third class is shown for validation too.
    let mut classes: Vec<_> = fs::read_dir(tree.join("train"))
        .unwrap()
        .map(|class| class.unwrap().path())
        .collect();
    classes.sort();
    for class in classes.iter().step_by(3) {
        let target = tree.join("val").join(class.file_name().unwrap());
        fs::create_dir_all(&target).unwrap();
        for image in fs::read_dir(class).unwrap() {
            let image = image.unwrap();
            fs::copy(image.path(), target.join(image.file_name())).unwrap();
        }
    }
    number_validation(&tree);
    check(&tree);
}

#[test]
fn images_without_labels_become_a_split_without_labels() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().join("test-images");
    fs::create_dir_all(&folder).unwrap();
    for i in 0..3 {
        photo(90, 80, i)
            .save(folder.join(format!("ILSVRC2012_test_{i:08}.png")))
            .unwrap();
    }
    fs::write(folder.join("readme.txt"), "no image").unwrap();
    let list = work.path().join("list.tsv");
    fs::write(&list, "test-images/ILSVRC2012_test_00000001.png\n").unwrap();
    for (source, layout, images) in [(&folder, Layout::Unlabelled, 3), (&list, Layout::List, 1)] {
        let mut options = IngestOptions::new(source, work.path().join(layout.name()));
        options.size = 64;
        let summary = ingest(&options).unwrap();
        assert_eq!(summary.manifest.source.layout, layout.name());
        let split = &summary.manifest.splits["test"];
        assert_eq!((split.records, split.labelled), (images, false));
        assert!(summary.manifest.classes.is_empty() && summary.manifest.statistics.is_none());
        assert!(
            samples(&options.out, "test")
                .values()
                .all(|(label, _)| *label == -1)
        );
    }
}

#[test]
fn a_list_cannot_lead_out_of_its_folder() {
    let work = tempfile::tempdir().unwrap();
    let list = work.path().join("list.csv");
    for path in [
        "../secret.jpg",
        "/etc/hostname",
        "a/../../b.jpg",
        "C:/b.jpg",
        "..\\b.jpg",
    ] {
        fs::write(&list, format!("path,label\n{path},0\n")).unwrap();
        let options = IngestOptions::new(&list, work.path().join("out"));
        let error = ingest(&options).unwrap_err().to_string();
        assert!(
            error.contains("line 2") && error.contains("leads out"),
            "{error}"
        );
        assert!(!options.out.exists());
    }
}
