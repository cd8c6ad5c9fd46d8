//! Runs with what Zeiler and Fergus changed.

use std::fs;
use std::path::Path;

use shardmill_trainer::settings::Conv1Window;
use shardmill_trainer::{Checkpoint, Compute, TrainOptions, train};

use crate::runs::dataset::{CLASSES, options, write};

/// Their conv1, with kernels that the initial ones exceed already.
fn zfnet(shards: &Path, run: &Path) -> TrainOptions {
    let mut options = options(shards, run);
    options.model.conv1_window = Conv1Window::Seven;
    options.recipe.kernel_radius = Some(0.008);
    options
}

#[test]
fn a_resumed_run_with_a_radius_gives_the_bits_of_one_that_was_not_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, whole, parts, free] =
        ["shards", "whole", "parts", "free"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    train(&zfnet(&shards, &whole)).unwrap();
    for steps in [Some(7), None] {
        let mut options = zfnet(&shards, &parts);
        options.resume = options.last().is_file();
        options.max_steps = steps;
        train(&options).unwrap();
    }
    let last = |run: &Path| fs::read(run.join("last.safetensors")).unwrap();
    assert!(last(&whole) == last(&parts));

    // Every kernel is at or below the radius, which is not so without it.
    let largest = |run: &Path| {
        let checkpoint = Checkpoint::read(&run.join("last.safetensors")).unwrap();
        let weight = &checkpoint.tensors["conv1.weight"];
        assert_eq!(weight.dims()[1..], [7, 7, 3]);
        let kernels = weight.flatten_from(1).unwrap().to_vec2::<f32>().unwrap();
        let rms = |kernel: &Vec<f32>| {
            let squares: f64 = kernel.iter().map(|&w| f64::from(w).powi(2)).sum();
            (squares / kernel.len() as f64).sqrt()
        };
        kernels.iter().map(rms).fold(0.0, f64::max)
    };
    let mut options = zfnet(&shards, &free);
    options.recipe.kernel_radius = None;
    train(&options).unwrap();
    assert!(largest(&whole) < 0.008 + 1e-8 && largest(&free) > 0.009);
}

#[test]
fn a_gpu_refuses_a_radius_in_words_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut options = zfnet(&shards, &run);
    options.compute = Compute::Cuda(Default::default());
    let message = train(&options).unwrap_err().to_string();
    assert!(message.contains("--set kernel_radius=none"), "{message}");
    assert!(!run.exists());
}
