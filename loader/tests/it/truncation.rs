//! A shard that is cut short while it is mapped, and read before anybody looks at its length: the
//! process must end loudly. A process of its own plays the victim.

use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use shardmill_formats::Codec;
use shardmill_loader::Dataset;

use crate::kit;

const FOLDER: &str = "SHARDMILL_TRUNCATION_FOLDER";
const SIGBUS: i32 = 7;

/// Does nothing in an ordinary run; in the process that the test below starts, it reads what is gone.
#[test]
fn victim() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let dataset = Dataset::open(&folder, "train").unwrap();
    let last = dataset.len() - 1;
    let path = Path::new(&folder).join("train-00002-of-00003.safetensors");
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(4096).unwrap();
    println!("read {:?}", dataset.stored(last).map(|stored| stored.len()));
}

#[test]
fn reading_what_was_cut_off_ends_the_process_with_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Raw);
    let victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "truncation::victim", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&victim.stdout);
    assert!(!text.contains("read "), "the cut went unnoticed: {text}");
    // A sanitizer catches the signal and ends the process with an error of its own.
    let loud = victim.status.signal() == Some(SIGBUS) || victim.status.code() == Some(1);
    assert!(loud, "{victim:?}");
}
