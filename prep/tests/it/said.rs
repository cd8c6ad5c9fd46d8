//! What the program says: of parts, of work that was done before, and of files that it would replace.

use std::fs;

use shardmill_formats::Codec;

use crate::cases::{picture, pictures};
use crate::kit::{Fixture, files, manifest, prep, prep_ok};

fn stderr(arguments: &[&str]) -> String {
    let output = prep(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_part_says_what_it_rejected_and_what_was_passed_over() {
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name).to_str().unwrap().to_owned();
    let (source, out) = (path("source"), path("out"));
    pictures(
        source.as_ref(),
        &[
            "train/cat/0.jpg",
            "train/dog/1.jpg",
            "other/2.jpg",
            "val/a.jpg",
        ],
    );
    fs::write(format!("{source}/val.txt"), "a.jpg 0\n").unwrap();
    fs::write(format!("{source}/train/dog/bad.jpg"), "junk").unwrap();
    let part = |part: &str, out: &str, more: &[&str]| {
        let arguments = [
            "ingest", &source, "--out", out, "--size", "8", "--part", part,
        ];
        prep_ok(&[&arguments, more].concat())
    };
    let texts = ["0/2", "1/2"].map(|number| part(number, &out, &[]));
    for text in &texts {
        assert!(
            text.contains("in a folder that is neither a split nor a class (other/2.jpg)"),
            "{text}"
        );
        assert!(
            text.contains("note: labels of val come from val.txt"),
            "{text}"
        );
    }
    let rejected = texts
        .iter()
        .filter(|text| text.contains("1 image rejected (1 not-an-image)"));
    assert_eq!(rejected.count(), 1, "{texts:?}");
    assert!(texts.concat().contains("train/dog/bad.jpg"), "{texts:?}");
    // Again, it says the same of its earlier run.
    assert!(part("0/2", &out, &[]).contains("other/2.jpg"));
    let other = path("other");
    let json = ["0/2", "1/2"].map(|number| part(number, &other, &["--json"]));
    let json = json.map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap());
    let rejects = json
        .iter()
        .map(|part| part["rejects"]["not-an-image"].as_u64());
    assert_eq!(rejects.flatten().sum::<u64>(), 1);
    for part in &json {
        assert_eq!(part["passed_over"]["unused-folder"]["files"], 1, "{part}");
        assert_eq!(
            part["notes"][0], "labels of val come from val.txt",
            "{part}"
        );
        assert!(part["warned"].is_object(), "{part}");
    }
    let merged = prep_ok(&["merge", &out]);
    assert!(merged.contains("1 image rejected"), "{merged}");
}

#[test]
fn a_contact_sheet_replaces_a_file_by_force_alone() {
    let fixture = Fixture::new(Codec::Raw);
    let path = |name: &str| fixture.path(name).to_str().unwrap().to_owned();
    let shards = path("shards");
    let (mine, sheet, fine) = (path("mine.png"), path("sheet.png"), path("fine.PNG"));
    fs::write(&mine, "mine").unwrap();
    let error = stderr(&["inspect", &shards, "--montage", &mine]);
    assert!(error.contains("--force"), "{error}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("mine.png", &sheet).unwrap();
        let error = stderr(&["inspect", &shards, "--montage", &sheet]);
        assert!(error.contains("--force"), "{error}");
    }
    assert_eq!(fs::read(&mine).unwrap(), b"mine");
    for name in ["photo.jpg", "photo"] {
        let error = stderr(&["inspect", &shards, "--montage", &path(name)]);
        assert!(error.contains(".png"), "{error}");
        assert!(!fixture.path(name).exists());
    }
    prep_ok(&["inspect", &shards, "--montage", &fine]);
    assert_eq!(image::open(&fine).unwrap().width(), 1024);
    // By force the link is replaced, not its target.
    prep_ok(&["inspect", &shards, "--montage", &sheet, "--force"]);
    assert!(fs::symlink_metadata(&sheet).unwrap().is_file());
    assert_eq!(fs::read(&mine).unwrap(), b"mine");
    prep_ok(&["inspect", &shards, "--montage", &mine, "--force"]);
    assert_eq!(image::open(&mine).unwrap().width(), 1024);
}

#[test]
fn work_of_an_earlier_run_is_said_to_be_known_by_names_and_labels() {
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name).to_str().unwrap().to_owned();
    let (source, out) = (path("source"), path("out"));
    for i in 0..10 {
        picture(&work.path().join(format!("source/cat/{i}.jpg")));
    }
    let bad = work.path().join("source/cat/bad.jpg");
    fs::write(&bad, "junk").unwrap();
    let arguments = [
        "ingest",
        &source,
        "--out",
        &out,
        "--size",
        "8",
        "--threads",
        "1",
        "--shard-records",
        "1",
    ];
    let stopping = [&arguments[..], &["--on-error", "stop"]].concat();
    let error = stderr(&stopping);
    assert!(error.contains("repair it"), "{error}");
    assert!(
        error.contains("remove it and start over with another --out"),
        "{error}"
    );
    assert!(
        work.path().join("out").exists(),
        "no shard was made before it"
    );
    // What the message says works.
    let removed = work.path().join("bad.jpg");
    fs::rename(&bad, &removed).unwrap();
    prep_ok(&[
        "ingest",
        &source,
        "--out",
        &path("other"),
        "--size",
        "8",
        "--on-error",
        "stop",
    ]);
    let error = stderr(&stopping);
    assert!(error.contains("it has other images or labels"), "{error}");
    picture(&bad);
    let text = prep_ok(&stopping);
    assert!(
        text.contains("compared by their names and labels, not by their contents"),
        "{text}"
    );
    let text = prep_ok(&stopping);
    assert!(text.contains("complete already"), "{text}");
    assert!(
        text.contains("compared by their names and labels, not by their contents"),
        "{text}"
    );
}

#[test]
fn a_listed_image_that_is_missing_stops_before_anything_is_made() {
    let work = tempfile::tempdir().unwrap();
    let source = work.path().join("source");
    pictures(&source, &["0.jpg", "1.jpg", "2.jpg", "3.jpg"]);
    fs::write(
        source.join("l.csv"),
        "0.jpg,a\n1.jpg,a\n2.jpg,a\n3.jpg,a\n4.jpg,a\n",
    )
    .unwrap();
    let list = source.join("l.csv");
    let (list, out) = (list.to_str().unwrap(), work.path().join("out"));
    let arguments = [
        "ingest",
        list,
        "--out",
        out.to_str().unwrap(),
        "--size",
        "8",
        "--threads",
        "1",
        "--shard-records",
        "1",
        "--on-error",
        "stop",
    ];
    let error = stderr(&arguments);
    assert!(error.contains("line 5 of l.csv"), "{error}");
    assert!(!out.exists());
    picture(&source.join("4.jpg"));
    prep_ok(&arguments);
}

#[test]
fn too_many_threads_are_refused_in_words() {
    let fixture = Fixture::new(Codec::Raw);
    let path = |name: &str| fixture.path(name).to_str().unwrap().to_owned();
    let (shards, images, out) = (path("shards"), path("images"), path("out"));
    let before = files(&fixture.path(""));
    for arguments in [
        &["ingest", &images, "--out", &out][..],
        &["plan", &images],
        &["verify", &shards],
        &["subset", &shards, "--out", &out],
        &["convert", &shards, "--codec", "zstd", "--out", &out],
        &["export", &shards, "--to", "folder", "--out", &out],
    ] {
        let output = prep(&[arguments, &["--threads", "99999999"]].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains("1024"), "{errors}");
    }
    assert!(files(&fixture.path("")) == before);
}

#[test]
fn a_file_of_classes_is_named_and_may_begin_with_a_mark_of_its_bytes_order() {
    let fixture = Fixture::new(Codec::Raw);
    let path = |name: &str| fixture.path(name).to_str().unwrap().to_owned();
    fs::write(fixture.path("n02"), "\u{feff}n03\n").unwrap();
    let arguments = [
        "subset",
        &path("shards"),
        "--classes",
        &path("n02"),
        "--out",
        &path("out"),
    ];
    let output = prep(&arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(
        errors.contains("classes are read from the file"),
        "{errors}"
    );
    assert!(errors.contains("n02"), "{errors}");
    assert_eq!(manifest(&fixture.path("out")).classes[0].synset, "n03");
}
