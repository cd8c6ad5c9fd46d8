use std::fs;

use shardmill_trainer::{Checkpoint, train};

use crate::runs::dataset::{CLASSES, options, write};

fn values(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    checkpoint.tensors[name]
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap()
}

#[test]
fn a_run_begins_with_anothers_weights_and_leaves_frozen_layers_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, others, first, second] =
        ["shards", "others", "first", "second"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    write(&others, &["m1", "m2", "m3", "m4"]);
    let mut options = options(&shards, &first);
    options.max_steps = Some(4);
    train(&options).unwrap();
    let before = Checkpoint::read(&options.last()).unwrap();

    let mut tuned = options.clone();
    (tuned.shards, tuned.run) = (others, second);
    tuned.init = Some(options.last());
    tuned.recipe.freeze = vec!["conv".to_owned(), "fc6".to_owned()];
    train(&tuned).unwrap();
    let after = Checkpoint::read(&tuned.last()).unwrap();
    assert_eq!(after.state.classes.len(), 4);
    assert_eq!(after.state.pixels, before.state.pixels);
    for parameter in ["conv1.weight", "conv5.bias", "fc6.weight"] {
        assert_eq!(
            values(&after, parameter),
            values(&before, parameter),
            "{parameter}"
        );
    }
    assert_ne!(values(&after, "fc7.weight"), values(&before, "fc7.weight"));
    assert_eq!(values(&after, "fc8.bias").len(), 4);

    // Resumed, it stays frozen: the recipe says so.
    tuned.resume = true;
    tuned.init = None;
    tuned.max_steps = Some(9);
    train(&tuned).unwrap();
    let after = Checkpoint::read(&tuned.last()).unwrap();
    assert_eq!(
        values(&after, "conv3.weight"),
        values(&before, "conv3.weight")
    );
}

#[test]
fn what_cannot_be_begun_with_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, first, second] =
        ["shards", "first", "second"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut options = options(&shards, &first);
    options.max_steps = Some(1);
    train(&options).unwrap();
    let mut wider = options.clone();
    (wider.run, wider.init) = (second.clone(), Some(options.last()));
    wider.model.width = 0.1;
    let text = train(&wider).unwrap_err().to_string();
    assert!(text.contains("conv") && text.contains("shape"), "{text}");
    for (freeze, word) in [("conv9", "conv9"), ("fc8x", "fc8x")] {
        let mut wrong = options.clone();
        wrong.run = second.clone();
        wrong.recipe.freeze = vec![freeze.to_owned()];
        let text = train(&wrong).unwrap_err().to_string();
        assert!(text.contains(word), "{text}");
    }
    assert!(!second.exists());
}

#[test]
fn batches_accumulated_give_the_step_of_one_large_batch() {
    let folder = tempfile::tempdir().unwrap();
    let shards = folder.path().join("shards");
    write(&shards, &CLASSES);
    let run = |name: &str, batch_size, accumulate| {
        let mut options = options(&shards, &folder.path().join(name));
        (options.recipe.batch_size, options.recipe.accumulate) = (batch_size, accumulate);
        // Dropout differs from batch to batch.
        options.model.dropout = 0.0;
        options.recipe.epochs = 2;
        let outcome = train(&options).unwrap();
        // 22 images: two steps of eight and one of six.
        assert_eq!(outcome.steps, 6);
        Checkpoint::read(&options.last()).unwrap()
    };
    let (large, small) = (run("large", 8, 1), run("small", 2, 4));
    for name in large
        .tensors
        .keys()
        .filter(|name| !name.starts_with("velocity"))
    {
        let (a, b) = (values(&large, name), values(&small, name));
        let difference: f64 = a
            .iter()
            .zip(&b)
            .map(|(a, b)| f64::from(a - b).powi(2))
            .sum();
        let length: f64 = a.iter().map(|a| f64::from(*a).powi(2)).sum();
        assert!(difference.sqrt() <= 1e-4 * length.sqrt(), "{name}");
    }
    let log = fs::read_to_string(folder.path().join("small/metrics.jsonl")).unwrap();
    assert!(log.contains(r#""gradient_norm":"#), "{log}");
}
