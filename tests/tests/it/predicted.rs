//! `train predict` on what a person has: folders, broken files, names that are no text.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, SMALL_SIDE, photo, run, write_small};

/// A network in `run/last.safetensors` under `folder`.
fn trained(folder: &Path) -> String {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    write_small(&folder.join("tree"), &["cats", "dogs"], &[("train", 2)]);
    let mut options = IngestOptions::new(folder.join("tree"), folder.join("shards"));
    options.size = SMALL_SIDE;
    ingest(&options).unwrap();
    let [shards, out] = ["shards", "run"].map(path);
    let flags = "--width 0.05 --crop 64 --batch-size 4 --lr 0.001 --max-steps 1";
    let mut arguments = vec!["--shards", &shards, "--out", &out];
    arguments.extend(flags.split(' '));
    let (code, stdout, stderr) = run(Program::Train, &arguments);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    path("run/last.safetensors")
}

/// Two images and three other files in folders, one of which is called like an image.
fn pictures(folder: &Path) -> PathBuf {
    let pictures = folder.join("pictures");
    fs::create_dir_all(pictures.join("b")).unwrap();
    let save = |name: &str, number| {
        let image = photo(90, 80, number);
        image.save(pictures.join(name)).unwrap();
    };
    save("b/1.png", 1);
    save("c.png", 2);
    fs::write(pictures.join("b.jpg"), "no image").unwrap();
    fs::write(pictures.join("notes.txt"), "words").unwrap();
    fs::write(pictures.join("b/README"), "words").unwrap();
    pictures
}

fn lines(stdout: &str) -> Vec<Value> {
    let lines = stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_bad_file_is_told_and_the_others_are_predicted() {
    let work = tempfile::tempdir().unwrap();
    let checkpoint = trained(work.path());
    let pictures = pictures(work.path());
    let [good, bad, none] =
        ["c.png", "b.jpg", "none.png"].map(|name| pictures.join(name).to_str().unwrap().to_owned());
    let order = [&*bad, &*none, &*good];
    let mut arguments = vec!["predict", "--checkpoint", &checkpoint];
    arguments.extend(order);
    let (code, stdout, stderr) = run(Program::Train, &arguments);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(stdout.starts_with(&good), "{stdout}");
    assert_eq!(stdout.lines().count(), 3, "{stdout}");
    for words in [
        &*format!("error: {bad}: the file is not an image"),
        &*format!("error: {none}: it cannot be read"),
        "error: no classes for 2 of 3",
    ] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }

    arguments.push("--json");
    let (code, stdout, stderr) = run(Program::Train, &arguments);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    let lines = lines(&stdout);
    let names: Vec<&str> = lines
        .iter()
        .map(|line| line["image"].as_str().unwrap())
        .collect();
    assert_eq!(names, order);
    for line in &lines[..2] {
        assert!(
            line["error"].is_string() && line.get("classes").is_none(),
            "{line}"
        );
    }
    assert!(lines[2]["classes"].is_array() && lines[2].get("error").is_none());
    assert!(stderr.contains("no classes for 2 of 3"), "{stderr}");

    let (code, _, stderr) = run(
        Program::Train,
        &["predict", &good, "--checkpoint", &checkpoint],
    );
    assert_eq!((code, &*stderr), (Some(0), ""));
}

#[test]
fn folders_are_walked_in_order_and_what_is_passed_over_is_counted() {
    let work = tempfile::tempdir().unwrap();
    let checkpoint = trained(work.path());
    let pictures = pictures(work.path());
    let empty = work.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let [folder, empty] = [&pictures, &empty].map(|path| path.to_str().unwrap());
    let predict = |folder: &str| {
        let arguments = ["predict", folder, "--checkpoint", &checkpoint, "--json"];
        run(Program::Train, &arguments)
    };
    let (code, stdout, stderr) = predict(folder);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    let found: Vec<(String, bool)> = lines(&stdout)
        .iter()
        .map(|line| {
            let name = line["image"].as_str().unwrap().to_owned();
            (name, line.get("classes").is_some())
        })
        .collect();
    let expected = [("b/1.png", true), ("b.jpg", false), ("c.png", true)];
    let expected = expected.map(|(name, good)| {
        let name = pictures.join(name).to_str().unwrap().to_owned();
        (name, good)
    });
    assert_eq!(found, expected);
    for words in [
        "passed over  1 file: a list, annotation or text (notes.txt)",
        "passed over  1 file: not called like an image (b/README)",
        "b.jpg: the file is not an image",
    ] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    fs::remove_file(pictures.join("b.jpg")).unwrap();
    let (code, stdout, stderr) = predict(folder);
    assert_eq!((code, lines(&stdout).len()), (Some(0), 2), "{stderr}");
    assert!(
        stderr.contains("passed over") && !stderr.contains("error"),
        "{stderr}"
    );

    let (code, stdout, stderr) = predict(empty);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert!(stderr.contains("no file in this folder"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_text_is_written_in_hexadecimal() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let work = tempfile::tempdir().unwrap();
    let checkpoint = trained(work.path());
    let pictures = work.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    let image = pictures.join(OsStr::from_bytes(b"caf\xe9.png"));
    let saved = pictures.join("a.png");
    photo(90, 80, 1).save(&saved).unwrap();
    fs::rename(saved, &image).unwrap();
    let bad = pictures.join(OsStr::from_bytes(b"\xff.png"));
    fs::write(&bad, "no image").unwrap();
    for (arguments, json) in [
        (vec![&image, &bad], true),
        (vec![&pictures], true),
        (vec![&image], false),
    ] {
        let mut command = Program::Train.command();
        command.arg("predict").args(&arguments);
        command.args(["--checkpoint", &checkpoint]);
        if json {
            command.arg("--json");
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!error.contains("panicked"), "{error}");
        assert!(text.contains("caf%E9.png"), "{text}{error}");
        if json {
            assert_eq!(output.status.code(), Some(1), "{error}");
            let lines = lines(&text);
            assert!(lines[0]["classes"].is_array());
            assert!(lines[1]["image"].as_str().unwrap().ends_with("%FF.png"));
            assert!(lines[1]["error"].as_str().unwrap().contains("not an image"));
        } else {
            assert!(output.status.success(), "{error}");
        }
    }
}
