//! A source of ImageNet's size. Not among the normal tests: `just million` runs it.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use shardmill_tests::{Program, photo};

const CLASSES: usize = 1000;
const IMAGES: usize = 1000;

/// Prints the wall-clock time and the most memory that planning a million small files takes.
#[test]
#[ignore = "makes a million links; run by `just million`"]
fn a_million_files_are_planned_in_little_memory() {
    let work = tempfile::tempdir().unwrap();
    for class in 0..CLASSES {
        let folder = work.path().join(format!("tree/train/n{class:08}"));
        fs::create_dir_all(&folder).unwrap();
        let first = folder.join("0.png");
        photo(40, 30, class as u32).save(&first).unwrap();
        // Links, so that no file system runs out of room.
        for image in 1..IMAGES {
            fs::hard_link(&first, folder.join(format!("{image}.png"))).unwrap();
        }
    }
    let mut plan = Command::new(Program::Prep.path());
    plan.arg("plan")
        .arg(work.path().join("tree"))
        .args(["--json", "--sample", "20"]);
    let start = Instant::now();
    let mut child = plan.stdout(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = kib.unwrap_or(0).max(peak);
        std::thread::sleep(Duration::from_millis(20));
    }
    let seconds = start.elapsed().as_secs_f64();
    let output = child.wait_with_output().unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["images"]["train"], (CLASSES * IMAGES) as u64);
    println!(
        "{} files planned in {seconds:.1} s, at most {} MiB",
        CLASSES * IMAGES,
        peak >> 10
    );
    assert!(peak < 1 << 20, "{peak} KiB are more than a GiB");
}
