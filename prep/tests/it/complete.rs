//! The same command again, where its work is done already.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use shardmill_formats::{Codec, ShardIndex};

use crate::kit::{Fixture, files, manifest, prep, prep_ok};

/// When each file below a folder was written.
fn times(folder: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let written = |path: PathBuf| {
        let time = fs::metadata(folder.join(&path))
            .unwrap()
            .modified()
            .unwrap();
        (path, time)
    };
    files(folder).into_keys().map(written).collect()
}

/// Runs a command twice, and once with other arguments.
///
/// `word` is said of the others.
fn check(out: &Path, arguments: &[&str], other: &[&str], word: &str) {
    prep_ok(arguments);
    let before = (times(out), files(out));
    let text = prep_ok(arguments);
    assert!(text.contains("complete already"), "{arguments:?}: {text}");
    let json: serde_json::Value =
        serde_json::from_str(&prep_ok(&[arguments, &["--json"]].concat())).unwrap();
    assert_eq!(json["was_complete"], true, "{arguments:?}");
    assert!((times(out), files(out)) == before, "{arguments:?} wrote");
    if !other.is_empty() {
        let output = prep(&[arguments, other].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{other:?}: {errors}");
        assert!(
            errors.contains("holds another finished"),
            "{other:?}: {errors}"
        );
        assert!(errors.contains(word), "{other:?}: {errors}");
        assert!(!errors.contains("the same command resumes"), "{errors}");
        assert!((times(out), files(out)) == before, "{other:?} wrote");
    }
}

#[test]
fn an_ingest_that_is_complete_says_so_and_writes_nothing() {
    let fixture = Fixture::new(Codec::Raw);
    let [images, out] = ["images", "out"].map(|name| fixture.path(name));
    let (source, target) = (images.to_str().unwrap(), out.to_str().unwrap());
    let arguments = [
        "ingest",
        source,
        "--out",
        target,
        "--size",
        "24",
        "--shard-records",
        "8",
    ];
    check(
        &out,
        &arguments,
        &["--seed", "7"],
        "(--seed was 0 and is 7)",
    );
    let word = "(--codec was raw and is zstd)";
    check(&out, &arguments, &["--codec", "zstd"], word);
    // Another plan that only the listing knows of.
    let before = (times(&out), files(&out));
    fs::rename(
        images.join("train/n01/broken.png"),
        images.join("train/n01/b.png"),
    )
    .unwrap();
    let output = prep(&arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("other images or labels"), "{errors}");
    assert!((times(&out), files(&out)) == before);
    fs::rename(
        images.join("train/n01/b.png"),
        images.join("train/n01/broken.png"),
    )
    .unwrap();
    // What is not all there is not complete.
    let shard = out.join("train-00001-of-00004.safetensors");
    let bytes = fs::read(&shard).unwrap();
    fs::write(&shard, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(prep(&arguments).status.code(), Some(1));
}

#[test]
fn a_merge_of_a_merged_dataset_says_so_and_writes_nothing() {
    let fixture = Fixture::new(Codec::Raw);
    let [images, out] = ["images", "out"].map(|name| fixture.path(name));
    let (source, target) = (images.to_str().unwrap(), out.to_str().unwrap());
    let part = |part: &str, out: &str| {
        prep_ok(&[
            "ingest", source, "--out", out, "--size", "24", "--part", part,
        ]);
    };
    part("0/2", target);
    part("1/2", target);
    let journals: Vec<_> = ["ingest-0-of-2.journal", "ingest-1-of-2.journal"]
        .map(|name| (out.join(name), fs::read(out.join(name)).unwrap()))
        .into();
    check(&out, &["merge", target], &[], "");
    // A merge that was killed before the last journal was gone.
    let merged = files(&out);
    let (path, bytes) = &journals[1];
    fs::write(path, bytes).unwrap();
    prep_ok(&["merge", target]);
    assert!(files(&out) == merged);
    // A part again finds the whole dataset.
    part("1/2", target);
    assert!(files(&out) == merged);
}

#[test]
fn the_other_commands_say_so_too() {
    let fixture = Fixture::new(Codec::Raw);
    let shards = fixture.shards();
    let shards = shards.to_str().unwrap();
    let unknown = "other options";
    for (name, command, other, word) in [
        (
            "a",
            &["convert", "--codec", "jpeg"][..],
            &["--quality", "40"],
            "(--quality was 90 and is 40)",
        ),
        (
            "b",
            &["subset", "--per-class", "3"],
            &["--seed", "4"],
            unknown,
        ),
        (
            "c",
            &["export", "--to", "folder"],
            &["--splits", "val"],
            "(--splits was train,val and is val)",
        ),
        (
            "d",
            &["export", "--to", "webdataset"],
            &["--quality", "9"],
            unknown,
        ),
        (
            "e",
            &["export", "--to", "parquet"],
            &["--shard-records", "4"],
            unknown,
        ),
    ] {
        let out = fixture.path(name);
        let target = ["--out", out.to_str().unwrap()];
        let arguments = [&command[..1], &[shards], &command[1..], &target].concat();
        check(&out, &arguments, other, word);
    }
    // An export with a file less is not complete.
    let out = fixture.path("c");
    let image = files(&out.join("train")).into_keys().next().unwrap();
    fs::remove_file(out.join("train").join(image)).unwrap();
    let target = out.to_str().unwrap();
    let output = prep(&["export", shards, "--to", "folder", "--out", target]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("has 35 files and was made with 36"),
        "{errors}"
    );
}

#[test]
fn unfinished_work_names_the_option_that_is_another() {
    let fixture = Fixture::new(Codec::Raw);
    let shards = fixture.shards();
    // The last one, so that others are finished before.
    let path = shards.join(&manifest(&shards).splits["val"].shards[0].file);
    let mut bytes = fs::read(&path).unwrap();
    let range = ShardIndex::parse(&bytes).unwrap().record_range(&bytes, 0);
    bytes[range.start] ^= 1;
    fs::write(path, bytes).unwrap();
    for (name, begun, other, word) in [
        (
            "a",
            &["convert", "--codec", "jpeg", "--quality", "80"][..],
            &["convert", "--codec", "zstd"][..],
            "(--codec was jpeg and is zstd)",
        ),
        (
            "b",
            &["export", "--to", "parquet", "--shard-records", "4"],
            &["export", "--to", "webdataset", "--shard-records", "4"],
            "(--to was parquet and is webdataset)",
        ),
        (
            "c",
            &["export", "--to", "webdataset", "--shard-records", "4"],
            &["export", "--to", "webdataset", "--shard-records", "5"],
            "(--shard-records was 4 and is 5)",
        ),
    ] {
        let out = fixture.path(name);
        let said = |command: &[&str]| {
            let places = ["--out", out.to_str().unwrap()];
            let arguments = [
                &command[..1],
                &[shards.to_str().unwrap()],
                &command[1..],
                &places,
            ];
            let output = prep(&arguments.concat());
            assert_eq!(output.status.code(), Some(1), "{command:?}");
            String::from_utf8(output.stderr).unwrap()
        };
        let errors = said(begun);
        assert!(errors.contains("the same command resumes"), "{errors}");
        let before = files(&out);
        let errors = said(other);
        assert!(errors.contains(word), "{errors}");
        assert!(files(&out) == before, "{other:?} wrote");
    }
}
