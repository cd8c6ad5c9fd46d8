use std::fs;

use shardmill_loader::{Dataset, Layout, Loader, Output, Policy};
use shardmill_trainer::{Checkpoint, EvalOptions, Mean, MeanImage, evaluate, train};

use crate::dataset::{CLASSES, options, write};

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
        let mean = MeanImage::of(&dataset, threads, |_| {}).unwrap();
        assert_eq!(mean.values().len(), mean.side() * mean.side() * 3);
        for (i, &value) in mean.values().iter().enumerate() {
            let sum: f64 = records.iter().map(|record| f64::from(record[i])).sum();
            assert_eq!(value, (sum / records.len() as f64) as f32, "value {i}");
        }
    }
}

#[test]
fn a_run_with_it_resumes_to_the_bit_and_is_evaluated_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, channel, whole, parts] =
        ["shards", "channel", "whole", "parts"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    train(&options(&shards, &channel)).unwrap();
    let with_mean = |run: &std::path::Path| {
        let mut options = options(&shards, run);
        options.recipe.mean = Mean::Image;
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
    let mean = checkpoint.model().unwrap().mean_image().unwrap();
    assert_eq!(*mean, MeanImage::of(&dataset, 1, |_| {}).unwrap());
    let evaluation = evaluate(&EvalOptions::new(&straight.last, &shards)).unwrap();
    assert_eq!(evaluation.center, straight.center);
    assert_eq!(evaluation.ten, straight.ten);
}
