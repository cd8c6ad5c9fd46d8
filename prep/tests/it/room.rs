//! Disks that are too small, or seem to be.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cases::picture;

/// Mounts a disk of 1 MiB and works on it. The mount is seen by this script alone and is gone with it.
const SCRIPT: &str = r#"
mount -t tmpfs -o size=1M tmpfs "$DISK" || exit 77
cd "$DISK" || exit 77
raw="--size 128 --shard-records 10"
"$PREP" ingest "$TREE" --out a $raw --codec raw 2> "$WORK/raw.log" && exit 3
test -e a && exit 4
"$PREP" ingest "$TREE" --out a $raw --codec jpeg 2> "$WORK/jpeg.log" || exit 5
"$PREP" convert a --out b --codec raw 2> "$WORK/convert.log" && exit 6
test -e b && exit 7
"$PREP" convert a --out b --codec raw --ignore-free-space 2> "$WORK/spite.log" && exit 8
rm -r b
"$PREP" export a --to folder --out c 2> "$WORK/export.log" || exit 9
# All but 40 KB: room for a journal, not for the shards.
rm -r c && dd if=/dev/zero of=filler bs=1024 count=$(($(df -k . | tail -1 | awk '{print $4}') - 40)) 2> /dev/null
"$PREP" export a --to folder --out c 2> "$WORK/full.log" && exit 10
"$PREP" ingest "$TREE" --out d $raw --codec jpeg 2> "$WORK/again.log" && exit 11
exit 0
"#;

/// 60 smooth pictures take 2.9 MB as raw records of 128 pixels, may take 3.4 MB as JPEG, and do take 0.2 MB.
fn write_tree(tree: &Path) {
    for i in 0..60 {
        picture(&tree.join(format!("train/a/{i:02}.png")));
    }
}

#[test]
fn what_the_codec_takes_is_asked_for_and_advised_and_can_be_ignored() {
    let work = tempfile::tempdir().unwrap();
    let (tree, disk) = (work.path().join("tree"), work.path().join("disk"));
    write_tree(&tree);
    fs::create_dir(&disk).unwrap();
    let script = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", SCRIPT])
        .env("DISK", &disk)
        .env("TREE", &tree)
        .env("WORK", work.path())
        .env("PREP", env!("CARGO_BIN_EXE_prep"))
        .output();
    // Not every system lets a test mount something: 1 and 77 are `unshare` and `mount` refusing.
    let code = script.as_ref().ok().and_then(|output| output.status.code());
    if matches!(code, None | Some(1 | 77 | 127)) {
        eprintln!("skipped: this system lets no test mount a disk");
        return;
    }
    let log = |name: &str| {
        fs::read_to_string(work.path().join(format!("{name}.log"))).unwrap_or_default()
    };
    let all = ["raw", "jpeg", "convert", "spite", "export", "full", "again"];
    let text: Vec<String> = all.map(|name| format!("{name}: {}", log(name))).into();
    assert_eq!(code, Some(0), "{}", text.join("\n"));
    for (name, advice) in [
        ("raw", "(--codec zstd, or jpeg)"),
        ("convert", "(--codec zstd, or jpeg)"),
        ("again", "(a lower --quality)"),
        ("full", "(--splits)"),
    ] {
        let text = log(name);
        assert!(text.contains("MB are needed"), "{name}: {text}");
        assert!(text.contains("--ignore-free-space"), "{name}: {text}");
        assert!(text.contains(advice), "{name}: {text}");
    }
    assert!(!log("again").contains("--codec jpeg"));
    assert!(log("spite").contains("No space left"), "{}", log("spite"));
}
