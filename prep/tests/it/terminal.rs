//! What is printed of a dataset or a source from strangers: no string of theirs reaches the terminal as
//! more than text on one line.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::kit::{handmade, prep};

/// Sets a terminal's title, clears it, forges a line, colours by a C1 code, and reorders what follows.
const EVIL: &str = "a\u{1b}]0;owned\u{7}\u{1b}[2J\nerror: forged\r\u{9b}31m\u{7f}\u{202e}gpj";
const SHOWN: &str =
    r"a\u001b]0;owned\u0007\u001b[2J\u000aerror: forged\u000d\u009b31m\u007f\u202egpj";

/// Both streams, which hold no control character but line feeds, and no line that a name began.
fn harmless(what: &str, output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let streams = (text(&output.stdout), text(&output.stderr));
    for stream in [&streams.0, &streams.1] {
        let acts = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(!stream.chars().any(acts), "{what}: {stream:?}");
        let forged = |line: &str| line.starts_with("error: forged");
        assert!(!stream.lines().any(forged), "{what}: {stream}");
    }
    streams
}

/// Rewrites the manifest.
fn edit(folder: &Path, change: impl FnOnce(&mut Value)) {
    let path = folder.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(&path, manifest.to_string()).unwrap();
}

/// Puts [`EVIL`] into every string that a manifest may have as it likes.
fn poison(folder: &Path) {
    edit(folder, |manifest| {
        for key in [
            "geometry",
            "filter",
            "decoder",
            "resizer",
            "exif",
            "truncated",
        ] {
            manifest["preprocessing"][key] = EVIL.into();
        }
        manifest["source"]["layout"] = EVIL.into();
        manifest["prep_version"] = EVIL.into();
        for (class, end) in manifest["classes"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .zip(["1", "2"])
        {
            class["name"] = EVIL.into();
            class["synset"] = format!("{EVIL}{end}").into();
        }
    });
}

fn poisoned(scratch: &Path) -> std::path::PathBuf {
    let folder = scratch.join("shards");
    handmade(&folder, &["a", "b"], &["x/1.png", "y/2.png", "z/3.png"]);
    poison(&folder);
    folder
}

#[test]
fn a_manifests_strings_do_not_reach_the_terminal() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = poisoned(scratch.path());
    let at = folder.to_str().unwrap();
    let out = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
    let (inspected, _) = harmless("inspect", &prep(&["inspect", at]));
    for line in ["made by  ", "resize   ", "source   ", "format   "] {
        let line = inspected
            .lines()
            .find(|text| text.starts_with(line))
            .unwrap();
        assert!(line.contains(SHOWN), "{line}");
    }
    assert!(inspected.contains(&format!("{SHOWN} (2)")), "{inspected}");
    let commands: [&[&str]; 9] = [
        &["inspect", at, "--json"],
        &["verify", at],
        &["verify", at, "--json"],
        &["extract", at, "--index", "1", "--out", &out("1.png")],
        &["extract", at, "--key", "x/9.png", "--out", &out("9.png")],
        &["subset", at, "--classes", "c", "--out", &out("subset")],
        &["convert", at, "--codec", "zstd", "--out", &out("convert")],
        &["export", at, "--to", "folder", "--out", &out("folder")],
        &[
            "export",
            at,
            "--to",
            "folder",
            "--splits",
            "val",
            "--out",
            &out("val"),
            "--json",
        ],
    ];
    for command in commands {
        let output = prep(command);
        let (stdout, _) = harmless(&format!("{command:?}"), &output);
        if command.contains(&"--json") && output.status.success() {
            let object: Value = serde_json::from_str(&stdout).unwrap();
            if command[0] == "inspect" {
                assert_eq!(object["manifest"]["classes"][0]["name"], EVIL);
                assert_eq!(object["manifest"]["source"]["layout"], EVIL);
            }
        }
    }
}

#[test]
fn errors_about_a_manifest_are_one_line() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = poisoned(scratch.path());
    let at = folder.to_str().unwrap().to_owned();
    let whole = fs::read(folder.join("manifest.json")).unwrap();
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 9] = [
        ("format", |manifest| manifest["format"] = EVIL.into()),
        ("version", |manifest| manifest["version"] = EVIL.into()),
        ("codec", |manifest| manifest["codec"] = EVIL.into()),
        ("split", |manifest| {
            let split = manifest["splits"]["train"].take();
            manifest["splits"] = serde_json::json!({ EVIL: split });
        }),
        ("shard", |manifest| {
            manifest["splits"]["train"]["shards"][0]["file"] = EVIL.into()
        }),
        ("crc", |manifest| {
            manifest["splits"]["train"]["shards"][0]["index_crc32c"] = EVIL.into()
        }),
        ("blake3", |manifest| {
            manifest["splits"]["train"]["shards"][0]["blake3"] = EVIL.into()
        }),
        ("rejects", |manifest| {
            manifest["rejects"] = serde_json::json!({"count": 1, "file": EVIL})
        }),
        ("classes", |manifest| {
            manifest["classes"][1]["synset"] = "\u{1b}".into()
        }),
    ];
    for (what, change) in changes {
        fs::write(folder.join("manifest.json"), &whole).unwrap();
        edit(&folder, change);
        for command in ["inspect", "verify"] {
            let output = prep(&[command, &at]);
            assert!(!output.status.success(), "{what}");
            let (_, error) = harmless(what, &output);
            assert_eq!(error.lines().count(), 1, "{what}: {error}");
        }
    }
    fs::write(folder.join("manifest.json"), EVIL).unwrap();
    harmless("no JSON", &prep(&["inspect", &at]));
}

#[cfg(unix)]
#[test]
fn names_of_a_sources_files_do_not_reach_the_terminal() {
    let scratch = tempfile::tempdir().unwrap();
    let source = scratch.path().join("images");
    let class = source.join(EVIL);
    fs::create_dir_all(&class).unwrap();
    fs::create_dir_all(source.join("b")).unwrap();
    // A note names it.
    fs::create_dir_all(source.join(format!("{EVIL}empty"))).unwrap();
    let picture = image::RgbImage::from_pixel(20, 20, image::Rgb([1, 2, 3]));
    picture.save(source.join("b/1.png")).unwrap();
    picture.save(class.join("1.png")).unwrap();
    fs::write(class.join(format!("{EVIL}.png")), "no image").unwrap();
    fs::write(class.join(format!("{EVIL}.txt")), "no image").unwrap();
    fs::write(
        scratch.path().join("list.csv"),
        format!("path,label\nimages/b/1.png,{EVIL:?}\nimages/b/2.png,x\n"),
    )
    .unwrap();
    let list = scratch.path().join("list.csv");
    for (i, source) in [&source, &list].into_iter().enumerate() {
        let at = source.to_str().unwrap();
        for more in [
            &[][..],
            &["--on-error", "stop"],
            &["--json"],
            &["--max-rejects", "0"],
        ] {
            let out = scratch.path().join(format!("out{i}{}", more.concat()));
            let mut command = vec!["ingest", at, "--size", "16", "--out", out.to_str().unwrap()];
            command.extend(more);
            let output = prep(&command);
            let (stdout, _) = harmless(&format!("{command:?}"), &output);
            if more == ["--json"] && output.status.success() {
                serde_json::from_str::<Value>(&stdout).unwrap();
            }
        }
        harmless("plan", &prep(&["plan", at]));
        harmless("plan", &prep(&["plan", at, "--json"]));
    }
}

#[test]
fn the_case_of_a_class_that_owns_the_terminal() {
    // The manifest of shared/cases/hostile.tar's `terminal-escapes`, made here.
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("shards");
    handmade(&folder, &["a"], &["x/1.png"]);
    edit(&folder, |manifest| {
        manifest["classes"][0]["name"] = "\u{1b}]0;pwned\u{7}\u{1b}[31m".into();
        manifest["source"]["layout"] = "\u{1b}[2J".into();
    });
    let (text, _) = harmless("inspect", &prep(&["inspect", folder.to_str().unwrap()]));
    assert!(
        text.contains(r"\u001b]0;pwned\u0007\u001b[31m (1)"),
        "{text}"
    );
    assert!(text.contains(r"source   \u001b[2J, 1 images"), "{text}");
}
