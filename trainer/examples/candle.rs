//! Batches of the loader as candle tensors. The loader itself knows no candle, so the example stands
//! here.
//!
//! `cargo run --release -p shardmill-trainer --example candle -- SHARDS`

use std::error::Error;

use candle_core::{Device, Tensor};
use shardmill_loader::{Batch, Dataset, Layout, Loader, Normalize, Policy};

/// Images `[rows, 3, height, width]` and labels `[rows]`. One copy; the batch's memory then serves a
/// later batch.
fn tensors(batch: &Batch, device: &Device) -> candle_core::Result<(Tensor, Tensor)> {
    let images = Tensor::from_slice(batch.images_f32(), &batch.shape()[..], device)?;
    let labels = Tensor::from_slice(batch.labels(), batch.len(), device)?;
    Ok((images, labels))
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "shards".to_owned());
    let dataset = Dataset::open(folder, "train")?;
    let crop = dataset.shape().height.min(dataset.shape().width) * 7 / 8;
    let loader = Loader::builder(dataset)
        .batch_size(64)
        .threads(2)
        .layout(Layout::Nchw)
        .policy(Policy::Train {
            crop,
            flip: true,
            color_std: 0.1,
        })
        .normalize(Normalize {
            mean: [123.675, 116.28, 103.53],
            std: [58.395, 57.12, 57.375],
        })
        .build()?;
    let mut epoch = loader.epoch(0);
    for batch in &mut epoch {
        let (images, labels) = tensors(&batch?, &Device::Cpu)?;
        let mean = images.mean_all()?.to_scalar::<f32>()?;
        println!("{:?} with mean {mean:.3}, {labels:?}", images.shape());
    }
    println!("{}", epoch.meter());
    Ok(())
}
