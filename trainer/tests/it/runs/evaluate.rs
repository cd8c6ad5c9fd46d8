use std::fs;

use shardmill_trainer::settings::Softmax;
use shardmill_trainer::{EvalOptions, View, evaluate, train};

use crate::runs::dataset::{CLASSES, options, write};

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
    assert_eq!(evaluation.two, None);
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
    let dev = message(&|eval| eval.split = "dev".to_owned());
    assert!(dev.contains("with labels: held-out, train, val"), "{dev}");
    assert!(message(&|eval| eval.shards.push("none")).contains("prep ingest"));
    assert!(message(&|eval| eval.checkpoint.push("none")).contains("checkpoint"));

    let bytes = fs::read(&outcome.last).unwrap();
    fs::write(&outcome.last, &bytes[..bytes.len() - 1]).unwrap();
    assert!(message(&|_| ()).contains("not a whole Shardmill checkpoint"));
}

#[test]
fn two_views_are_evaluated_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut options = options(&shards, &run);
    options.final_views = vec![View::Two];
    let outcome = train(&options).unwrap();
    assert!(outcome.ten.is_none());
    let mut eval = EvalOptions::new(&outcome.last, &shards);
    eval.views = vec![View::Center, View::Two, View::Ten];
    let evaluation = evaluate(&eval).unwrap();
    assert_eq!(
        (evaluation.center, evaluation.two),
        (outcome.center, outcome.two)
    );
    let [center, two, ten] =
        [evaluation.center, evaluation.two, evaluation.ten].map(|scores| scores.unwrap());
    assert_eq!((two.samples, two.samples), (center.samples, ten.samples));
    assert!(two.loss != center.loss && two.loss != ten.loss);
    let log = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let last = log.lines().last().unwrap();
    assert!(last.contains(r#""views":"two""#), "{last}");
}

#[test]
fn a_dataset_with_some_of_the_classes_is_evaluated_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, some, strange, run] =
        ["shards", "some", "strange", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    write(&some, &["n01", "n03"]);
    write(&strange, &["n01", "n04", "n05"]);
    let mut options = options(&shards, &run);
    options.max_steps = Some(1);
    let outcome = train(&options).unwrap();
    let with = |shards: &std::path::Path, softmax| {
        let mut eval = EvalOptions::new(&outcome.last, shards);
        (eval.subset, eval.views) = (softmax, vec![View::Center]);
        evaluate(&eval).map_err(|error| error.to_string())
    };
    let refused = |shards: &std::path::Path, softmax| with(shards, softmax).unwrap_err();
    let plain = refused(&some, None);
    assert!(plain.contains("with `--subset-classes`"), "{plain}");
    let plain = refused(&strange, None);
    assert!(
        plain.contains("`--subset-classes`") && plain.contains("n04, n05"),
        "{plain}"
    );
    let unknown = refused(&strange, Some(Softmax::Subset));
    assert!(
        unknown.contains("2 of the 3 classes") && unknown.contains("n04, n05"),
        "{unknown}"
    );

    let own = with(&some, Some(Softmax::Subset)).unwrap();
    let all = with(&some, Some(Softmax::All)).unwrap();
    assert_eq!((own.classes, all.classes), (2, 3));
    let size = own.subset.unwrap();
    assert_eq!((size.classes, size.of), (2, 3));
    // Of two outputs each is more probable than of three.
    assert!(own.center.unwrap().loss < all.center.unwrap().loss);

    // All of the classes are a subset too, and then the softmax is the same one.
    let plain = with(&shards, None).unwrap();
    for softmax in [Softmax::Subset, Softmax::All] {
        let whole = with(&shards, Some(softmax)).unwrap();
        assert_eq!(whole.center, plain.center, "{softmax:?}");
    }
}
