//! Reads one epoch of a dataset, prints what comes, and says what limits it.
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
    let loader = Loader::builder(dataset)
        .batch_size(64)
        .threads(2)
        .policy(Policy::Train {
            crop,
            flip: true,
            color_std: 0.1,
        })
        .build()?;
    let mut epoch = loader.epoch(0);
    for batch in &mut epoch {
        let batch = batch?;
        println!(
            "batch {}: {:?}; first comes sample {}, {}, label {}",
            batch.step(),
            batch.shape(),
            batch.indices()[0],
            batch.key(0),
            batch.labels()[0]
        );
    }
    println!("{}", epoch.meter());
    Ok(())
}
