//! The commands and files that the documents print are run as they stand, on images that are made here, with
//! a narrow network and few steps.

use std::fs;
use std::path::Path;
use std::process::Command;

use shardmill_tests::{Program, TREE_CLASSES, photo_jpeg, write_tree};
use shardmill_trainer::Setup;

/// The lines of every fenced block of a language in a document.
fn blocks(document: &str, language: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(document);
    let text = fs::read_to_string(path).unwrap();
    let mut found: Vec<Vec<String>> = Vec::new();
    let mut inside = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(_), Some(_)) => inside = None,
            (Some(name), None) => {
                inside = Some(name == language);
                if name == language {
                    found.push(Vec::new());
                }
            }
            (None, Some(true)) => found.last_mut().unwrap().push(line.to_owned()),
            _ => {}
        }
    }
    found
}

/// The words of a command line, without what stands behind ` #`; of what a shell quotes, words in `'`.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap();
    let mut quoted = false;
    let mut words = vec![String::new()];
    for letter in line.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Runs every command of ours in `document` within `work`, and gives their number. `also` shortens one.
fn run_all(document: &str, work: &Path, also: impl Fn(&[String]) -> Vec<&'static str>) -> usize {
    let mut count = 0;
    for line in blocks(document, "sh").concat() {
        let words = words(&line);
        let program = match words.first().map(String::as_str) {
            Some("prep") => Program::Prep,
            Some("loader") => Program::Loader,
            Some("train") => Program::Train,
            // Builds, and the demo, which has tests of its own.
            Some("cargo" | "export" | "pip") | None => continue,
            Some(other) => panic!("{document}: who runs {other}?"),
        };
        // Only for those who have a GPU.
        if words.iter().any(|word| word == "cuda") {
            continue;
        }
        let output = Command::new(program.path())
            .args(&words[1..])
            .args(also(&words))
            .current_dir(work)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "{document}: {line}\n{}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        count += 1;
    }
    count
}

/// What makes a command quick: a narrow network and an epoch of a few steps, a short measurement.
fn quick(words: &[String]) -> Vec<&'static str> {
    let has = |word: &str| words.iter().any(|other| other == word);
    match words[0].as_str() {
        "train" if words[1] == "--shards" && has("--init") => {
            vec!["--max-steps=2", "--batch-size=8"]
        }
        "train" if words[1] == "--shards" => vec!["--epochs=1", "--batch-size=8", "--width=0.05"],
        "train" if words[1] == "study" => vec![
            "--epochs=1",
            "--seeds=1",
            "--width=0.05",
            "--set=batch_size=8",
        ],
        "loader" => vec!["--seconds=0.1"],
        _ => Vec::new(),
    }
}

/// `imagenet/` with every odd kind of image, and a photograph.
fn images() -> tempfile::TempDir {
    let work = tempfile::tempdir().unwrap();
    write_tree(&work.path().join("imagenet"));
    fs::write(work.path().join("photo.jpg"), photo_jpeg(400, 300, 1)).unwrap();
    work
}

/// Runs one command of ours, quickly.
fn prepare(work: &Path, line: &str) {
    let words = words(line);
    let program = if words[0] == "prep" {
        Program::Prep
    } else {
        Program::Train
    };
    let mut command = Command::new(program.path());
    command
        .args(&words[1..])
        .args(quick(&words))
        .current_dir(work);
    assert!(command.output().unwrap().status.success(), "{line}");
}

#[test]
fn the_readmes_commands_run() {
    let work = images();
    let count = run_all("README.md", work.path(), quick);
    assert!(count >= 12, "{count} commands");
    for made in [
        "shards",
        "first.jpg",
        "exports/parquet",
        "tenth",
        "shards-raw",
    ] {
        assert!(work.path().join(made).exists(), "{made}");
    }
}

#[test]
fn the_commands_on_training_run() {
    let work = images();
    let at = |name: &str| work.path().join(name);
    prepare(work.path(), "prep ingest imagenet --out shards");
    let owt = "train --shards shards --variant alexnet-owt --out run";
    prepare(work.path(), owt);
    // What the document calls another network, another set, and somebody else's weights.
    prepare(work.path(), "train --shards shards --out other");
    fs::copy(
        at("other/best.safetensors"),
        at("imagenet/best.safetensors"),
    )
    .unwrap();
    let two = TREE_CLASSES[..2].join(",");
    let flowers = format!("prep subset shards --classes {two} --out flowers");
    prepare(work.path(), &flowers);
    let export =
        "train export theirs.safetensors --to torchvision --checkpoint run/best.safetensors";
    prepare(work.path(), export);
    let count = run_all("docs/training.md", work.path(), quick);
    assert!(count >= 3, "{count} commands");
    assert!(at("theirs-checkpoint.safetensors").is_file());
}

#[test]
fn the_commands_on_studying_run() {
    let work = images();
    prepare(work.path(), "prep ingest imagenet --out shards");
    prepare(work.path(), "train --shards shards --out run");
    prepare(work.path(), "train --shards shards --out other --seed 2");
    let cifar = work.path().join("cifar10");
    write_tree(&cifar);
    fs::rename(cifar.join("val"), cifar.join("test")).unwrap();
    let count = run_all("docs/studying.md", work.path(), quick);
    assert!(count >= 4, "{count} commands");
}

#[test]
fn the_recipe_file_on_training_is_one() {
    let files = blocks("docs/training.md", "toml");
    assert!(!files.is_empty());
    for lines in files {
        Setup::parse(&lines.join("\n")).unwrap();
    }
}

#[test]
fn the_commands_on_preparing_run() {
    let work = images();
    let parts = blocks("docs/preparing.md", "sh").concat();
    assert_eq!(parts.len(), 2, "{parts:?}");
    let here = |line: &str| {
        line.replace("SRC", "imagenet")
            .replace("/shared/shards", "shards")
    };
    for part in 0..4 {
        prepare(
            work.path(),
            &here(&parts[0]).replace("0/4", &format!("{part}/4")),
        );
    }
    prepare(work.path(), &here(&parts[1]));
    prepare(work.path(), "prep verify shards");
}
