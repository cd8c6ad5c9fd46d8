use std::fs;
use std::path::Path;

use shardmill_trainer::settings::{Cropping, Jitter};
use shardmill_trainer::{Checkpoint, Recipe, TrainOptions, train};

use crate::runs::dataset::{CLASSES, SIDE, options, write};

/// The weights after a few steps.
fn weights(options: &TrainOptions) -> Vec<f32> {
    train(options).unwrap();
    let checkpoint = Checkpoint::read(&options.last()).unwrap();
    let tensor = &checkpoint.tensors["conv1.weight"];
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn with(shards: &Path, run: &Path, change: impl FnOnce(&mut Recipe)) -> TrainOptions {
    let mut options = options(shards, run);
    change(&mut options.recipe);
    options.max_steps = Some(4);
    options
}

const JITTER: Jitter = Jitter {
    brightness: 0.4,
    contrast: 0.4,
    saturation: 0.4,
    hue: 0.1,
};

#[test]
fn every_way_of_cutting_and_recolouring_trains_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let shards = folder.path().join("shards");
    write(&shards, &CLASSES);
    let changes: [fn(&mut Recipe); 5] = [
        |_| (),
        |recipe| recipe.cropping = Cropping::Fixed,
        |recipe| recipe.cropping = Cropping::resized(),
        |recipe| {
            recipe.cropping = Cropping::Resized {
                area: (0.9, 1.0),
                ratio: (1.0, 1.0),
            }
        },
        |recipe| recipe.jitter = JITTER,
    ];
    let mut seen: Vec<Vec<f32>> = Vec::new();
    for (number, change) in changes.into_iter().enumerate() {
        let run = folder.path().join(number.to_string());
        let found = weights(&with(&shards, &run, change));
        assert!(!seen.contains(&found), "{number} trains as an earlier one");
        seen.push(found);
    }
}

#[test]
fn a_fixed_window_is_a_random_one_where_there_is_one_place_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let shards = folder.path().join("shards");
    write(&shards, &CLASSES);
    let found = [Cropping::Random, Cropping::Fixed].map(|cropping| {
        let run = folder.path().join(format!("{cropping}"));
        let mut options = with(&shards, &run, |recipe| recipe.cropping = cropping);
        options.model.input_size = SIDE as usize;
        weights(&options)
    });
    assert!(found[0] == found[1]);
}

#[test]
fn a_run_with_resized_crops_and_jitter_resumes_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, whole, parts] = ["shards", "whole", "parts"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let run = |run: &Path, steps: &[Option<u64>]| {
        for &steps in steps {
            let mut options = with(&shards, run, |recipe| {
                (recipe.cropping, recipe.jitter) = (Cropping::resized(), JITTER);
            });
            options.resume = options.last().is_file();
            (options.max_steps, options.threads) = (steps, 2);
            train(&options).unwrap();
        }
        fs::read(run.join("last.safetensors")).unwrap()
    };
    let straight = run(&whole, &[None]);
    assert!(straight == run(&parts, &[Some(3), Some(8), None]));

    let mut other = with(&shards, &parts, |recipe| recipe.jitter = JITTER);
    other.resume = true;
    let text = train(&other).unwrap_err().to_string();
    assert!(text.contains("cropping") && text.contains("0.08"), "{text}");
}
