//! What is exported comes back: classes, labels, keys, and pixels where the codec keeps them.

use std::fs;
use std::path::Path;

use shardmill_formats::{Class, Codec, Manifest};
use shardmill_prep::dataset::{ExportFormat, ExportOptions, export};
use shardmill_prep::{IngestOptions, ingest};

use crate::kit::{manifest, records};

const SIDE: u32 = 24;

/// Names that are hard on an export: one twice in a class, one under two endings, endings in capitals, a
/// class of two words, classes without an image before, between and after the others, whose names are not
/// their synsets, and images without labels in folders.
const IMAGES: [&str; 14] = [
    "train/great white/1.png",
    "train/great white/deep/1.png",
    "train/great white/deep/er/1.JPEG",
    "train/n02/1.png",
    "train/n02/1.PNG",
    "train/n02/n02_7.JPEG",
    "train/n02/a.b.c.jpg",
    "train/n04/x.webp",
    "train/n04/ümläut ß.png",
    "val/great white/1.png",
    "val/n04/v.JPEG",
    "test/1.png",
    "test/n02/1.png",
    "test/2.JPEG",
];
const EMPTY: [&str; 3] = ["a first one", "n03", "z last"];

fn write_source(source: &Path) {
    for (name, number) in IMAGES.iter().zip(0_u32..) {
        let path = source.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let picture = image::RgbImage::from_fn(SIDE + 5, SIDE + 2, |x, y| {
            image::Rgb([
                (x * 7 + number * 17) as u8,
                (y * 9) as u8,
                (number * 13) as u8,
            ])
        });
        picture
            .save_with_format(path, image::ImageFormat::Png)
            .unwrap();
    }
    for class in EMPTY {
        fs::create_dir_all(source.join("train").join(class)).unwrap();
    }
}

fn options(source: &Path, out: &Path, codec: Codec) -> IngestOptions {
    let mut options = IngestOptions::new(source, out);
    (options.codec, options.size, options.shard_records) = (codec, SIDE, 4);
    options
}

/// A dataset of these images; `n02` and `n04` are both called "crane".
fn dataset(folder: &Path, codec: Codec) -> Manifest {
    let source = folder.join("source");
    write_source(&source);
    let shards = folder.join("shards");
    ingest(&options(&source, &shards, codec)).unwrap();
    let mut manifest = manifest(&shards);
    for Class { synset, name } in &mut manifest.classes {
        if matches!(synset.as_str(), "n02" | "n04") {
            *name = "crane".to_owned();
        } else if synset == "z last" {
            *name = "the last, of all".to_owned();
        }
    }
    fs::write(shards.join("manifest.json"), manifest.to_json()).unwrap();
    manifest
}

fn come_back(format: ExportFormat) {
    for codec in Codec::ALL {
        let folder = tempfile::tempdir().unwrap();
        let before = dataset(folder.path(), codec);
        let [shards, out, again] =
            ["shards", "export", "again"].map(|name| folder.path().join(name));
        let mut exporting = ExportOptions::new(&shards, &out, format);
        exporting.shard_records = 3;
        export(&exporting).unwrap();
        ingest(&options(&out, &again, codec)).unwrap();
        let after = manifest(&again);
        assert_eq!(after.classes, before.classes, "{format:?} {codec}");
        assert_eq!(after.rejects.count, 0, "{format:?} {codec}");
        let labelled = |manifest: &Manifest| {
            let splits = manifest.splits.iter();
            splits
                .map(|(name, split)| (name.clone(), split.labelled))
                .collect::<Vec<_>>()
        };
        assert_eq!(labelled(&after), labelled(&before), "{format:?} {codec}");
        let (before, after) = (records(&shards), records(&again));
        assert_eq!(before.len(), IMAGES.len());
        // In the order of the shards: the plan is the same too.
        for (old, new) in before.iter().zip(&after) {
            let name = |record: &crate::kit::Record| {
                (record.split.clone(), record.key.clone(), record.label)
            };
            assert_eq!(name(new), name(old), "{format:?} {codec}");
            assert!(
                codec == Codec::Jpeg || new.rgb == old.rgb,
                "{format:?} {codec} {}",
                old.key
            );
        }
        assert_eq!(after.len(), before.len(), "{format:?} {codec}");
    }
}

#[test]
fn folders_come_back_with_classes_keys_and_pixels() {
    come_back(ExportFormat::Folder);
}

#[test]
fn webdataset_comes_back_with_classes_keys_and_pixels() {
    come_back(ExportFormat::WebDataset);
}

#[test]
fn parquet_comes_back_with_classes_keys_and_pixels() {
    come_back(ExportFormat::Parquet);
}

#[test]
fn a_class_without_images_keeps_its_folder_in_every_labelled_split() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path(), Codec::Raw);
    let out = folder.path().join("export");
    export(&ExportOptions::new(
        folder.path().join("shards"),
        &out,
        ExportFormat::Folder,
    ))
    .unwrap();
    for class in EMPTY {
        for split in ["train", "val"] {
            let found = fs::read_dir(out.join(split).join(class)).unwrap();
            assert_eq!(found.count(), 0, "{split}/{class}");
        }
    }
    assert!(out.join("train/great white/deep/1.png").is_file());
    assert!(
        !out.join("test/n02").exists(),
        "folders would look like classes"
    );
}

#[test]
fn folders_that_were_changed_are_what_they_are_now() {
    let folder = tempfile::tempdir().unwrap();
    dataset(folder.path(), Codec::Raw);
    let [out, again] = ["export", "again"].map(|name| folder.path().join(name));
    export(&ExportOptions::new(
        folder.path().join("shards"),
        &out,
        ExportFormat::Folder,
    ))
    .unwrap();
    fs::remove_dir_all(out.join("test")).unwrap();
    fs::remove_dir_all(out.join("val")).unwrap();
    fs::rename(out.join("train/n02"), out.join("train/n09")).unwrap();
    ingest(&options(&out, &again, Codec::Raw)).unwrap();
    let classes = manifest(&again).classes;
    assert!(
        classes
            .iter()
            .any(|class| class.synset == "n09" && class.name == "n09")
    );
    assert!(classes.iter().all(|class| class.synset != "n02"));
    let hostile = ["no tab\n", "train/n04/x.png\t../../etc/passwd\n"];
    for (text, index) in hostile.iter().zip(0..) {
        fs::rename(out.join("train/n09"), out.join("train/n02")).unwrap_or_default();
        fs::write(out.join("keys.tsv"), text).unwrap();
        let target = folder.path().join(format!("hostile-{index}"));
        match ingest(&options(&out, &target, Codec::Raw)) {
            Err(error) => assert!(error.to_string().contains("line 1"), "{error}"),
            Ok(summary) => assert_eq!(summary.rejects_by_reason()["bad-name"], 1),
        }
    }
}
