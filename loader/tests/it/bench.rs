//! What `loader bench` says and how long it takes to say it.

use std::process::Command;

use shardmill_formats::Codec;

use crate::kit;

#[test]
fn memory_is_measured_a_few_times_however_many_passes_and_threads() {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Raw);
    let output = Command::new(env!("CARGO_BIN_EXE_loader"))
        .args(["bench", "--json", "--seconds", "0.5", "--batch-size", "8"])
        // Rooms of 64 MiB for each of them would be 640 GB.
        .args(["--threads", "10000", "--shards"])
        .arg(folder.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(
        errors.contains("has 3 batches, so 3 threads are started"),
        "{errors}"
    );
    let row: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |name: &str| row[name].as_u64().unwrap();
    assert!(number("passes") > 20, "{row}");
    assert!((2..=6).contains(&number("limits_measured")), "{row}");
}
