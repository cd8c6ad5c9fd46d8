use shardmill_loader::Dataset;
use shardmill_prep::{IngestOptions, ingest};
use shardmill_trainer::demo::{CLASSES, TreeSize, color_error, write_tree};

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
