use std::fs;

use shardmill_trainer::{Checkpoint, EvalOptions, evaluate, train};

use crate::runs::dataset::{CLASSES, options, write};

#[test]
fn a_split_of_any_name_is_validated_on_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut options = options(&shards, &run);
    options.recipe.val_split = Some("held-out".to_owned());
    options.max_steps = Some(9);
    train(&options).unwrap();
    (options.resume, options.max_steps) = (true, None);
    let outcome = train(&options).unwrap();
    assert_eq!(outcome.val_split.as_deref(), Some("held-out"));
    let center = outcome.center.unwrap();
    assert_eq!(center.samples, 5);
    let log = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let start = log.lines().next().unwrap();
    assert!(
        start.contains(r#""val_split":"held-out","val_images":5"#),
        "{start}"
    );
    let evaluations = log.lines().filter(|line| line.contains("evaluation"));
    let named = evaluations.filter(|line| line.contains(r#""split":"held-out""#));
    // After each of three epochs, and from ten views at the end.
    assert_eq!(named.count(), 4);

    let stored = Checkpoint::peek(&outcome.last).unwrap().recipe.val_split;
    assert_eq!(stored.as_deref(), Some("held-out"));
    let mut eval = EvalOptions::new(&outcome.last, &shards);
    eval.split = "held-out".to_owned();
    assert_eq!(evaluate(&eval).unwrap().center, Some(center));

    options.recipe.val_split = None;
    options.recipe.epochs += 1;
    let text = train(&options).unwrap_err().to_string();
    assert!(text.contains("val_split held-out, not none"), "{text}");
}

#[test]
fn a_split_that_cannot_be_validated_on_is_refused_with_those_that_can() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    for (split, word) in [("dev", "no split"), ("test", "no labels")] {
        let mut options = options(&shards, &run);
        options.recipe.val_split = Some(split.to_owned());
        let text = train(&options).unwrap_err().to_string();
        assert!(
            text.contains(word) && text.contains("held-out, train, val"),
            "{text}"
        );
    }
    assert!(!run.exists());
}
