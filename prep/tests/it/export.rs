use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use shardmill_formats::Codec;
use shardmill_prep::PrepError;
use shardmill_prep::dataset::{ExportFormat, ExportOptions, export};

use crate::kit::{Fixture, Record, damage, files, jpeg_pixels, manifest, prep, prep_ok, records};

fn options(fixture: &Fixture, format: ExportFormat) -> ExportOptions {
    ExportOptions::new(fixture.shards(), fixture.path("out"), format)
}

fn train(fixture: &Fixture) -> Vec<Record> {
    let records = records(&fixture.shards()).into_iter();
    records.filter(|record| record.split == "train").collect()
}

fn pixels(image: &[u8]) -> Vec<u8> {
    match image.starts_with(&[0xFF, 0xD8]) {
        true => jpeg_pixels(image).into_raw(),
        false => image::load_from_memory(image).unwrap().to_rgb8().into_raw(),
    }
}

/// Files of a tar archive in order.
fn members(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(File::open(path).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (name, bytes)
    });
    entries.collect()
}

#[test]
fn webdataset_holds_image_class_and_key_of_every_record() {
    let fixture = Fixture::new(Codec::Jpeg);
    let mut options = options(&fixture, ExportFormat::WebDataset);
    options.shard_records = 12;
    let summary = export(&options).unwrap();
    assert_eq!(
        summary.records,
        BTreeMap::from([("train".to_owned(), 30), ("val".to_owned(), 6)])
    );
    assert_eq!(summary.files, 4);
    let names: Vec<PathBuf> = files(&options.out).into_keys().collect();
    let expected = [
        "shardmill.json",
        "train-000000.tar",
        "train-000001.tar",
        "train-000002.tar",
        "val-000000.tar",
    ];
    assert_eq!(names, expected.map(PathBuf::from));
    let mut all = Vec::new();
    let classes = manifest(&fixture.shards()).classes;
    let table = serde_json::json!({
        "version": 1, "split": "train", "labelled": true, "classes": classes,
    });
    for name in &expected[1..4] {
        let mut members = members(&options.out.join(name));
        assert!(members.len() <= 37);
        let (name, text) = members.remove(0);
        assert_eq!(name, "__shardmill__");
        let found: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(found, table);
        all.extend(members);
    }
    for (i, (record, parts)) in train(&fixture).iter().zip(all.chunks(3)).enumerate() {
        let [(jpg, image), (cls, class), (json, text)] = parts else {
            panic!("three files a sample");
        };
        assert_eq!(
            [jpg, cls, json],
            [
                &format!("{i:09}.jpg"),
                &format!("{i:09}.cls"),
                &format!("{i:09}.json")
            ]
        );
        assert_eq!(image, &record.stored);
        assert_eq!(class, record.label.to_string().as_bytes());
        let json: serde_json::Value = serde_json::from_slice(text).unwrap();
        let class = &classes[record.label as usize];
        let expected = serde_json::json!({
            "key": record.key, "label": record.label, "synset": class.synset, "class_name": class.name,
        });
        assert_eq!(json, expected);
    }
    assert_eq!(all.len(), 90);
}

#[test]
fn lossless_records_become_png_or_jpeg_on_demand() {
    for codec in [Codec::Raw, Codec::Zstd] {
        let fixture = Fixture::new(codec);
        let mut options = options(&fixture, ExportFormat::WebDataset);
        options.splits = vec!["train".to_owned()];
        export(&options).unwrap();
        let png = members(&options.out.join("train-000000.tar"));
        options.out = fixture.path("jpeg");
        options.quality = Some(95);
        export(&options).unwrap();
        let jpg = members(&options.out.join("train-000000.tar"));
        for (i, record) in train(&fixture).iter().enumerate() {
            // The first member is the table of the classes.
            let (png, jpg) = (&png[3 * i + 1], &jpg[3 * i + 1]);
            assert_eq!(png.0, format!("{i:09}.png"));
            assert_eq!(pixels(&png.1), record.rgb);
            assert_eq!(jpg.0, format!("{i:09}.jpg"));
            assert_eq!(pixels(&jpg.1).len(), record.rgb.len());
        }
    }
}

#[test]
fn folders_hold_each_image_under_its_class() {
    let fixture = Fixture::new(Codec::Jpeg);
    let options = options(&fixture, ExportFormat::Folder);
    export(&options).unwrap();
    let found = files(&options.out);
    let own = ["shardmill.json", "keys.tsv"].map(PathBuf::from);
    assert_eq!(found.len(), 36 + own.len());
    assert!(own.iter().all(|name| found.contains_key(name)));
    for record in records(&fixture.shards()) {
        // Keys are SPLIT/CLASS/NAME.png here, so the tree comes back with another extension.
        let path = PathBuf::from(record.key.replace(".png", ".jpg"));
        assert_eq!(found[&path], record.stored, "{}", record.key);
    }
}

#[test]
fn parquet_holds_image_label_and_class_names() {
    let fixture = Fixture::new(Codec::Jpeg);
    let mut renamed = manifest(&fixture.shards());
    for (class, name) in renamed.classes.iter_mut().zip(["crane", "shark", "crane"]) {
        class.name = name.to_owned();
    }
    fs::write(fixture.shards().join("manifest.json"), renamed.to_json()).unwrap();
    let mut options = options(&fixture, ExportFormat::Parquet);
    options.shard_records = 20;
    export(&options).unwrap();
    let mut rows = Vec::new();
    for name in [
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
    ] {
        let file = File::open(options.out.join("data").join(name)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let metadata = reader
            .metadata()
            .file_metadata()
            .key_value_metadata()
            .unwrap();
        let features: serde_json::Value =
            serde_json::from_str(metadata[0].value.as_ref().unwrap()).unwrap();
        assert_eq!(
            features["info"]["features"]["label"]["names"],
            serde_json::json!(["crane (n01)", "shark", "crane (n03)"])
        );
        let table: serde_json::Value =
            serde_json::from_str(metadata[1].value.as_ref().unwrap()).unwrap();
        assert_eq!(metadata[1].key, "shardmill");
        assert_eq!(table["classes"], serde_json::json!(renamed.classes));
        for row in reader.get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let image = row.get_group(0).unwrap();
            let bytes = image.get_bytes(0).unwrap().data().to_vec();
            rows.push((
                bytes,
                image.get_string(1).unwrap().clone(),
                row.get_long(1).unwrap(),
                row.get_string(2).unwrap().clone(),
            ));
        }
    }
    let expected: Vec<_> = train(&fixture)
        .into_iter()
        .map(|record| {
            let path = record.key.strip_prefix("train/").unwrap();
            let path = path.replace(".png", ".jpg");
            (record.stored, path, record.label, record.key)
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn threads_change_no_byte() {
    let fixture = Fixture::new(Codec::Zstd);
    for format in [
        ExportFormat::WebDataset,
        ExportFormat::Folder,
        ExportFormat::Parquet,
    ] {
        let outs = [1, 4].map(|threads| {
            let mut options = options(&fixture, format);
            options.out = fixture.path(&format!("{format:?}-{threads}"));
            options.threads = threads;
            export(&options).unwrap();
            files(&options.out)
        });
        assert!(!outs[0].is_empty() && outs[0] == outs[1], "{format:?}");
    }
}

#[test]
fn damage_stops_an_export_and_nothing_is_left_behind() {
    let fixture = Fixture::new(Codec::Jpeg);
    damage(&fixture.shards());
    for format in [
        ExportFormat::WebDataset,
        ExportFormat::Folder,
        ExportFormat::Parquet,
    ] {
        let options = options(&fixture, format);
        assert!(
            matches!(export(&options), Err(PrepError::Shard { .. })),
            "{format:?}"
        );
        assert!(!options.out.exists(), "{format:?}");
    }
}

#[test]
fn the_program_says_what_it_wrote_and_what_it_does_not_know() {
    let fixture = Fixture::new(Codec::Jpeg);
    let (shards, out) = (fixture.shards(), fixture.path("out"));
    let (shards, out) = (shards.to_str().unwrap(), out.to_str().unwrap());
    let run = |rest: &[&str]| prep(&[&["export", shards, "--out", out][..], rest].concat());
    for (rest, code, words) in [
        (&["--to", "zip"][..], 2, "webdataset, folder or parquet"),
        (
            &["--to", "folder", "--splits", "test"],
            1,
            "the dataset has train, val",
        ),
        (&["--to", "folder", "--quality", "50"], 1, "JPEG already"),
        (
            &["--to", "parquet", "--shard-records", "0"],
            1,
            "at least one record",
        ),
    ] {
        let output = run(rest);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{errors}");
        assert!(errors.contains(words), "{errors}");
        assert!(!Path::new(out).exists());
    }
    let text = prep_ok(&[
        "export", shards, "--out", out, "--to", "folder", "--splits", "val", "--json",
    ]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["records"], serde_json::json!({ "val": 6 }));
    assert_eq!(json["files"], 6);
    let output = run(&["--to", "folder"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "the folder is in use");
    assert!(
        errors.contains("--splits was val and is train,val"),
        "{errors}"
    );
}
