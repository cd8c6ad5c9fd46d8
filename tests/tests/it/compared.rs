//! `train compare` and `train export --card`, as a user asks for them.

use std::fs;
use std::path::Path;

use serde_json::Value;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, SMALL_SIDE, run, write_small};

/// Runs `train` with words separated by spaces; `@` stands for the folder.
fn train(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let line = line.replace('@', folder.to_str().unwrap());
    run(Program::Train, &line.split(' ').collect::<Vec<_>>())
}

fn done(folder: &Path, line: &str) -> (String, String) {
    let (code, stdout, stderr) = train(folder, line);
    assert_eq!(code, Some(0), "{line}: {stdout}{stderr}");
    (stdout, stderr)
}

/// Shards, and a run of two epochs at each of two rates: `a` and `b`.
fn runs(folder: &Path) {
    write_small(
        &folder.join("tree"),
        &["cats", "dogs"],
        &[("train", 4), ("val", 2)],
    );
    let mut options = IngestOptions::new(folder.join("tree"), folder.join("shards"));
    options.size = SMALL_SIDE;
    ingest(&options).unwrap();
    for (name, lr) in [("a", "0.001"), ("b", "0.0005")] {
        let line = format!(
            "--shards @/shards --out @/{name} --width 0.05 --crop 64 --batch-size 4 --lr {lr} --epochs 2"
        );
        done(folder, &line);
    }
}

#[test]
fn two_runs_are_laid_over_each_other() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path();
    runs(folder);
    let (stdout, _) = done(folder, "compare @/a @/b");
    assert!(stdout.starts_with("run "), "{stdout}");
    assert!(stdout.contains("0.0005"), "{stdout}");
    assert!(!folder.join("compare.html").exists());

    let line = "compare @/a @/b --out @/compare.html";
    done(folder, line);
    let page = fs::read_to_string(folder.join("compare.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 8);
    assert!(!page.contains("http://") || page.contains("http://www.w3.org/2000/svg"));
    let (code, _, stderr) = train(folder, line);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("--force"), "{stderr}");
    let (stdout, _) = done(folder, &format!("{line} --force --json"));
    let object: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(object["runs"][1]["name"], "b");
    assert_eq!(object["differences"][0]["key"], "lr");
    assert_eq!(object["differences"][0]["values"][1], "0.0005");

    for (line, code, words) in [
        ("compare @/a", 1, "two runs or more"),
        ("compare @/a @/a", 1, "is given twice"),
        (
            "compare @/a @/none",
            1,
            "name the folder that `train --out` made",
        ),
        ("compare @/a @/b --force", 2, "--out"),
    ] {
        let (found, _, stderr) = train(folder, line);
        assert_eq!(found, Some(code), "{line}: {stderr}");
        assert!(stderr.contains(words), "{line}: {stderr}");
    }
}

#[test]
fn a_card_is_written_beside_the_weights_and_nothing_is_replaced() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path();
    runs(folder);
    let export = "export @/w.safetensors --to pytorch --checkpoint @/a/last.safetensors";
    let (stdout, _) = done(folder, &format!("{export} --card --dataset pets"));
    assert!(stdout.ends_with("w.md\n"), "{stdout}");
    let card = fs::read_to_string(folder.join("w.md")).unwrap();
    for words in [
        "datasets:\n- \"pets\"",
        "| these weights | val | 4 | ten views |",
        "| `lr` | 0.01 | 0.001 |",
    ] {
        assert!(card.contains(words), "{words}:\n{card}");
    }
    // Without weights there is no card, and with a card in the way there are no weights.
    fs::remove_file(folder.join("w.safetensors")).unwrap();
    let (code, _, stderr) = train(folder, &format!("{export} --card"));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("w.md exists"), "{stderr}");
    assert!(!folder.join("w.safetensors").exists());
    let (code, _, stderr) = train(folder, &format!("{export} --card=@/none/README.md"));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("cannot write the card"), "{stderr}");
    assert!(!folder.join("w.safetensors").exists());
    done(folder, &format!("{export} --card=@/README.md"));
    assert!(folder.join("README.md").is_file());

    // The log of another run is not used, and that is said.
    fs::copy(
        folder.join("b/metrics.jsonl"),
        folder.join("a/metrics.jsonl"),
    )
    .unwrap();
    let line = "export @/v.safetensors --to pytorch --checkpoint @/a/last.safetensors --card";
    let (_, stderr) = done(folder, line);
    assert!(stderr.contains("it is of another run"), "{stderr}");

    let (code, _, stderr) = train(folder, &format!("{export} --dataset pets"));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("--card"), "{stderr}");
}
