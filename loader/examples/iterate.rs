//! Reads one epoch of a dataset and prints what comes.
//!
//! `cargo run --release -p shardmill-loader --example iterate -- SHARDS`

use shardmill_loader::{Dataset, Loader, LoaderError, Policy};

fn main() -> Result<(), LoaderError> {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "shards".to_owned());
    let dataset = Dataset::open(folder, "train")?;
    println!(
        "{} images of {} classes",
        dataset.len(),
        dataset.classes().len()
    );
    let crop = dataset.shape().height.min(dataset.shape().width) * 7 / 8;
    let policy = Policy::Train {
        crop,
        flip: true,
        color_std: 0.1,
    };
    let loader = Loader::builder(dataset)
        .batch_size(64)
        .threads(2)
        .policy(policy)
        .build()?;
    let mut epoch = loader.epoch(0);
    for batch in &mut epoch {
        let batch = batch?;
        let first = loader.dataset().key(batch.indices()[0]);
        println!(
            "batch {}: {:?}, label {} first, from {first}",
            batch.step(),
            batch.shape(),
            batch.labels()[0]
        );
    }
    println!("waited {:?} for data", epoch.waited());
    Ok(())
}
