//! A function of one's own in the loader's threads: a grey square at a random place of every image
//! (random erasing), on two classes of a dataset.
//!
//! `cargo run --release -p shardmill-loader --example custom_transform -- SHARDS`

use std::error::Error;

use shardmill_loader::{BadRecord, Dataset, Loader, Policy, Sample};

/// Side of the square, in pixels.
const SIDE: usize = 8;

fn erase(sample: &mut Sample<'_>) -> Result<(), Box<dyn Error + Send + Sync>> {
    let shape = sample.shape();
    let (height, width) = (shape.height as usize, shape.width as usize);
    if height < SIDE || width < SIDE {
        return Err(format!("{shape} has no room for a square of {SIDE}").into());
    }
    // The sample's own numbers: the same square for any number of threads, another in every epoch.
    let top = sample.random().below((height - SIDE + 1) as u32) as usize;
    let left = sample.random().below((width - SIDE + 1) as u32) as usize;
    for row in sample
        .pixels()
        .chunks_exact_mut(width * 3)
        .skip(top)
        .take(SIDE)
    {
        row[left * 3..(left + SIDE) * 3].fill(128);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "shards".to_owned());
    let dataset = Dataset::open(folder, "train")?.filter_classes(&[0, 1]);
    let crop = dataset.shape().height.min(dataset.shape().width) * 7 / 8;
    let loader = Loader::builder(dataset)
        .batch_size(32)
        .threads(2)
        .policy(Policy::Train {
            crop,
            flip: true,
            color_std: 0.0,
        })
        .on_bad_record(BadRecord::Replace)
        .transform(erase)
        .build()?;
    let mut epoch = loader.epoch(0);
    for batch in &mut epoch {
        let batch = batch?;
        println!("batch {}: {:?}", batch.step(), batch.labels());
    }
    println!("{}", epoch.meter());
    Ok(())
}
