//! Runs of the network of the paper's Fig. 1.

use std::fs;
use std::path::Path;

use shardmill_trainer::settings::Activation;
use shardmill_trainer::{Checkpoint, Compute, EvalOptions, Setup, TrainOptions, evaluate, train};

use crate::runs::dataset::{CLASSES, options, write};

/// Three epochs of a narrow network with the recipe's own choices.
fn fig1(shards: &Path, run: &Path) -> TrainOptions {
    let mut options = options(shards, run);
    let short = options.recipe.clone();
    let setup = Setup::named("fig1").unwrap();
    (options.recipe, options.model) = (setup.recipe, setup.model);
    (options.recipe.epochs, options.recipe.batch_size) = (short.epochs, short.batch_size);
    options.model.width = 0.25;
    options
}

#[test]
fn a_resumed_run_of_fig1_gives_the_bits_of_one_that_was_not_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, whole, parts] = ["shards", "whole", "parts"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let outcome = train(&fig1(&shards, &whole)).unwrap();
    for steps in [Some(7), None] {
        let mut options = fig1(&shards, &parts);
        options.resume = options.last().is_file();
        options.max_steps = steps;
        train(&options).unwrap();
    }
    for file in ["last.safetensors", "best.safetensors"] {
        let [a, b] = [&whole, &parts].map(|run| fs::read(run.join(file)).unwrap());
        assert!(a == b, "{file}");
    }
    let checkpoint = Checkpoint::read(&outcome.last).unwrap();
    assert_eq!(checkpoint.state.model.classes, CLASSES.len());
    let mut eval = EvalOptions::new(&outcome.last, &shards);
    eval.threads = 1;
    assert_eq!(evaluate(&eval).unwrap().center, outcome.center);
}

#[test]
fn weights_go_on_with_other_classes_but_for_the_last_layer() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, others, first, second] =
        ["shards", "others", "first", "second"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    write(&others, &["n01", "n04"]);
    let mut options = fig1(&shards, &first);
    options.model.activation = Activation::Tanh;
    options.max_steps = Some(1);
    let stored = train(&options).unwrap().last;
    options.shards = others;
    options.run = second;
    options.init = Some(stored.clone());
    options.recipe.freeze = vec!["conv".to_owned()];
    let tuned = Checkpoint::read(&train(&options).unwrap().last).unwrap();
    let stored = Checkpoint::read(&stored).unwrap();
    let values = |checkpoint: &Checkpoint, name: &str| {
        let tensor = checkpoint.tensors[name].flatten_all().unwrap();
        tensor.to_vec1::<f32>().unwrap()
    };
    for name in ["conv1.weight", "conv3.bias"] {
        assert_eq!(values(&tuned, name), values(&stored, name), "{name}");
    }
    assert_eq!(values(&tuned, "fc4.bias").len(), 2);
}

#[test]
fn a_gpu_refuses_fig1_in_words_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut options = fig1(&shards, &run);
    options.compute = Compute::Cuda(Default::default());
    let message = train(&options).unwrap_err().to_string();
    assert!(
        message.starts_with("pool1 of this network") && message.contains("`--device cpu`"),
        "{message}"
    );
    assert!(!run.exists());
}
