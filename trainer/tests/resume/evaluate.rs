use std::fs;

use shardmill_trainer::{EvalOptions, View, evaluate, train};

use crate::dataset::{CLASSES, options, write};

#[test]
fn a_checkpoint_alone_gives_the_errors_that_training_reported() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let outcome = train(&options(&shards, &run)).unwrap();
    let mut eval = EvalOptions::new(&outcome.last, &shards);
    eval.threads = 2;
    let evaluation = evaluate(&eval).unwrap();
    assert_eq!(
        (evaluation.center, evaluation.ten),
        (outcome.center, outcome.ten)
    );
    assert_eq!(evaluation.center.unwrap().samples, 9);
    assert!(evaluation.ten.unwrap().loss.is_finite());

    eval.views = vec![View::Ten];
    assert_eq!(evaluate(&eval).unwrap().center, None);
}

#[test]
fn what_does_not_fit_is_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, others, run] = ["shards", "others", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    write(&others, &["n01", "n02"]);
    let mut options = options(&shards, &run);
    options.max_steps = Some(1);
    let outcome = train(&options).unwrap();
    let message = |change: &dyn Fn(&mut EvalOptions)| {
        let mut eval = EvalOptions::new(&outcome.last, &shards);
        change(&mut eval);
        evaluate(&eval).unwrap_err().to_string()
    };
    assert!(message(&|eval| eval.shards.clone_from(&others)).contains("it has 2 and the"));
    assert!(message(&|eval| eval.split = "test".to_owned()).contains("has no labels"));
    assert!(message(&|eval| eval.split = "dev".to_owned()).contains("it has test, train, val"));
    assert!(message(&|eval| eval.shards.push("none")).contains("prep ingest"));
    assert!(message(&|eval| eval.checkpoint.push("none")).contains("checkpoint"));

    let bytes = fs::read(&outcome.last).unwrap();
    fs::write(&outcome.last, &bytes[..bytes.len() - 1]).unwrap();
    assert!(message(&|_| ()).contains("not a whole Shardmill checkpoint"));
}
