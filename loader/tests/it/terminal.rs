//! What the program prints of a dataset from strangers.

use std::fs;
use std::process::{Command, Output};

use shardmill_formats::Codec;

use crate::kit;

/// Sets a terminal's title, clears it, forges a line, and reorders what follows.
const EVIL: &str = "a\u{1b}]0;owned\u{7}\u{1b}[2J\nerror: forged\u{9b}31m\u{202e}gpj";

fn bench(folder: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loader"))
        .args([
            "bench",
            "--shards",
            folder,
            "--seconds",
            "0.01",
            "--batch-size",
            "4",
        ])
        .args(more)
        .output()
        .unwrap()
}

/// Both streams, which hold no control character but line feeds.
fn harmless(what: &str, output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let streams = (text(&output.stdout), text(&output.stderr));
    for stream in [&streams.0, &streams.1] {
        let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!stream.chars().any(acts), "{what}: {stream:?}");
    }
    streams
}

#[test]
fn a_manifests_strings_do_not_reach_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    kit::write(folder.path(), Codec::Raw);
    let path = folder.path().join("manifest.json");
    let whole: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let changes: [(&str, &[&str]); 7] = [
        (
            "names",
            &[
                "/classes/0/name",
                "/source/layout",
                "/prep_version",
                "/preprocessing/decoder",
            ],
        ),
        ("format", &["/format"]),
        ("version", &["/version"]),
        ("codec", &["/codec"]),
        ("file", &["/splits/train/shards/0/file"]),
        ("crc", &["/splits/train/shards/0/index_crc32c"]),
        ("synset", &["/classes/1/synset"]),
    ];
    let at = folder.path().to_str().unwrap();
    for (what, places) in changes {
        let mut manifest = whole.clone();
        for place in places {
            *manifest.pointer_mut(place).unwrap() = EVIL.into();
        }
        fs::write(&path, manifest.to_string()).unwrap();
        for more in [&[][..], &["--json"], &["--split", "none"]] {
            let output = bench(at, more);
            let (stdout, error) = harmless(what, &output);
            let right = what == "names" && more != ["--split", "none"];
            assert_eq!(output.status.success(), right, "{what}: {error}");
            if !right {
                assert_eq!(error.lines().count(), 1, "{what}: {error}");
            } else if more == ["--json"] {
                serde_json::from_str::<serde_json::Value>(&stdout).unwrap();
            }
        }
    }
}

#[test]
fn the_name_of_a_folder_does_not_reach_the_terminal() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join(EVIL);
    let at = folder.to_str().unwrap();
    let (_, error) = harmless("no dataset", &bench(at, &[]));
    assert!(
        error.contains(r"a\u001b]0;owned\u0007\u001b[2J\u000aerror: forged"),
        "{error}"
    );
    fs::create_dir(&folder).unwrap();
    kit::write(&folder, Codec::Raw);
    let output = bench(at, &["--json"]);
    let (stdout, error) = harmless("folder", &output);
    assert!(output.status.success(), "{error}");
    let object: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(object["shards"], at);
}
