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

#[test]
fn every_policy_is_measured_and_named() {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Raw);
    let bench = |options: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_loader"))
            .args(["bench", "--json", "--seconds", "0.001", "--output", "u8"])
            .args(options)
            .arg("--shards")
            .arg(folder.path())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let rows = String::from_utf8(output.stdout).unwrap();
        let parse = |row| serde_json::from_str(row).unwrap();
        rows.lines().map(parse).collect::<Vec<serde_json::Value>>()
    };
    let names = ["train", "random-resized-crop", "center", "ten-view"];
    let rows = bench(&["--crop", "16", "--policy", &names.join(",")]);
    assert_eq!(rows.len(), names.len());
    // Bytes that are written for an image: ten rows of the last policy.
    let bytes = |row: &serde_json::Value| {
        let number = |name: &str| row[name].as_f64().unwrap();
        (number("gigabytes_per_second") * 1e9 / number("images_per_second")).round() as u64
    };
    for ((row, name), rows_each) in rows.iter().zip(names).zip([1, 1, 1, 10]) {
        assert_eq!(row["policy"], name);
        assert!(row["color_jitter"].is_null(), "{row}");
        assert_eq!(bytes(row), rows_each * 16 * 16 * 3);
    }
    let jitter = ["--color-jitter", "0.4,0.3,0.2,0.1"];
    let rows = bench(&[&jitter[..], &["--policy", "train,random-resized-crop"]].concat());
    for row in rows {
        assert_eq!(row["color_jitter"], serde_json::json!([0.4, 0.3, 0.2, 0.1]));
    }
}
