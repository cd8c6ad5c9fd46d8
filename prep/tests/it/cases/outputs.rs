//! Datasets, exports and output folders.

use std::path::Path;

use super::{each, pictures};
use crate::kit::{prep_ok, records};

/// Keys and labels of a dataset, sorted.
fn keys(shards: &Path) -> Vec<(String, i64)> {
    let records = records(shards).into_iter();
    let mut keys: Vec<_> = records.map(|record| (record.key, record.label)).collect();
    keys.sort();
    keys
}

#[test]
fn more_parts_than_shards_merge() {
    let make = |folder: &Path| pictures(folder, &["A6/cat/1.jpg", "A6/dog/1.jpg"]);
    each("sources.tar", "PARTS", make, |folder| {
        let (source, out) = (folder.join("A6"), folder.join("O"));
        let (source, out) = (source.to_str().unwrap(), out.to_str().unwrap());
        for part in ["0/4", "1/4", "2/4", "3/4"] {
            prep_ok(&[
                "ingest", source, "--out", out, "--size", "24", "--part", part,
            ]);
        }
        prep_ok(&["merge", out]);
        assert_eq!(keys(out.as_ref()).len(), 2);
        let shards = crate::kit::manifest(out.as_ref()).splits["train"]
            .shards
            .len();
        assert_eq!(shards, 1);
        prep_ok(&["verify", out]);
        let left = std::fs::read_dir(out).unwrap();
        assert_eq!(left.count(), 2, "a shard and the manifest");
    });
}

#[test]
fn names_in_subfolders_survive_an_export_to_parquet() {
    let make = |folder: &Path| pictures(folder, &["A20b/dog/front/1.jpg", "A20b/dog/back/1.jpg"]);
    each("sources.tar", "NESTED", make, |folder| {
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let [source, first, parquet, second] = ["A20b", "S", "P", "T"].map(path);
        // Its one class holds folders only, so it is named as one.
        prep_ok(&[
            "ingest",
            &source,
            "--out",
            &first,
            "--size",
            "24",
            "--layout",
            "class-folders",
        ]);
        prep_ok(&["export", &first, "--to", "parquet", "--out", &parquet]);
        prep_ok(&["ingest", &parquet, "--out", &second, "--size", "24"]);
        let keys = keys(first.as_ref());
        assert_eq!(keys.len(), 2);
        assert_eq!(self::keys(second.as_ref()), keys);
    });
}
