//! Datasets from strangers whose names try to get out.

use std::fs;
use std::path::PathBuf;

use shardmill_formats::{Codec, ShardIndex};
use shardmill_prep::PrepError;
use shardmill_prep::dataset::{ExportFormat, ExportOptions, SubsetOptions, export, subset};

use crate::kit::{Fixture, files, handmade, manifest};

/// Keys that the format allows and that are still no good as file names somewhere.
const KEYS: [&str; 10] = [
    "a/NUL",
    "a/con.jpg",
    "b/trailing. .png",
    "b/x:stream.png",
    "a/.hidden",
    "c/dup.png",
    "d/DUP.jpg",
    "e/dup",
    "a/<>|?*\".webp",
    "a/..png",
];

#[test]
fn hostile_keys_and_classes_stay_inside_the_folder() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, out) = (
        scratch.path().join("shards"),
        scratch.path().join("x/y/out"),
    );
    handmade(&source, &["../../../escape"], &KEYS);
    // Beside the images there are the description, and for folders the list of keys.
    for (format, count, own) in [
        (ExportFormat::Folder, KEYS.len(), 2),
        (ExportFormat::WebDataset, 1, 1),
        (ExportFormat::Parquet, 1, 1),
    ] {
        let out = out.join(format!("{format:?}"));
        let summary = export(&ExportOptions::new(&source, &out, format)).unwrap();
        assert_eq!(summary.files as usize, count);
        assert_eq!(files(&out).len(), count + own);
    }
    let mut outside = files(scratch.path());
    outside.retain(|path, _| !path.starts_with("x/y/out") && !path.starts_with("shards"));
    assert!(outside.is_empty(), "{:?}", outside.keys());
    let found = files(&out.join("Folder"));
    let class = "train/_._.._.._escape";
    let expected = [
        "_NUL.png",
        "_con.png",
        "trailing__.png",
        "x_stream.png",
        "_hidden.png",
        "dup.png",
        "DUP-000006.png",
        "dup-000007.png",
        "______.png",
        "_.png",
    ];
    for (name, i) in expected.iter().zip(0_u8..) {
        let bytes = &found[&PathBuf::from(class).join(name)];
        let pixels = image::load_from_memory(bytes).unwrap().to_rgb8().into_raw();
        assert_eq!(pixels, [i; 12], "{name}");
    }
}

#[test]
fn classes_that_become_one_name_keep_folders_of_their_own() {
    let scratch = tempfile::tempdir().unwrap();
    let (source, out) = (scratch.path().join("shards"), scratch.path().join("out"));
    let classes = ["", "/", "/etc", "C:\\x", "CON", "\\", "con", "nul\0"];
    let keys: Vec<String> = (0..classes.len())
        .map(|i| format!("{i}/same.png"))
        .collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    handmade(&source, &classes, &keys);
    export(&ExportOptions::new(&source, &out, ExportFormat::Folder)).unwrap();
    let folders: Vec<_> = files(&out)
        .into_keys()
        .filter(|path| path.starts_with("train"))
        .map(|path| path.parent().unwrap().to_owned())
        .collect();
    assert_eq!(folders.len(), classes.len());
    for folder in folders {
        assert_eq!(folder.components().count(), 2, "{}", folder.display());
    }
}

#[cfg(unix)]
#[test]
fn a_link_as_the_rejects_file_is_not_copied() {
    use shardmill_prep::dataset::{ConvertOptions, convert};
    let fixture = Fixture::new(Codec::Raw);
    let secret = fixture.path("secret");
    fs::write(&secret, "secret").unwrap();
    fs::remove_file(fixture.shards().join("rejects.jsonl")).unwrap();
    std::os::unix::fs::symlink(&secret, fixture.shards().join("rejects.jsonl")).unwrap();
    let out = fixture.path("out");
    convert(&ConvertOptions::new(fixture.shards(), &out, Codec::Zstd)).unwrap();
    assert!(!out.join("rejects.jsonl").exists());
    assert_eq!(manifest(&out).rejects.file, None);
}

#[test]
fn a_shard_that_contradicts_its_manifest_is_refused() {
    let fixture = Fixture::new(Codec::Raw);
    let shards = fixture.shards();
    let whole = fs::read_to_string(shards.join("manifest.json")).unwrap();
    let refuse = |change: &dyn Fn(&mut shardmill_formats::Manifest)| {
        let mut changed = shardmill_formats::Manifest::parse(whole.as_bytes()).unwrap();
        change(&mut changed);
        fs::write(shards.join("manifest.json"), changed.to_json()).unwrap();
        let out = fixture.path("out");
        let error = subset(&SubsetOptions::new(&shards, &out)).unwrap_err();
        assert!(!out.exists());
        error
    };
    let error = refuse(&|manifest| manifest.codec = Codec::Zstd);
    assert!(
        matches!(error, PrepError::Contradiction { what: "codec", .. }),
        "{error}"
    );
    let error = refuse(&|manifest| manifest.height += 1);
    assert!(
        matches!(
            error,
            PrepError::Contradiction {
                what: "record size",
                ..
            }
        ),
        "{error}"
    );
    let error = refuse(&|manifest| drop(manifest.classes.pop()));
    assert!(
        matches!(
            error,
            PrepError::Contradiction {
                what: "number of classes",
                ..
            }
        ),
        "{error}"
    );
    let error =
        refuse(&|manifest| manifest.splits.get_mut("train").unwrap().shards[0].bytes = u64::MAX);
    assert!(error.to_string().contains("the manifest says"), "{error}");
    let error = refuse(&|manifest| {
        let split = manifest.splits.get_mut("train").unwrap();
        split.shards[0].index_crc32c = "00000000".to_owned();
    });
    assert!(matches!(error, PrepError::Shard { .. }), "{error}");
}

#[test]
fn no_prefix_of_a_shard_and_no_damaged_header_brings_a_reader_down() {
    let fixture = Fixture::new(Codec::Zstd);
    let shards = fixture.shards();
    let mut manifest = manifest(&shards);
    let name = manifest.splits["train"].shards[0].file.clone();
    let whole = fs::read(shards.join(&name)).unwrap();
    let first = ShardIndex::parse(&whole)
        .unwrap()
        .record_range(&whole, 0)
        .start;
    let mut cases: Vec<Vec<u8>> = [
        0,
        1,
        7,
        8,
        9,
        100,
        first - 1,
        first,
        first + 1,
        whole.len() - 1,
    ]
    .map(|len| whole[..len].to_vec())
    .to_vec();
    for at in (0..first).step_by(97) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x5a;
        cases.push(damaged);
    }
    for at in 0..8 {
        let mut damaged = whole.clone();
        damaged[at] = 0xff;
        cases.push(damaged);
    }
    for bytes in cases {
        fs::write(shards.join(&name), &bytes).unwrap();
        manifest.splits.get_mut("train").unwrap().shards[0].bytes = bytes.len() as u64;
        fs::write(shards.join("manifest.json"), manifest.to_json()).unwrap();
        let out = fixture.path("out");
        assert!(subset(&SubsetOptions::new(&shards, &out)).is_err());
    }
}
