use std::fs;
use std::path::Path;

use serde_json::Value;
use shardmill_trainer::settings::TrainingError;
use shardmill_trainer::{Checkpoint, EvalOptions, TrainOptions, View, evaluate, train};

use crate::runs::dataset::{CLASSES, options, write};

/// The measurements in a run's log, without what depends on the clock.
fn measured(run: &Path) -> Vec<Value> {
    let log = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut lines: Vec<Value> = lines
        .filter(|line| line["event"] == "training_error")
        .collect();
    for line in &mut lines {
        line["seconds"] = Value::Null;
    }
    lines
}

fn steps(lines: &[Value]) -> Vec<u64> {
    lines
        .iter()
        .map(|line| line["step"].as_u64().unwrap())
        .collect()
}

/// Measures on the whole training split, twice an epoch of six steps.
fn with_measurements(shards: &Path, run: &Path) -> TrainOptions {
    TrainOptions {
        training_error: Some(TrainingError {
            images: 1000,
            per_epoch: 2,
            enough: None,
        }),
        final_views: vec![View::Center],
        ..options(shards, run)
    }
}

#[test]
fn the_error_on_training_images_is_that_of_an_evaluation_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run, plain] = ["shards", "run", "plain"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    train(&with_measurements(&shards, &run)).unwrap();
    let lines = measured(&run);
    assert_eq!(steps(&lines), [0, 3, 6, 9, 12, 15, 18]);
    let mut eval = EvalOptions::new(run.join("last.safetensors"), &shards);
    (eval.split, eval.views) = ("train".to_owned(), vec![View::Center]);
    let scores = evaluate(&eval).unwrap().center.unwrap();
    let last = lines.last().unwrap();
    assert_eq!(last["samples"], scores.samples);
    assert_eq!(last["loss"].as_f64(), Some(scores.loss));
    assert_eq!(last["top1_error"].as_f64(), Some(scores.top1_error));

    train(&TrainOptions {
        training_error: None,
        ..with_measurements(&shards, &plain)
    })
    .unwrap();
    let tensors = |run: &Path| {
        let checkpoint = Checkpoint::read(&run.join("last.safetensors")).unwrap();
        let weight = &checkpoint.tensors["fc8.weight"];
        weight.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    assert_eq!(tensors(&run), tensors(&plain));
}

#[test]
fn a_resumed_run_measures_what_an_undisturbed_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, whole, parts] = ["shards", "whole", "parts"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    train(&with_measurements(&shards, &whole)).unwrap();
    for steps in [4, 9, 1000] {
        let mut options = with_measurements(&shards, &parts);
        (options.resume, options.max_steps) = (steps > 4, Some(steps));
        train(&options).unwrap();
    }
    assert_eq!(measured(&whole), measured(&parts));
}

#[test]
fn a_run_ends_where_the_error_is_low_enough() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut options = with_measurements(&shards, &run);
    options.recipe.epochs = 200;
    options.training_error = Some(TrainingError {
        images: 1000,
        per_epoch: 2,
        enough: Some(50.0),
    });
    let outcome = train(&options).unwrap();
    assert!(outcome.finished && outcome.epochs < 200, "{outcome:?}");
    let lines = measured(&run);
    let errors: Vec<f64> = lines
        .iter()
        .map(|line| line["top1_error"].as_f64().unwrap())
        .collect();
    let (last, before) = errors.split_last().unwrap();
    assert!(
        *last <= 50.0 && before.iter().all(|error| *error > 50.0),
        "{errors:?}"
    );
    assert_eq!(outcome.steps, *steps(&lines).last().unwrap());
}

#[test]
fn a_measurement_at_the_end_alone_is_on_as_many_images_as_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut options = with_measurements(&shards, &run);
    options.training_error = Some(TrainingError {
        images: 5,
        per_epoch: 0,
        enough: None,
    });
    train(&options).unwrap();
    let lines = measured(&run);
    assert_eq!(steps(&lines), [18]);
    assert_eq!(lines[0]["samples"], 5);
}
