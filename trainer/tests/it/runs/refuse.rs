use std::fs;

use shardmill_trainer::{Checkpoint, TrainError, TrainOptions, train};

use crate::runs::dataset::{CLASSES, options, write};

fn message(options: &TrainOptions) -> String {
    train(options).unwrap_err().to_string()
}

#[test]
fn nothing_is_written_before_everything_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    let missing = message(&options(&shards, &run));
    assert!(missing.contains("prep ingest"), "{missing}");

    write(&shards, &CLASSES);
    let mut wrong = options(&shards, &run);
    wrong.model.input_size = 224;
    assert!(message(&wrong).contains("--size"));
    wrong.model.input_size = 20;
    assert!(message(&wrong).contains("input"));
    wrong = options(&shards, &run);
    wrong.recipe.lr = -1.0;
    assert!(message(&wrong).contains("learning rate"));
    wrong = options(&shards, &run);
    wrong.resume = true;
    assert!(matches!(
        train(&wrong),
        Err(TrainError::NothingToResume { .. })
    ));
    assert!(!run.exists());
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    fs::create_dir(&run).unwrap();
    fs::write(run.join("thesis.tex"), "years").unwrap();
    assert!(message(&options(&shards, &run)).contains("--resume"));
    assert_eq!(fs::read_dir(&run).unwrap().count(), 1);
}

#[test]
fn a_resumed_run_stays_the_run_that_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, others, run] = ["shards", "others", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    write(&others, &["n01", "n02", "n04"]);
    let mut first = options(&shards, &run);
    first.max_steps = Some(2);
    train(&first).unwrap();
    let before = fs::read(first.last()).unwrap();
    first.resume = true;

    let mut changed = first.clone();
    changed.recipe.lr = 0.5;
    assert!(message(&changed).contains("lr 0.001, not 0.5"));
    changed = first.clone();
    changed.seed = 9;
    assert!(message(&changed).contains("seed 1, not 9"));
    changed = first.clone();
    changed.model.width = 0.1;
    assert!(message(&changed).contains("width"));
    changed = first.clone();
    changed.shards = others;
    assert!(message(&changed).contains("\"n04\" where the checkpoint has \"n03\""));
    assert!(fs::read(first.last()).unwrap() == before);
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_with_a_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let [shards, run] = ["shards", "run"].map(|name| folder.path().join(name));
    write(&shards, &CLASSES);
    let mut options = options(&shards, &run);
    options.recipe.lr = 1e6;
    let text = message(&options);
    assert!(
        text.contains("step ") && text.contains("last.safetensors"),
        "{text}"
    );
    let checkpoint = Checkpoint::read(&options.last()).unwrap();
    let finite = checkpoint.tensors.values().all(|tensor| {
        let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values.iter().all(|value| value.is_finite())
    });
    assert!(finite);
}
