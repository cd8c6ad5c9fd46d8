//! Output folders in which somebody else's files and links have the names of ours.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use shardmill_formats::Codec;
use shardmill_prep::dataset::{
    ConvertOptions, ExportFormat, ExportOptions, SubsetOptions, convert, export, subset,
};
use shardmill_prep::ingest::{Part, ingest_part, merge};
use shardmill_prep::{IngestOptions, PrepError, ingest};

use crate::kit::{Fixture, SIDE, files, manifest};

const SHARD: &str = "train-00000-of-00004.safetensors";

fn options(fixture: &Fixture, out: &Path) -> IngestOptions {
    let mut options = IngestOptions::new(fixture.path("images"), out);
    (options.codec, options.size, options.shard_records) = (Codec::Raw, SIDE, 8);
    options
}

/// A link called `name` in `out` to a file that must stay as it is.
fn plant(fixture: &Fixture, out: &Path, name: &str) -> PathBuf {
    let victim = fixture.path("victim");
    fs::write(&victim, "precious").unwrap();
    fs::create_dir_all(out).unwrap();
    let link = out.join(name);
    if fs::symlink_metadata(&link).is_ok() {
        fs::remove_file(&link).unwrap();
    }
    symlink(&victim, link).unwrap();
    victim
}

fn assert_refused<T>(result: Result<T, PrepError>, victim: &Path, name: &str) {
    let Err(error) = result else {
        panic!("{name} is a link, and nobody minds");
    };
    assert_eq!(fs::read(victim).unwrap(), b"precious", "{name}");
    let text = error.to_string();
    assert!(text.contains("choose another --out"), "{name}: {text}");
}

#[test]
fn no_file_is_emptied_or_overwritten_through_a_link_in_a_new_folder() {
    let fixture = Fixture::new(Codec::Raw);
    for name in [
        "ingest-0-of-1.journal",
        "ingest-9-of-1.journal",
        "manifest.json",
        "manifest.json.part",
        "rejects.jsonl",
        "rejects.jsonl.part",
        SHARD,
        &format!("{SHARD}.part"),
    ] {
        let out = fixture.path("out");
        let victim = plant(&fixture, &out, name);
        assert_refused(ingest(&options(&fixture, &out)), &victim, name);
        // With a journal of another part beside it, as the reporter had it.
        if !name.contains("9-of-1") {
            fs::write(out.join("ingest-9-of-1.journal"), "").unwrap();
        }
        assert_refused(ingest(&options(&fixture, &out)), &victim, name);
        assert!(
            fs::symlink_metadata(out.join(name)).is_ok(),
            "{name} is gone"
        );
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn no_file_is_emptied_or_overwritten_through_a_link_in_an_unfinished_folder() {
    let fixture = Fixture::new(Codec::Raw);
    let part = |index, out: &Path| {
        let mut options = options(&fixture, out);
        options.part = Part { index, parts: 2 };
        ingest_part(&options)
    };
    for name in [
        "ingest-0-of-2.journal",
        "ingest-1-of-2.journal",
        "manifest.json",
        "manifest.json.part",
        "rejects.jsonl",
        "rejects.jsonl.part",
        SHARD,
        "train-00001-of-00004.safetensors",
        "train-00001-of-00004.safetensors.part",
    ] {
        let out = fixture.path("out");
        part(0, &out).unwrap();
        let victim = plant(&fixture, &out, name);
        assert_refused(part(1, &out), &victim, name);
        fs::remove_dir_all(out).unwrap();
    }
    for name in [
        "ingest-0-of-2.journal",
        "manifest.json",
        "manifest.json.part",
        "rejects.jsonl",
        "rejects.jsonl.part",
    ] {
        let out = fixture.path("out");
        part(0, &out).unwrap();
        part(1, &out).unwrap();
        let victim = plant(&fixture, &out, name);
        assert_refused(merge(&out), &victim, name);
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn a_file_with_the_name_of_a_journal_is_not_emptied() {
    let fixture = Fixture::new(Codec::Raw);
    let out = fixture.path("out");
    fs::create_dir(&out).unwrap();
    for text in ["precious", "precious\n", "{}\nprecious", "\u{fffd}"] {
        fs::write(out.join("ingest-0-of-1.journal"), text).unwrap();
        let error = ingest(&options(&fixture, &out)).unwrap_err().to_string();
        assert!(error.contains("move it away"), "{error}");
        let found = fs::read_to_string(out.join("ingest-0-of-1.journal")).unwrap();
        assert_eq!(found, text);
        assert!(merge(&out).is_err());
        assert_eq!(files(&out).len(), 1);
    }
    // One that was never written to is what a kill in the first moment leaves.
    fs::write(out.join("ingest-0-of-1.journal"), "").unwrap();
    ingest(&options(&fixture, &out)).unwrap();
}

#[test]
fn a_fifo_in_the_folder_keeps_nobody_waiting() {
    let fixture = Fixture::new(Codec::Raw);
    for name in [
        "ingest-0-of-1.journal",
        "ingest-0-of-2.journal",
        "manifest.json",
    ] {
        let out = fixture.path("out");
        fs::create_dir(&out).unwrap();
        let made = Command::new("mkfifo").arg(out.join(name)).status();
        assert!(made.unwrap().success());
        let error = ingest(&options(&fixture, &out)).unwrap_err().to_string();
        assert!(error.contains("choose another --out"), "{name}: {error}");
        assert!(merge(&out).is_err());
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn the_other_commands_write_through_no_link_either() {
    let fixture = Fixture::new(Codec::Raw);
    let shards = fixture.shards();
    let second = &manifest(&shards).splits["train"].shards[1].file;
    let whole = fs::read(shards.join(second)).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    let out = fixture.path("out");
    let to_jpeg = || convert(&ConvertOptions::new(&shards, &out, Codec::Jpeg)).map(drop);
    let part = || subset(&SubsetOptions::new(&shards, &out)).map(drop);
    let tars = || {
        let mut options = ExportOptions::new(&shards, &out, ExportFormat::WebDataset);
        options.shard_records = 8;
        export(&options).map(drop)
    };
    type Work<'a> = &'a dyn Fn() -> Result<(), PrepError>;
    let works: [(Work<'_>, &str, &[&str]); 3] = [
        (
            &to_jpeg,
            "convert.journal",
            &[SHARD, "train-00001-of-00004.safetensors.part"],
        ),
        (
            &part,
            "subset.journal",
            &[SHARD, "train-00001-of-00004.safetensors.part"],
        ),
        (
            &tars,
            "export.journal",
            &[
                "shardmill.json",
                ".unfinished/train-000001.tar.part",
                ".unfinished/train-000001.tar",
                ".unfinished/shardmill.json",
                ".unfinished/shardmill.json.part",
            ],
        ),
    ];
    for (work, journal, names) in works {
        let dataset = ["manifest.json", "manifest.json.part", "rejects.jsonl"];
        let common = match journal {
            "export.journal" => &[][..],
            _ => &dataset[..],
        };
        for name in [&[journal], common, names].concat() {
            let victim = plant(&fixture, &out, name.rsplit('/').next().unwrap());
            assert!(work().is_err(), "{journal} {name}");
            assert_eq!(fs::read(&victim).unwrap(), b"precious", "{journal} {name}");
            fs::remove_dir_all(&out).unwrap();
            // Again in a folder that an error in the second shard left unfinished.
            fs::write(shards.join(second), &damaged).unwrap();
            assert!(work().is_err());
            fs::write(shards.join(second), &whole).unwrap();
            assert!(out.join(journal).is_file(), "{journal}");
            let victim = plant(&fixture, &out, name);
            assert_refused(work(), &victim, name);
            fs::remove_dir_all(&out).unwrap();
        }
    }
    // A link in the place of the folder that an export is made in.
    let elsewhere = fixture.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(shards.join(second), &damaged).unwrap();
    assert!(tars().is_err());
    fs::write(shards.join(second), &whole).unwrap();
    fs::remove_dir_all(out.join(".unfinished")).unwrap();
    symlink(&elsewhere, out.join(".unfinished")).unwrap();
    assert!(tars().is_err());
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}
