//! conv1's kernels after every epoch.

use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use shardmill_trainer::{Checkpoint, train};

use crate::runs::dataset::{CLASSES, options, write};

/// The names in the folder of snapshots, in order; none without the folder.
fn names(run: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(run.join("kernels")) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn every_epoch_leaves_the_kernels_that_its_checkpoint_holds() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut options = options(&shards, &run);
    for (epoch, steps) in [0, 6, 12].into_iter().enumerate() {
        options.max_steps = Some(steps);
        options.resume = epoch > 0;
        train(&options).unwrap();
        let path = run.join(format!("kernels/epoch-{epoch:04}.safetensors"));
        let bytes = fs::read(&path).unwrap();
        let checkpoint = Checkpoint::read(&options.last()).unwrap();
        let expected = checkpoint.tensors["conv1.weight"].flatten_all().unwrap();
        let expected: Vec<u8> = expected
            .to_vec1::<f32>()
            .unwrap()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.names(), ["conv1.weight"]);
        assert_eq!(file.tensor("conv1.weight").unwrap().data(), expected);
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let strings = header.metadata().as_ref().unwrap();
        assert_eq!(strings["epoch"], epoch.to_string());
        assert_eq!(strings["step"], steps.to_string());
    }
    assert_eq!(names(&run).len(), 3);
}

#[test]
fn snapshots_change_nothing_else_and_can_be_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, with, without] =
        ["shards", "with", "without"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    train(&options(&shards, &with)).unwrap();
    let mut options = options(&shards, &without);
    options.snapshots = false;
    train(&options).unwrap();
    assert_eq!((names(&with).len(), names(&without).len()), (4, 0));
    for file in ["last.safetensors", "best.safetensors"] {
        let [with, without] = [&with, &without].map(|run| fs::read(run.join(file)).unwrap());
        assert!(with == without, "{file}");
    }
}

#[test]
fn a_frozen_conv1_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut options = options(&shards, &run);
    options.recipe.freeze = vec!["conv1".to_owned()];
    train(&options).unwrap();
    assert_eq!(names(&run), ["epoch-0000.safetensors"]);
}
