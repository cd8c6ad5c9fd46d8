//! Checkpoints that an earlier version wrote: they load, and training goes on from them with the losses
//! that it would have had.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use shardmill_trainer::Setup;
use shardmill_trainer::{TrainOptions, train};

use crate::runs::dataset::{CLASSES, options, write};

/// Steps of the stored checkpoints: two into the second epoch.
const STORED: u64 = 8;

/// Steps that are compared.
const COMPARED: u64 = 3;

/// Relative difference allowed between losses: processors differ in how they sum up products.
const TOLERANCE: f64 = 1e-5;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The paper's recipe and net 145's, both of a twentieth of the width.
fn recipe(name: &str, shards: &Path, run: &Path) -> TrainOptions {
    let mut options = options(shards, run);
    let (narrow, short) = (options.model, options.recipe);
    let named = Setup::named(name).unwrap();
    options.model = named.model;
    (options.model.width, options.model.input_size) = (narrow.width, narrow.input_size);
    options.recipe = named.recipe;
    options.recipe.epochs = short.epochs;
    options.recipe.batch_size = short.batch_size;
    options.recipe.lr = short.lr;
    options.log_every = 1;
    options
}

/// The losses of the steps after the stored ones.
fn losses(run: &Path) -> Vec<f64> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let steps = lines.filter(|line| line["event"] == "step");
    let later = steps.filter(|line| line["step"].as_u64().unwrap() > STORED);
    later.map(|line| line["loss"].as_f64().unwrap()).collect()
}

/// Goes on from the stored checkpoint. With `SHARDMILL_WRITE_FIXTURES` set, the checkpoint and its losses
/// are written first.
fn goes_on(name: &str) {
    let temporary = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| temporary.path().join(name));
    write(&shards, &CLASSES);
    let checkpoint = folder().join(format!("{name}.safetensors"));
    let expected = folder().join(format!("{name}.json"));
    let mut options = recipe(name, &shards, &run);
    let writes = std::env::var_os("SHARDMILL_WRITE_FIXTURES").is_some();
    if writes {
        options.max_steps = Some(STORED);
        train(&options).unwrap();
        fs::create_dir_all(folder()).unwrap();
        fs::copy(options.last(), &checkpoint).unwrap();
        fs::remove_dir_all(&run).unwrap();
    }
    fs::create_dir_all(&run).unwrap();
    fs::copy(&checkpoint, options.last()).unwrap();
    options.resume = true;
    options.max_steps = Some(STORED + COMPARED);
    train(&options).unwrap();
    let losses = losses(&run);
    if writes {
        fs::write(&expected, serde_json::to_string(&losses).unwrap() + "\n").unwrap();
    }
    let expected: Vec<f64> = serde_json::from_slice(&fs::read(&expected).unwrap()).unwrap();
    assert_eq!(losses.len() as u64, COMPARED);
    assert_eq!(expected.len() as u64, COMPARED);
    for (found, expected) in losses.iter().zip(&expected) {
        let difference = (found - expected).abs() / expected.abs();
        assert!(difference <= TOLERANCE, "{losses:?}, not {expected:?}");
    }
}

#[test]
fn the_papers_network_goes_on_from_a_stored_checkpoint() {
    goes_on("paper");
}

#[test]
fn net_145_goes_on_from_a_stored_checkpoint() {
    goes_on("net145");
}
