//! A trained network goes out, comes back, and says the same about an image.

use std::fs;

use serde_json::Value;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, run, write_tree};

fn say(arguments: &[&str]) -> String {
    let (code, stdout, stderr) = run(Program::Train, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {stdout}{stderr}");
    stdout
}

#[test]
fn predictions_survive_export_and_import() {
    survive(&[]);
}

/// The mean image goes along, and is cut as it was.
#[test]
fn predictions_of_a_network_with_a_mean_image_survive_export_and_import() {
    survive(&["--mean", "image"]);
    survive(&["--mean", "image-center"]);
}

fn survive(mean: &[&str]) {
    let work = tempfile::tempdir().unwrap();
    let path = |name: &str| work.path().join(name).to_str().unwrap().to_owned();
    let [tree, shards, out] = ["tree", "shards", "run"].map(path);
    write_tree(tree.as_ref());
    let mut options = IngestOptions::new(&tree, &shards);
    options.size = 72;
    ingest(&options).unwrap();
    let flags = "--width 0.05 --crop 64 --batch-size 5 --max-steps 3 --shards";
    let mut arguments: Vec<&str> = flags.split(' ').collect();
    arguments.extend([&shards, "--out", &out]);
    arguments.extend(mean);
    say(&arguments);

    let [checkpoint, exported, imported] = [
        "run/last.safetensors",
        "exported.safetensors",
        "imported.safetensors",
    ]
    .map(path);
    let export = ["export", &exported, "--to", "pytorch"];
    let export = [&export[..], &["--checkpoint", &checkpoint]].concat();
    let (code, _, stderr) = run(Program::Train, &export);
    assert_eq!(code, Some(0), "{stderr}");
    let told = stderr.contains("mean_image [3, 72, 72]");
    assert_eq!(told, !mean.is_empty(), "{stderr}");
    say(&["import", &exported, "--from", "pytorch", "--out", &imported]);

    let mut images: Vec<String> = Vec::new();
    for entry in walk(&tree) {
        let name = entry.to_str().unwrap();
        let is_image = [".jpg", ".JPEG", ".png"]
            .iter()
            .any(|end| name.ends_with(end));
        images.extend(is_image.then(|| name.to_owned()));
    }
    images.sort();
    images.truncate(3);
    assert_eq!(images.len(), 3);
    let predict = |checkpoint: &str, more: &[&str]| {
        // A mean image is of records of this size.
        let mut arguments = vec!["predict", "--checkpoint", checkpoint];
        arguments.extend(["--json", "--size", "72"]);
        arguments.extend(
            images
                .iter()
                .map(String::as_str)
                .chain(more.iter().copied()),
        );
        say(&arguments)
    };
    let before = predict(&checkpoint, &[]);
    assert_eq!(before, predict(&imported, &[]));
    let ten = predict(&checkpoint, &["--ten"]);
    assert_ne!(before, ten);
    assert_eq!(ten, predict(&imported, &["--ten"]));
    let classes = shardmill_loader::read_manifest(std::path::Path::new(&shards))
        .unwrap()
        .classes;
    for line in before.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let guesses = line["classes"].as_array().unwrap();
        assert_eq!(guesses.len(), classes.len().min(5));
        let sure = |guess: &Value| guess["probability"].as_f64().unwrap();
        assert!(
            guesses
                .windows(2)
                .all(|pair| sure(&pair[0]) >= sure(&pair[1]))
        );
        for guess in guesses {
            let label = guess["label"].as_u64().unwrap() as usize;
            assert_eq!(guess["name"], classes[label].name.as_str());
        }
    }
    fs::write(path("text.jpg"), "no image").unwrap();
    let (code, _, stderr) = run(
        Program::Train,
        &[
            "predict",
            &path("text.jpg"),
            "--checkpoint",
            &checkpoint,
            "--size",
            "72",
        ],
    );
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("text.jpg") && stderr.contains("not an image"),
        "{stderr}"
    );
}

fn walk(folder: impl AsRef<std::path::Path>) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                walk(path)
            } else {
                vec![path]
            }
        })
        .collect()
}
