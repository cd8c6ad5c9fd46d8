//! What a study cannot be made of, or cannot go on with, is refused with what to do.

use std::fs;
use std::path::Path;

use serde_json::Value;
use shardmill_tests::{Program, write_small};

use crate::study::{TINY, done, message, results, shards as dataset, study};

#[test]
fn recipes_and_numbers_that_no_study_can_have_are_refused() {
    let work = tempfile::tempdir().unwrap();
    let shards = dataset(work.path(), "shards", 72);
    let out = work.path().join("out");
    for (name, more, words) in [
        (
            "dropout",
            "--recipe fig1",
            "recipe fig1 does not go with all arms of study dropout; choose another `--recipe`",
        ),
        (
            "depth",
            "--recipe fig1 --set lr=0.01",
            "leave the `--set` out",
        ),
        (
            "lrn",
            "--recipe owt",
            "the arms with and without are the same network, since `model.lrn=none` and `model.map_norm=none` \
             change nothing there; choose another `--recipe`",
        ),
        (
            "columns",
            "--set model.columns=1",
            "the arms two and one are the same network",
        ),
        ("lrn", "--seeds 1001", "at most 1000"),
        ("lrn", "--epochs 100001", "at most 100000"),
        ("lrn", "--minutes nan", "`--minutes` must be above 0"),
        ("lrn", "--arms=", "the arms of lrn are with, without"),
        ("lrn", "--crop 24", "use a larger input_size"),
    ] {
        let text = message(study(name, &shards, &out, more));
        assert!(text.contains(words), "{name} {more}: {text}");
    }
    assert!(!out.exists() || !out.join("results/study.json").exists());
}

#[test]
fn logs_that_are_not_an_arms_own_are_refused() {
    let work = tempfile::tempdir().unwrap();
    let shards = dataset(work.path(), "shards", 72);
    let out = work.path().join("out");
    done(study("dropout", &shards, &out, TINY));
    let (before, result) = (
        results(&out.join("results")),
        out.join("results/with-1.json"),
    );
    let log = out.join("with-1/metrics.jsonl");
    let own = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = own.split_inclusive('\n').collect();
    let foreign = fs::read_to_string(out.join("without-1/metrics.jsonl")).unwrap();
    fs::remove_file(&result).unwrap();
    for (text, words) in [
        (Some(foreign), "its dropout is 0, the arm's 0.5"),
        (Some(lines[..2].concat()), "the checkpoint counts"),
        (
            Some(lines[1..].concat()),
            "it does not say which run it is of",
        ),
        (None, "it is missing"),
    ] {
        match text {
            Some(text) => fs::write(&log, text).unwrap(),
            None => fs::remove_file(&log).unwrap(),
        }
        let said = message(study("dropout", &shards, &out, TINY));
        assert!(
            said.contains(words) && said.contains("delete the folder"),
            "{words}: {said}"
        );
        assert!(!result.exists());
    }
    // What the message advises.
    fs::remove_dir_all(out.join("with-1")).unwrap();
    done(study("dropout", &shards, &out, TINY));
    assert!(results(&out.join("results")) == before);

    // Fewer trials than there are: the others stay, and are named.
    let text = done(study("dropout", &shards, &out, "--seeds 1"));
    assert!(
        text.contains("Results of seeds 2 are there too") && text.contains("`--seeds 2`"),
        "{text}"
    );
    assert!(results(&out.join("results")) == before);

    // Without their settings the results are not lost, and the same flags bring them back.
    let settings = out.join("results/study.json");
    let kept: Value = serde_json::from_slice(&fs::read(&settings).unwrap()).unwrap();
    fs::remove_file(&settings).unwrap();
    let mut command = Program::Train.command();
    command.args(["study", "dropout", "--out"]).arg(&out);
    let said = message(command);
    assert!(
        said.contains("has 4 results but not the study.json"),
        "{said}"
    );
    done(study("dropout", &shards, &out, TINY));
    let again: Value = serde_json::from_slice(&fs::read(&settings).unwrap()).unwrap();
    assert_eq!(kept, again);
    assert!(results(&out.join("results")) == before);
}

#[cfg(unix)]
#[test]
fn two_studies_in_one_folder_are_refused() {
    let work = tempfile::tempdir().unwrap();
    let shards = dataset(work.path(), "shards", 72);
    let out = work.path().join("out");
    fs::create_dir(&out).unwrap();
    let lock = fs::File::create(out.join("study.lock")).unwrap();
    lock.lock().unwrap();
    let said = message(study("dropout", &shards, &out, TINY));
    assert!(said.contains("another process runs a study in"), "{said}");
    drop(lock);
    // A folder of results that two studies share.
    let shared = work.path().join("shared");
    fs::create_dir(&shared).unwrap();
    let lock = fs::File::open(&shared).unwrap();
    lock.lock().unwrap();
    let more = format!("{TINY} --results {}", shared.display());
    let said = message(study("dropout", &shards, &out, &more));
    assert!(
        said.contains("another process runs a study in") && said.contains("shared"),
        "{said}"
    );
}

#[test]
fn a_dataset_without_a_validation_split_is_compared_by_its_training_errors() {
    let work = tempfile::tempdir().unwrap();
    write_small(&work.path().join("tree"), &["ant", "bee"], &[("train", 8)]);
    let shards = work.path().join("shards");
    let mut options = shardmill_prep::IngestOptions::new(work.path().join("tree"), &shards);
    options.size = 72;
    shardmill_prep::ingest(&options).unwrap();
    let out = work.path().join("out");
    let more = TINY.replacen("--seeds 2", "--seeds 1", 1);
    let output = study("lrn", &shards, &out, &more).output().unwrap();
    let said = [output.stderr, output.stdout].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("note: the dataset has no validation split"),
        "{said}"
    );
    let report = fs::read_to_string(out.join("lrn.md")).unwrap();
    assert!(report.contains("no split for validation"), "{report}");
}

#[test]
fn the_studies_are_listed_as_json() {
    let mut command = Program::Train.command();
    command.args(["study", "--json"]);
    let listed: Value = serde_json::from_str(&done(command)).unwrap();
    let names: Vec<&str> = listed["studies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|study| study["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"relu") && names.contains(&"ensemble"),
        "{names:?}"
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(folder.join("../docs/studying.md")).unwrap();
    for name in names {
        assert!(
            text.contains(&format!("`{name}`")),
            "docs/studying.md lacks {name}"
        );
    }
}
