//! An ingest whose shards other processes make: one plan, any order, and the bytes of one machine.

use std::fs;
use std::path::Path;

use shardmill_formats::Codec;
use shardmill_prep::ingest::{SharedIngest, SharedStart, make_shard};
use shardmill_prep::{IngestOptions, IngestSummary, MaxRejects, OnError, ingest};

use crate::kit::{Fixture, SIDE, files};

fn options(fixture: &Fixture, out: &str) -> IngestOptions {
    let mut options = IngestOptions::new(fixture.path("images"), fixture.path(out));
    (options.size, options.shard_records) = (SIDE, 4);
    options
}

fn begin(options: &IngestOptions) -> SharedIngest {
    match SharedIngest::begin(options).unwrap() {
        SharedStart::Unfinished(shared) => *shared,
        SharedStart::Complete(_) => panic!("there is something to do"),
    }
}

fn begin_error(options: &IngestOptions) -> String {
    SharedIngest::begin(options).err().unwrap().to_string()
}

fn complete(options: &IngestOptions) -> IngestSummary {
    match SharedIngest::begin(options).unwrap() {
        SharedStart::Complete(summary) => *summary,
        SharedStart::Unfinished(_) => panic!("nothing is left to do"),
    }
}

/// As [`make_shard`], for task `i`.
fn make(shared: &SharedIngest, options: &IngestOptions, i: usize) -> String {
    make_shard(options, shared.plan(), &shared.task(i)).unwrap()
}

fn leave_half_a_shard(out: &Path, shard: &str) {
    fs::write(out.join(format!("{shard}.0123456789abcdef.part")), "half").unwrap();
}

#[test]
fn shards_made_in_any_order_equal_one_run() {
    let fixture = Fixture::new(Codec::Raw);
    let whole = options(&fixture, "whole");
    let one = ingest(&whole).unwrap();
    let ours = options(&fixture, "out");
    let mut shared = begin(&ours);
    assert_eq!((shared.tasks(), shared.finished_before()), (10, 0));
    let images: usize = (0..shared.tasks()).map(|i| shared.images(i)).sum();
    assert_eq!(images as u64, one.images());
    for i in (0..shared.tasks()).rev() {
        let line = make(&shared, &ours, i);
        // Twice, as when the answer of the first was lost.
        assert_eq!(make(&shared, &ours, i), line);
        shared.record(&line).unwrap();
        shared.record(&line).unwrap();
    }
    leave_half_a_shard(&ours.out, "train-00003-of-00008.safetensors");
    let summary = shared.complete().unwrap();
    assert_eq!(summary.manifest, one.manifest);
    assert_eq!(summary.rejects, one.rejects);
    assert!(files(&ours.out) == files(&whole.out));
    assert!(complete(&ours).was_complete);
    assert!(files(&ours.out) == files(&whole.out));
}

#[test]
fn one_machine_resumes_what_several_began_and_the_other_way_round() {
    let fixture = Fixture::new(Codec::Raw);
    let whole = options(&fixture, "whole");
    ingest(&whole).unwrap();
    let ours = options(&fixture, "out");
    let mut shared = begin(&ours);
    for i in [1, 4] {
        let line = make(&shared, &ours, i);
        shared.record(&line).unwrap();
    }
    // Made, and not recorded.
    make(&shared, &ours, 0);
    let locked = begin_error(&ours);
    assert!(locked.contains("another prep is using it"), "{locked}");
    let unfinished = shared.complete().unwrap_err().to_string();
    assert!(
        unfinished.contains("8 shards are not finished"),
        "{unfinished}"
    );
    leave_half_a_shard(&ours.out, "val-00000-of-00002.safetensors");
    let shared = begin(&ours);
    assert_eq!((shared.tasks(), shared.finished_before()), (8, 2));
    assert!(
        !ours
            .out
            .join("val-00000-of-00002.safetensors.0123456789abcdef.part")
            .exists()
    );
    drop(shared);
    let resumed = ingest(&ours).unwrap();
    assert!(resumed.notes.iter().any(|note| note.contains("2 shards")));
    assert!(files(&ours.out) == files(&whole.out));
}

#[test]
fn what_would_make_other_shards_is_refused() {
    let fixture = Fixture::new(Codec::Raw);
    let ours = options(&fixture, "out");
    let mut shared = begin(&ours);
    let made = |options: &IngestOptions| {
        make_shard(options, shared.plan(), &shared.task(0))
            .unwrap_err()
            .to_string()
    };
    let mut other = ours.clone();
    other.codec = Codec::Zstd;
    let error = made(&other);
    assert!(error.contains("--codec was raw and is zstd"), "{error}");
    // A folder of this name on a machine that does not share it.
    let mut elsewhere = ours.clone();
    elsewhere.out = fixture.path("elsewhere");
    let error = made(&elsewhere);
    assert!(error.contains("shared file system"), "{error}");
    let error = make_shard(&ours, b"{}", &shared.task(0))
        .unwrap_err()
        .to_string();
    assert!(error.contains("same version on every machine"), "{error}");
    // A shard that another machine made where nobody else sees it.
    let line = make(&shared, &ours, 0);
    let file = fs::read_dir(&ours.out)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let file = file.filter(|path| path.extension().is_some_and(|end| end == "safetensors"));
    fs::remove_file(file.last().unwrap()).unwrap();
    let error = shared.record(&line).unwrap_err().to_string();
    assert!(error.contains("has 0 here"), "{error}");
    let error = shared.record("null").unwrap_err().to_string();
    assert!(error.contains("no finished shard"), "{error}");
    drop(shared);
    let mut table = ours;
    table.source = fixture.path("rows.parquet");
    table.layout = Some("webdataset".parse().unwrap());
    let packed = fixture.path("train.tar.gz");
    fs::write(&packed, b"\x1f\x8b").unwrap();
    table.source = packed;
    table.out = fixture.path("packed");
    let error = begin_error(&table);
    assert!(error.contains("unpacked, on every machine anew"), "{error}");
    assert!(!table.out.exists());
}

#[test]
fn rejects_of_all_machines_count_together() {
    let fixture = Fixture::new(Codec::Raw);
    let mut ours = options(&fixture, "out");
    ours.max_rejects = Some(MaxRejects::Count(0));
    let mut shared = begin(&ours);
    let lines = (0..shared.tasks()).map(|i| make(&shared, &ours, i));
    let lines: Vec<String> = lines.collect();
    let refused = lines.iter().find_map(|line| shared.record(line).err());
    let error = refused.unwrap().to_string();
    assert!(error.contains("more than 0 images"), "{error}");
    drop(shared);
    ours.on_error = OnError::Stop;
    ours.max_rejects = None;
    let shared = begin(&ours);
    let errors = (0..shared.tasks())
        .filter_map(|i| make_shard(&ours, shared.plan(), &shared.task(i)).err())
        .map(|error| error.to_string());
    for error in errors {
        assert!(error.contains("broken.png"), "{error}");
    }
}

/// Keys of bytes that are no text, and files whose names are not their keys.
#[cfg(target_os = "linux")]
#[test]
fn files_of_any_name_are_found_by_the_other_process() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let fixture = Fixture::new(Codec::Raw);
    let images = fixture.path("images/train/n01");
    let name = OsStr::from_bytes(b"caf\xe9.png");
    fs::copy(images.join("n01_train_0.v1.png"), images.join(name)).unwrap();
    let whole = options(&fixture, "whole");
    ingest(&whole).unwrap();
    let ours = options(&fixture, "out");
    let mut shared = begin(&ours);
    for i in 0..shared.tasks() {
        let line = make(&shared, &ours, i);
        shared.record(&line).unwrap();
    }
    shared.complete().unwrap();
    assert!(files(&ours.out) == files(&whole.out));
}
