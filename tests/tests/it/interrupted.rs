//! An ingest that was killed, or ran out of room, goes on where it stopped and ends in the same bytes.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use shardmill_formats::{Codec, ShardIndex};
use shardmill_prep::ingest::{Ingested, Part, ingest_part, merge};
use shardmill_prep::{IngestOptions, PrepError, ingest};
use shardmill_tests::{Program, photo_jpeg};

use crate::ingest::files;

/// Images of the tree; among them some that are rejected.
const IMAGES: u32 = 300;

fn write_images(tree: &Path) {
    for i in 0..IMAGES {
        let class = tree.join("train").join(format!("class-{}", i % 3));
        fs::create_dir_all(&class).unwrap();
        let path = class.join(format!("{i}.jpg"));
        match i % 50 {
            7 => fs::write(path, b"no image").unwrap(),
            _ => fs::write(path, photo_jpeg(300, 280, i)).unwrap(),
        }
    }
}

fn options(tree: &Path, out: &Path) -> IngestOptions {
    let mut options = IngestOptions::new(tree, out);
    (options.shard_records, options.size) = (20, 128);
    options
}

fn spawn(tree: &Path, out: &Path) -> Child {
    let mut command = Program::Prep.command();
    command.arg("ingest").arg(tree).arg("--out").arg(out);
    command.args(["--shard-records", "20", "--size", "128"]);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn twenty_kills_change_no_byte() {
    let work = tempfile::tempdir().unwrap();
    let tree = work.path().join("tree");
    write_images(&tree);
    let start = Instant::now();
    ingest(&options(&tree, &work.path().join("whole"))).unwrap();
    let whole = start.elapsed();
    let expected = files(&work.path().join("whole"));
    let (mut kills, mut resumed) = (0, 0);
    for round in 0_u32.. {
        let out = work.path().join(format!("out-{round}"));
        // Moments spread over the run by the golden section, again and again until it ends by itself.
        for attempt in 0_u32.. {
            let share = f64::from(kills + attempt + round + 1) * 0.618_034 % 1.0;
            let mut child = spawn(&tree, &out);
            std::thread::sleep(Duration::from_secs_f64(
                whole.as_secs_f64() * share.max(0.05),
            ));
            let ended = child.try_wait().unwrap();
            let _ = child.kill();
            let status = ended.unwrap_or(child.wait().unwrap());
            if status.success() {
                break;
            }
            kills += 1;
            let journal = out.join("ingest-0-of-1.journal");
            let done = fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
            resumed += u32::from(done > 1);
            whole_shards(&out);
        }
        assert!(
            files(&out) == expected,
            "round {round}: other bytes than an undisturbed run's"
        );
        fs::remove_dir_all(&out).unwrap();
        if kills >= 20 {
            break;
        }
    }
    assert!(
        resumed > 0,
        "no run of {kills} was killed after its first shard"
    );
}

/// Whatever stands under a final name is a whole shard.
fn whole_shards(out: &Path) {
    let Ok(entries) = fs::read_dir(out) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("safetensors") => {
                let bytes = fs::read(&path).unwrap();
                let index = ShardIndex::parse(&bytes).unwrap();
                (0..index.len()).for_each(|i| index.verify_record(&bytes, i).unwrap());
            }
            Some("part" | "json" | "jsonl" | "journal") => {}
            other => panic!("{} has the extension {other:?}", path.display()),
        }
    }
}

#[test]
fn parts_made_apart_and_merged_equal_one_run() {
    let work = tempfile::tempdir().unwrap();
    let tree = work.path().join("tree");
    write_images(&tree);
    let (whole, out) = (work.path().join("whole"), work.path().join("parts"));
    ingest(&options(&tree, &whole)).unwrap();
    for index in [2, 0, 1] {
        if index == 1 {
            let error = merge(&out).unwrap_err().to_string();
            assert!(error.contains("parts 1/3 were never begun"), "{error}");
        }
        let mut part = options(&tree, &out);
        part.part = Part { index, parts: 3 };
        let Ingested::Part { shards, .. } = ingest_part(&part).unwrap() else {
            panic!("a part is not a dataset");
        };
        assert_eq!(shards, 5);
    }
    assert!(!merge(&out).unwrap().was_complete);
    assert!(files(&out) == files(&whole));
    // Once more is once too often, and harmless.
    assert!(merge(&out).unwrap().was_complete);
    assert!(files(&out) == files(&whole));
    let error = merge(&tree).unwrap_err().to_string();
    assert!(error.contains("no part of an ingest"), "{error}");
}

#[test]
fn an_unfinished_ingest_is_not_continued_with_other_arguments() {
    let work = tempfile::tempdir().unwrap();
    let tree = work.path().join("tree");
    write_images(&tree);
    let out = work.path().join("out");
    let mut part = options(&tree, &out);
    part.part = Part { index: 0, parts: 2 };
    ingest_part(&part).unwrap();
    let before = files(&out);
    let mut seeded = part.clone();
    seeded.seed = 9;
    let mut thirds = part.clone();
    thirds.part = Part { index: 1, parts: 3 };
    let mut encoded = part.clone();
    encoded.codec = Codec::Jpeg;
    let mut longer = part.clone();
    longer.shard_records += 1;
    let records = format!(
        "--shard-records was {} and is {}",
        part.shard_records, longer.shard_records
    );
    let mut divided = part.clone();
    divided.val_fraction = 0.5;
    for (other, word) in [
        (seeded, "(--seed was 0 and is 9)"),
        (encoded, "(--codec was raw and is jpeg)"),
        (longer, &*records),
        (divided, "--val-fraction"),
        (thirds, "(--part was one of 2 and is one of 3)"),
    ] {
        let error = ingest_part(&other).unwrap_err();
        assert!(matches!(error, PrepError::OtherWork { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
        assert!(files(&out) == before);
    }
    // A part is no dataset, and asking for one makes nothing.
    let error = ingest(&part).unwrap_err();
    assert!(matches!(error, PrepError::OnePart(_)), "{error}");
    assert!(files(&out) == before);
    // The same part again finds everything done.
    assert!(matches!(
        ingest_part(&part).unwrap(),
        Ingested::Part { shards: 8, .. }
    ));
    fs::remove_file(out.join("train-00000-of-00015.safetensors")).unwrap();
    let error = ingest_part(&part).unwrap_err().to_string();
    assert!(error.contains("has 0 bytes"), "{error}");
}
