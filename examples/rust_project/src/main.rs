//! Reads an epoch of shards: `cargo run --release -- SHARDS`.

use std::error::Error;
use std::time::Instant;

use shardmill_loader::{Dataset, Layout, Loader, Normalize, Policy};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os()
        .nth(1)
        .ok_or("give a folder of shards")?;
    let dataset = Dataset::open(folder, "train")?;
    println!(
        "{} images in {} classes",
        dataset.len(),
        dataset.classes().len()
    );

    // Random 224x224 crops, half of them flipped, with colour noise: float32, [64, 3, 224, 224].
    let loader = Loader::builder(dataset)
        .batch_size(64)
        .threads(2)
        .seed(7)
        .policy(Policy::Train {
            crop: 224,
            flip: true,
            color_std: 0.1,
        })
        .layout(Layout::Nchw)
        .normalize(Normalize::mean([123.7, 116.3, 103.5]))
        .build()?;

    let began = Instant::now();
    let (mut samples, mut sum, mut values) = (0, 0.0, 0);
    let mut epoch = loader.epoch(0);
    for (number, batch) in (&mut epoch).enumerate() {
        let batch = batch?;
        let pixels = batch.images_f32();
        sum += pixels.iter().map(|&value| f64::from(value)).sum::<f64>();
        values += pixels.len();
        samples += batch.valid();
        println!(
            "batch {number}: {:?}, first {} of class {}",
            batch.shape(),
            batch.key(0),
            batch.labels()[0]
        );
        // Dropping the batch lets a later one reuse its memory.
    }
    let rate = samples as f64 / began.elapsed().as_secs_f64();
    println!(
        "{samples} images, mean {:.1}, {rate:.0} images/s",
        sum / values as f64
    );
    println!("{}", epoch.meter().verdict());
    Ok(())
}
