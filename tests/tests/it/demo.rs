use shardmill_loader::Dataset;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_tests::{Program, run};
use shardmill_trainer::internals::{CLASSES, TreeSize, color_error, write_tree};

#[test]
fn mean_colour_explains_nothing() {
    let chance = 100.0 - 100.0 / CLASSES.len() as f64;
    for seed in 1..=3 {
        let work = tempfile::tempdir().unwrap();
        let images = work.path().join("images");
        write_tree(&images, seed, TreeSize::DEMO).unwrap();
        let mut options = IngestOptions::new(&images, work.path().join("shards"));
        options.size = 32;
        ingest(&options).unwrap();
        let open = |split| Dataset::open(&options.out, split).unwrap();
        let error = color_error(&open("train"), &open("val")).unwrap();
        assert!(
            error > 0.8 * chance,
            "seed {seed}: {error}% where guessing gives {chance}%"
        );
    }
}

#[test]
fn a_persons_own_folders_are_trained_on_and_left_as_they_are() {
    let work = tempfile::tempdir().unwrap();
    let images = work.path().join("images");
    write_tree(&images, 1, TreeSize { train: 4, val: 2 }).unwrap();
    let out = work.path().join("demo");
    let [folder, target] = [&images, &out].map(|path| path.to_str().unwrap());
    let arguments = ["demo", "--images", folder, "--out", target, "--epochs", "1"];
    let (code, stdout, stderr) = run(Program::Train, &arguments);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    for words in [
        "48 images",
        "chance",
        "87.5%",
        "nearest mean colour",
        "ten views",
        "AlexNet of width",
    ] {
        assert!(stdout.contains(words), "{words} is not in {stdout}");
    }
    for file in [
        "shards/manifest.json",
        "run/last.safetensors",
        "run/metrics.jsonl",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    assert!(
        !out.join("images").exists(),
        "a person's images are not copied"
    );
    assert_eq!(
        std::fs::read_dir(images.join("train/rings"))
            .unwrap()
            .count(),
        4
    );
}
