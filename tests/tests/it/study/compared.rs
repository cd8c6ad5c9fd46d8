use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, run, write_small};

use crate::study::{TINY, done, message, results, shards, study};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn two_arms_with_two_seeds_end_in_results_a_table_and_a_page_that_follow_from_the_results_alone() {
    let work = tempfile::tempdir().unwrap();
    let shards = shards(work.path(), "shards", 72);
    let out = work.path().join("out");
    let text = done(study("lrn", &shards, &out, TINY));
    for words in [
        "results   0 of 4",
        "with, seed 1: 2 epochs at lr 0.002",
        "without, seed 2",
        "+1.4 / +1.2",
        "lrn.html",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let found = results(&out.join("results"));
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "study.json",
            "with-1.json",
            "with-2.json",
            "without-1.json",
            "without-2.json"
        ]
    );
    let without = &found["without-2.json"];
    assert_eq!(without["settings"]["seed"], 2);
    assert!(without["settings"]["model"]["lrn"].is_null());
    assert!(!found["with-2.json"]["settings"]["model"]["lrn"].is_null());
    assert_eq!(
        (&without["steps"], &without["epochs"]),
        (&Value::from(6), &Value::from(2.0))
    );
    assert_eq!(without["center"]["samples"], 9);
    assert_eq!(without["ten"]["samples"], 9);
    assert_eq!(without["training"]["samples"], 24);
    let curve = without["curve"].as_array().unwrap();
    assert_eq!(
        curve
            .iter()
            .map(|point| &point["epochs"])
            .collect::<Vec<_>>(),
        [1.0, 2.0]
    );
    assert!(
        curve
            .iter()
            .all(|point| point["validation_error"].is_f64() && point["batch_error"].is_f64())
    );
    for arm in ["with-1", "without-2"] {
        assert!(out.join(arm).join("last.safetensors").is_file(), "{arm}");
    }
    let text = fs::read_to_string(out.join("results/with-1.json")).unwrap();
    assert!(!text.contains(work.path().to_str().unwrap()), "{text}");

    // Only the results are left, as in a repository.
    let committed = work.path().join("committed");
    copy(&out.join("results"), &committed);
    let fresh = work.path().join("fresh");
    let [fresh, committed] = [&fresh, &committed].map(|path| path.to_str().unwrap());
    let line = ["study", "lrn", "--out", fresh, "--results", committed];
    let (code, text, errors) = run(Program::Train, &line);
    assert_eq!(code, Some(0), "{text}{errors}");
    assert!(text.contains("results   4 of 4"), "{text}");
    for file in [
        "lrn.md",
        "lrn.html",
        "lrn-validation.svg",
        "lrn-training.svg",
    ] {
        let [first, second] =
            [&out, Path::new(fresh)].map(|folder| fs::read(folder.join(file)).unwrap());
        assert!(first == second, "{file} differs");
    }
    assert!(
        !Path::new(fresh).join("with-1").exists(),
        "an arm was trained again"
    );
    report_is_right(&out, &found);
    a_further_seed_is_trained_alone(&shards, Path::new(fresh), Path::new(committed), &found);
    networks_are_averaged(work.path(), &shards, &out);
}

/// The report's figures are those of the results.
fn report_is_right(out: &Path, found: &BTreeMap<String, Value>) {
    let markdown = fs::read_to_string(out.join("lrn.md")).unwrap();
    let error = |arm: &str, seed: u32| {
        found[&format!("{arm}-{seed}.json")]["ten"]["top1_error"]
            .as_f64()
            .unwrap()
    };
    for (arm, title) in [("with", "with normalisation"), ("without", "without")] {
        let (a, b) = (error(arm, 1), error(arm, 2));
        // Of two values the sample deviation is their distance over the root of 2.
        let cell = format!(
            "| {title} | 2 | {:.2} ± {:.2} |",
            f64::midpoint(a, b),
            (a - b).abs() / 2_f64.sqrt()
        );
        assert!(markdown.contains(&cell), "{cell}: {markdown}");
    }
    let page = fs::read_to_string(out.join("lrn.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("with normalisation"));
    let fetches = ["src=\"http", "href=\"http", "url(http", "<script"];
    assert!(fetches.iter().all(|word| !page.contains(word)));
}

fn a_further_seed_is_trained_alone(
    shards: &Path,
    out: &Path,
    committed: &Path,
    before: &BTreeMap<String, Value>,
) {
    let more = format!("--seeds 3 --results {}", committed.display());
    let text = done(study("lrn", shards, out, &more));
    assert!(text.contains("results   4 of 6"), "{text}");
    let mut after = results(committed);
    for seed in ["with-3.json", "without-3.json"] {
        assert_eq!(
            after.remove(seed).unwrap()["settings"]["recipe"]["epochs"],
            2,
            "{seed}"
        );
    }
    assert_eq!(after["study.json"]["seeds"], 3);
    after.insert("study.json".to_owned(), before["study.json"].clone());
    assert!(after == *before);
}

fn networks_are_averaged(work: &Path, shards: &Path, runs: &Path) {
    let checkpoint = |arm: &str| {
        format!(
            "--checkpoint {}",
            runs.join(arm).join("last.safetensors").display()
        )
    };
    let (one, two) = (checkpoint("with-1"), checkpoint("with-2"));
    let out = work.join("ensemble");
    let text = done(study(
        "ensemble",
        shards,
        &out,
        &format!("{one} {two} --json"),
    ));
    let found: Value = serde_json::from_str(&text).unwrap();
    for (place, seed) in [(0, 1), (1, 2)] {
        let network = &found["networks"][place];
        let stored: Value = serde_json::from_slice(
            &fs::read(runs.join(format!("results/with-{seed}.json"))).unwrap(),
        )
        .unwrap();
        assert_eq!(network["ten"], stored["ten"], "seed {seed}");
        assert_eq!(
            network["checkpoint"],
            format!("with-{seed}/last.safetensors")
        );
    }
    assert_eq!(found["average"]["ten"]["samples"], 9);
    // The loss is convex, so that of the mean is at most the mean of the losses.
    let loss = |scores: &Value| scores["ten"]["loss"].as_f64().unwrap();
    let mean = (loss(&found["networks"][0]) + loss(&found["networks"][1])) / 2.0;
    assert!(loss(&found["average"]) <= mean + 1e-6);
    let markdown = fs::read_to_string(out.join("ensemble.md")).unwrap();
    assert!(
        markdown.contains("average of these 2") && markdown.contains("36.7"),
        "{markdown}"
    );

    assert!(
        found["networks"][0]["train_images"] == 24 && !markdown.contains("different numbers"),
        "{markdown}"
    );
    // Another report in the same place is not replaced unless that is asked for.
    let again = format!("{two} {one}");
    let text = message(study("ensemble", shards, &out, &again));
    assert!(text.contains("`--force`"), "{text}");
    assert_eq!(
        fs::read_to_string(out.join("ensemble.md")).unwrap(),
        markdown
    );
    done(study("ensemble", shards, &out, &format!("{again} --force")));
    assert_ne!(
        fs::read_to_string(out.join("ensemble.md")).unwrap(),
        markdown
    );

    let out = work.join("refused");
    let others = work.join("others");
    fs::create_dir_all(work.join("others-tree")).unwrap();
    write_small(
        &work.join("others-tree"),
        &["x", "y"],
        &[("train", 2), ("val", 1)],
    );
    let mut options = IngestOptions::new(work.join("others-tree"), &others);
    options.size = 72;
    ingest(&options).unwrap();
    for (shards, more, words) in [
        (
            &*others,
            format!("{one} {two}"),
            "not those of the checkpoint",
        ),
        (shards, one.clone(), "two networks or more"),
        (shards, format!("{one} {one}"), "given twice"),
        (
            shards,
            format!("{one} {two} --epochs 3"),
            "`--epochs` belongs to studies that train",
        ),
        (
            shards,
            format!("{one} --checkpoint {}", work.join("none").display()),
            "none",
        ),
    ] {
        let text = message(study("ensemble", shards, &out, &more));
        assert!(text.contains(words), "{more}: {text}");
    }
}
