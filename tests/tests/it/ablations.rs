//! Every ablation of the paper learns from real images; run by name, as `just ablations SHARDS`.

use std::path::{Path, PathBuf};

use serde_json::Value;
use shardmill_trainer::Setup;
use shardmill_trainer::{TrainOptions, train};

/// Eight layers of it pass on hardly any gradient: the loss falls, but stays above ln(classes) in so
/// short a run.
const SIGMOID: &str = "model.activation=sigmoid";

/// What is changed, as `train --set` takes it.
const ABLATIONS: [&str; 15] = [
    "flip=true", // nothing
    "model.variant=alexnet-owt model.width=0.25 model.input_size=128",
    "model.lrn=none",
    "model.pooling=non-overlapping",
    "model.columns=1",
    // At the paper's pixel scale a tanh is flat from the start, and its noise under dropout hides
    // what so short a run learns.
    "model.activation=tanh scale=standardized model.init.std=0.02 model.init.bias=0 model.dropout=0",
    SIGMOID,
    "model.dropout=0",
    "color_std=0",
    "model.removed_conv=2",
    "model.removed_conv=3",
    "model.removed_conv=4",
    "model.removed_conv=5",
    "model.conv1_order=activation-last",
    "model.conv1_order=activation-last model.map_norm.size=5 model.conv5_pool_first=true color_divisor=1.1",
];

/// Four epochs of small batches, so that there are enough steps.
const SMALL: [&str; 4] = [
    "epochs=4",
    "batch_size=32",
    "model.width=0.25",
    "model.input_size=128",
];

/// A quarter of the paper's width and a small window, so that a run takes a minute on two cores.
fn small(sets: &str, shards: &Path, run: PathBuf) -> TrainOptions {
    let mut setup = Setup::named("small").unwrap();
    for set in SMALL.into_iter().chain(sets.split(' ')) {
        setup = setup.set(set).unwrap();
    }
    let mut options = TrainOptions::new(shards, run);
    (options.recipe, options.model) = (setup.recipe, setup.model);
    (options.eval_every, options.final_views) = (0, Vec::new());
    options
}

/// The mean training loss of each epoch.
fn losses(run: &Path) -> Vec<f64> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["event"] == "epoch")
        .map(|line| line["loss"].as_f64().unwrap())
        .collect()
}

#[test]
#[ignore = "needs shards of real images; run by `just ablations SHARDS`"]
fn every_ablation_lowers_its_loss_on_real_images() {
    let shards = std::env::var_os("SHARDMILL_SHARDS").expect("run by `just ablations SHARDS`");
    let shards = PathBuf::from(shards);
    let chance = (shardmill_loader::read_manifest(&shards)
        .unwrap()
        .classes
        .len() as f64)
        .ln();
    let work = tempfile::tempdir().unwrap();
    let mut stuck = Vec::new();
    for (number, sets) in ABLATIONS.into_iter().enumerate() {
        let run = work.path().join(number.to_string());
        train(&small(sets, &shards, run.clone())).unwrap();
        let losses = losses(&run);
        println!("{losses:.4?}  {sets}");
        let last = losses[losses.len() - 1];
        if last >= losses[0] || (last >= 0.995 * chance && sets != SIGMOID) {
            stuck.push(sets);
        }
    }
    assert!(
        stuck.is_empty(),
        "the loss did not leave ln(classes) = {chance:.4}: {stuck:?}"
    );
}
