//! A disk that fills up in the middle of an ingest.

use std::fs;
use std::path::Path;
use std::process::Command;

use image::{ImageBuffer, Rgb};
use shardmill_formats::Codec;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, note};

use crate::ingest::files;

/// Mounts a disk of 1 MiB, ingests until it is full, makes it larger, and ingests again with the same
/// arguments. The mount is seen by this script alone and is gone with it.
const SCRIPT: &str = r#"
mount -t tmpfs -o size=1M tmpfs "$DISK" || exit 77
set -- ingest "$TREE" --out "$DISK/out" --codec jpeg --quality 100 --size 128 --shard-records 10 --ignore-free-space
if "$PREP" "$@" > "$WORK/first.log" 2>&1; then exit 3; fi
ls "$DISK/out" > "$WORK/between.txt"
mount -o remount,size=16M "$DISK" || exit 77
"$PREP" "$@" > "$WORK/second.log" 2>&1 || exit 4
cp -r "$DISK/out" "$WORK/resumed"
"#;

/// Noise takes more room as JPEG than the disk has, which the command is asked not to check.
fn write_noise(tree: &Path) {
    let class = tree.join("train/noise");
    fs::create_dir_all(&class).unwrap();
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for i in 0..60 {
        let noise = ImageBuffer::from_fn(128, 128, |_, _| Rgb([next(), next(), next()]));
        noise.save(class.join(format!("{i:02}.png"))).unwrap();
    }
}

#[test]
fn a_full_disk_stops_the_ingest_and_room_lets_it_go_on() {
    let work = tempfile::tempdir().unwrap();
    let (tree, disk) = (work.path().join("tree"), work.path().join("disk"));
    write_noise(&tree);
    fs::create_dir(&disk).unwrap();
    let script = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", SCRIPT])
        .env("DISK", &disk)
        .env("TREE", &tree)
        .env("WORK", work.path())
        .env("PREP", Program::Prep.path())
        .output();
    // Not every system lets a test mount something: 1 and 77 are `unshare` and `mount` refusing.
    let code = script.as_ref().ok().and_then(|output| output.status.code());
    let allowed = !matches!(code, None | Some(1 | 77 | 127));
    note("small_disk", allowed);
    if !allowed {
        return;
    }
    let log = |name: &str| fs::read_to_string(work.path().join(name)).unwrap_or_default();
    assert_eq!(code, Some(0), "{}{}", log("first.log"), log("second.log"));
    let first = log("first.log");
    assert!(
        first.contains("No space left") && first.contains("the same command resumes"),
        "{first}"
    );
    let between = log("between.txt");
    assert!(
        between.contains("train-00000-of-00006.safetensors") && !between.contains(".part"),
        "{between}"
    );
    let mut options = IngestOptions::new(&tree, work.path().join("whole"));
    (options.codec, options.quality) = (Codec::Jpeg, 100);
    (options.size, options.shard_records) = (128, 10);
    ingest(&options).unwrap();
    assert!(files(&work.path().join("resumed")) == files(&options.out));
}
