use std::fs;

use shardmill_loader::{Dataset, Layout, Loader, Output, Policy};
use shardmill_trainer::internals::{MeanCut, mean_image};
use shardmill_trainer::settings::Mean;
use shardmill_trainer::{Checkpoint, EvalOptions, evaluate, train};

use crate::runs::dataset::{CLASSES, options, write};

/// The bytes of every record, one after the other.
fn records(dataset: &Dataset) -> Vec<Vec<u8>> {
    let side = dataset.shape().height;
    let loader = Loader::builder(dataset.clone())
        .batch_size(1)
        .policy(Policy::Center { crop: side })
        .output(Output::U8)
        .layout(Layout::Nhwc)
        .shuffle(false)
        .build()
        .unwrap();
    let batches = loader.epoch(0);
    batches
        .map(|batch| batch.unwrap().images_u8().to_vec())
        .collect()
}

#[test]
fn it_is_the_mean_of_every_pixel() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &CLASSES);
    let dataset = Dataset::open(folder.path(), "train").unwrap();
    let records = records(&dataset);
    for threads in [1, 3] {
        let mean = mean_image(&dataset, MeanCut::Window, threads, |_| {}).unwrap();
        assert_eq!(mean.values().len(), mean.side() * mean.side() * 3);
        for (i, &value) in mean.values().iter().enumerate() {
            let sum: f64 = records.iter().map(|record| f64::from(record[i])).sum();
            assert_eq!(value, (sum / records.len() as f64) as f32, "value {i}");
        }
    }
}

#[test]
fn a_run_with_it_resumes_to_the_bit_and_is_evaluated_with_it() {
    resumes(Mean::Image, MeanCut::Window);
}

#[test]
fn a_run_with_its_centre_resumes_to_the_bit_and_is_evaluated_with_it() {
    resumes(Mean::ImageCenter, MeanCut::Center);
}

fn resumes(mean: Mean, cut: MeanCut) {
    let folder = tempfile::tempdir().unwrap();
    let [shards, channel, whole, parts] =
        ["shards", "channel", "whole", "parts"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    train(&options(&shards, &channel)).unwrap();
    let with_mean = |run: &std::path::Path| {
        let mut options = options(&shards, run);
        options.recipe.mean = mean;
        options
    };
    let straight = train(&with_mean(&whole)).unwrap();
    for steps in [Some(3), Some(8), None] {
        let mut options = with_mean(&parts);
        options.resume = options.last().is_file();
        options.max_steps = steps;
        train(&options).unwrap();
    }
    let bytes = |run: &std::path::Path| fs::read(run.join("last.safetensors")).unwrap();
    assert!(bytes(&whole) == bytes(&parts), "the resumed run differs");
    assert!(
        bytes(&whole) != bytes(&channel),
        "the mean image does nothing"
    );

    let checkpoint = Checkpoint::read(&straight.last).unwrap();
    let dataset = Dataset::open(&shards, "train").unwrap();
    let stored = checkpoint.mean_image().unwrap().unwrap();
    assert_eq!(*stored, mean_image(&dataset, cut, 1, |_| {}).unwrap());
    let evaluation = evaluate(&EvalOptions::new(&straight.last, &shards)).unwrap();
    assert_eq!(evaluation.center, straight.center);
    assert_eq!(evaluation.ten, straight.ten);
}

/// In the centre view the two cuts are the same; of ten views nine differ.
#[test]
fn the_cut_is_the_checkpoints_and_shows_in_all_but_the_centre_view() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut options = options(&shards, &run);
    options.recipe.mean = Mean::Image;
    let window = train(&options).unwrap();
    let mut checkpoint = Checkpoint::read(&window.last).unwrap();
    checkpoint.state.recipe.mean = Mean::ImageCenter;
    let path = folder.path().join("centre.safetensors");
    Checkpoint::write(&path, &checkpoint.state, &checkpoint.tensors).unwrap();
    let centre = evaluate(&EvalOptions::new(&path, &shards)).unwrap();
    assert_eq!(centre.center, window.center);
    let loss = |scores: Option<shardmill_trainer::Scores>| scores.unwrap().loss;
    assert_ne!(loss(centre.ten), loss(window.ten));
}

#[test]
fn weights_of_another_run_bring_their_mean_image_for_either_cut() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second, one, other] =
        ["first", "second", "one", "other"].map(|name| folder.path().join(name));
    write(&first, &CLASSES);
    write(&second, &["n07", "n08"]);
    let mut begin = options(&first, &one);
    begin.recipe.mean = Mean::Image;
    begin.max_steps = Some(1);
    let begun = train(&begin).unwrap();
    let mut next = options(&second, &other);
    next.recipe.mean = Mean::ImageCenter;
    next.max_steps = Some(1);
    next.init = Some(begun.last.clone());
    let next = train(&next).unwrap();
    let image = |path: &std::path::Path| {
        let checkpoint = Checkpoint::read(path).unwrap();
        checkpoint.mean_image().unwrap().unwrap()
    };
    let (given, taken) = (image(&begun.last), image(&next.last));
    assert_eq!(given.values(), taken.values());
    assert_eq!(
        (given.cut(), taken.cut()),
        (MeanCut::Window, MeanCut::Center)
    );
}
