//! `train study`: arms, seeds and results; what is there is never trained again, and never mixed with others.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, run, write_small};

const CLASSES: [&str; 3] = ["ant", "bee", "cow"];

/// A narrow network on small windows, in two epochs of a few steps.
const TINY: &str = "--seeds 2 --epochs 2 --width 0.05 --crop 64 --set batch_size=8";

/// A dataset of three classes in records of `size` pixels a side.
fn shards(work: &Path, name: &str, size: u32) -> PathBuf {
    let (tree, shards) = (work.join(format!("{name}-tree")), work.join(name));
    write_small(&tree, &CLASSES, &[("train", 8), ("val", 3)]);
    let mut options = IngestOptions::new(&tree, &shards);
    options.size = size;
    ingest(&options).unwrap();
    shards
}

/// The command line of a study, with folders within `work`.
fn study(name: &str, shards: &Path, out: &Path, more: &str) -> Command {
    let mut command = Program::Train.command();
    command
        .args(["study", name, "--shards"])
        .arg(shards)
        .arg("--out")
        .arg(out);
    command.args(more.split_whitespace());
    command
}

/// Runs a study to its end and gives its standard output.
fn done(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{command:?}: {text}{errors}");
    text
}

/// The message of a study that is refused.
fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{command:?}: {text}");
    assert!(
        text.contains("error: ") && !text.contains("panicked"),
        "{text}"
    );
    text
}

/// Every result in a folder, without what depends on the clock.
fn results(folder: &Path) -> BTreeMap<String, Value> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read(&path).unwrap();
        let mut value: Value =
            serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Some(seconds) = value.get_mut("seconds") {
            assert!(seconds.as_f64().unwrap() > 0.0, "{name}");
            *seconds = Value::Null;
        }
        (name, value)
    };
    entries.map(read).collect()
}

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
        "with with seed 1: 2 epochs at lr 0.002",
        "without with seed 2",
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
        let text = refused(study("ensemble", shards, &out, &more));
        assert!(text.contains(words), "{more}: {text}");
    }
}

#[test]
fn a_study_killed_at_any_moment_ends_in_the_results_of_an_undisturbed_one() {
    let work = tempfile::tempdir().unwrap();
    let shards = shards(work.path(), "shards", 72);
    let (whole, killed) = (work.path().join("whole"), work.path().join("killed"));
    let start = Instant::now();
    done(study("dropout", &shards, &whole, TINY));
    let length = start.elapsed().as_secs_f64();
    let mut within = 0;
    for attempt in 1..=6 {
        let mut command = study("dropout", &shards, &killed, TINY);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Spread by the golden ratio, so that no two moments are alike.
        let share = f64::from(attempt) * 0.618_034 % 1.0 / 2.0;
        std::thread::sleep(Duration::from_secs_f64(length * share));
        let ended = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        child.wait().unwrap();
        within += u32::from(!ended && killed.is_dir());
    }
    assert!(within > 0, "no kill came before the end");
    done(study("dropout", &shards, &killed, TINY));
    assert!(results(&whole.join("results")) == results(&killed.join("results")));
    for arm in ["with-1", "without-2"] {
        let [a, b] =
            [&whole, &killed].map(|out| fs::read(out.join(arm).join("last.safetensors")).unwrap());
        assert!(a == b, "{arm} ends in other bytes");
    }
    assert!(!killed.join("timing").exists(), "a timing is left behind");
}

#[test]
fn a_race_searches_for_rates_then_trains_every_arm_at_its_own() {
    let work = tempfile::tempdir().unwrap();
    let shards = shards(work.path(), "shards", 32);
    let out = work.path().join("out");
    let flags = "--seeds 1 --epochs 1 --set batch_size=8";
    let text = done(study("relu", &shards, &out, flags));
    assert!(text.contains("search    5 rates x 2 epochs"), "{text}");
    let found = results(&out.join("results"));
    let plan = &found["study.json"];
    assert_eq!(plan["training_error"]["enough"], 25.0);
    for arm in ["relu", "tanh"] {
        let trial = &found[&format!("{arm}-1.json")];
        assert_eq!(trial["settings"]["model"]["activation"], arm);
        assert_eq!(trial["settings"]["recipe"]["sgd"]["weight_decay"], 0.0);
        let chosen = trial["settings"]["recipe"]["lr"].as_f64().unwrap();
        let searched = &found[&format!("{arm}-lr{chosen}-1000.json")];
        // The chosen one went on, or has reached the error before.
        let epochs = searched["epochs"].as_f64().unwrap();
        assert!(epochs == 6.0 || searched["ending"] == "reached", "{epochs}");
        let tried = found
            .keys()
            .filter(|name| name.starts_with(&format!("{arm}-lr")));
        assert!(tried.count() >= 5, "{arm}");
        // Two measurements an epoch and one before; three steps to an epoch.
        let curve = trial["curve"].as_array().unwrap();
        let measured: Vec<u64> = curve
            .iter()
            .map(|point| point["step"].as_u64().unwrap())
            .collect();
        assert!([0, 2, 3].starts_with(&measured), "{measured:?}");
    }
    let markdown = fs::read_to_string(out.join("relu.md")).unwrap();
    assert!(
        markdown.contains("six times faster") && markdown.contains("relu.svg"),
        "{markdown}"
    );
    // Once more nothing is trained.
    let text = done(study("relu", &shards, &out, "--json"));
    assert!(results(&out.join("results")) == found);
    // A result without measurements would not bring the search on.
    let path = out.join("results/relu-lr0.001-1000.json");
    let mut cut = found["relu-lr0.001-1000.json"].clone();
    (cut["curve"], cut["seconds"]) = (Value::Array(Vec::new()), Value::from(1.0));
    fs::write(&path, cut.to_string()).unwrap();
    let message = refused(study("relu", &shards, &out, ""));
    assert!(
        message.contains("relu-lr0.001-1000.json has no measurement"),
        "{message}"
    );
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["trials"].as_array().unwrap().len(), 2);
    assert_eq!(report["missing"], Value::Array(Vec::new()));
}

#[test]
fn what_makes_no_sense_is_refused_in_words_and_results_of_other_settings_are_never_mixed() {
    let work = tempfile::tempdir().unwrap();
    let shards = shards(work.path(), "shards", 72);
    let out = work.path().join("out");
    let begun = format!("{TINY} --seeds 1").replacen("--seeds 2 ", "", 1);
    done(study("dropout", &shards, &out, &begun));
    let before = results(&out.join("results"));
    for (name, more, words) in [
        ("dropuot", "", "there is no study dropuot"),
        (
            "dropout",
            "--arms without,wiht",
            "dropout has no arm wiht; its arms are with, without",
        ),
        (
            "dropout",
            "--epochs 3",
            "recipe.epochs is 2 there and 3 here",
        ),
        (
            "dropout",
            "--width 0.1",
            "model.width is 0.05 there and 0.1 here",
        ),
        (
            "dropout",
            "--set batch_size=4",
            "recipe.batch_size is 8 there and 4 here",
        ),
        ("lrn", "--seeds 1", "study is dropout there and lrn here"),
        ("dropout", "--checkpoint x", "belongs to study ensemble"),
        ("dropout", "--seeds 0", "`--seeds` must be at least 1"),
        ("dropout", "--set nonsense=1", "there is no key nonsense"),
        ("dropout", "--minutes -1", "unexpected"),
    ] {
        if name == "dropout" && more.contains("-1") {
            let status = study(name, &shards, &out, more)
                .stderr(Stdio::null())
                .status()
                .unwrap();
            assert_eq!(status.code(), Some(2), "{more}");
            continue;
        }
        let text = refused(study(name, &shards, &out, more));
        assert!(text.contains(words), "{more}: {text}");
    }
    let other = self::shards(work.path(), "other", 80);
    let text = refused(study("dropout", &other, &out, ""));
    assert!(text.contains("dataset.record"), "{text}");
    assert!(results(&out.join("results")) == before);

    let text = refused(study(
        "lrn",
        &shards,
        &work.path().join("new"),
        "--minutes 0.001 --width 0.05 --crop 64",
    ));
    assert!(text.contains("give more `--minutes`"), "{text}");

    // A result that is damaged, and one of another study under this one's name.
    let result = out.join("results/without-1.json");
    let text = fs::read_to_string(&result).unwrap();
    fs::write(&result, &text[..text.len() / 2]).unwrap();
    let message = refused(study("dropout", &shards, &out, ""));
    assert!(
        message.contains("without-1.json") && message.contains("delete it"),
        "{message}"
    );
    fs::write(&result, text.replacen("\"seed\": 1", "\"seed\": 7", 1)).unwrap();
    let message = refused(study("dropout", &shards, &out, ""));
    assert!(message.contains("seed is 7 there and 1 here"), "{message}");
    fs::remove_file(&result).unwrap();
    // Its run is whole, so nothing is trained again, and the result is the same.
    done(study("dropout", &shards, &out, ""));
    assert!(results(&out.join("results")) == before);

    // A folder that no run has made stays as it is.
    fs::remove_file(&result).unwrap();
    fs::remove_dir_all(out.join("without-1")).unwrap();
    fs::create_dir(out.join("without-1")).unwrap();
    fs::write(out.join("without-1/thesis.txt"), "mine").unwrap();
    let message = refused(study("dropout", &shards, &out, ""));
    assert!(message.contains("thesis.txt"), "{message}");
    assert_eq!(
        fs::read_to_string(out.join("without-1/thesis.txt")).unwrap(),
        "mine"
    );
}

/// Ends after a step, with what is done so far, and goes on with the command that it prints.
#[cfg(unix)]
#[test]
fn an_interrupted_study_says_how_to_go_on() {
    let work = tempfile::tempdir().unwrap();
    let shards = shards(work.path(), "shards", 72);
    let out = work.path().join("out");
    let flags = "--seeds 1 --epochs 4000 --width 0.05 --crop 64 --set batch_size=8";
    let mut command = study("pooling", &shards, &out, flags);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = out.join("overlapping-1/metrics.jsonl");
    let start = Instant::now();
    while !fs::read_to_string(&metrics).is_ok_and(|text| text.contains("\"epoch\":2")) {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no epoch in a minute"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("2 trials are missing; go on with") && text.contains("--out"),
        "{text}"
    );
    assert!(out.join("overlapping-1/last.safetensors").is_file());
    assert!(!out.join("results/overlapping-1.json").exists());
}
