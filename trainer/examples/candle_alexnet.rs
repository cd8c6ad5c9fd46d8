//! Trains AlexNet in plain candle, straight from shards. `candle_alexnet/network.rs` is the network; what candle lacks
//! (convolutions in groups, response normalisation, reproducible dropout) comes from `shardmill_trainer::candle_ops`.
//!
//! `cargo run --release -p shardmill-trainer --example candle_alexnet -- --shards SHARDS`, and on an NVIDIA GPU
//! `... --features cuda --example candle_alexnet -- --shards SHARDS --device cuda`.
//!
//! The program `train` computes the same network by the same kernels without a graph; `trainer/tests/it/candle/`
//! compares the two.

#[path = "candle_alexnet/network.rs"]
pub(crate) mod network;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use candle_core::{Device, Tensor};
use clap::Parser;
use network::AlexNet;
use shardmill_loader::{Batch, Dataset, LastBatch, Loader, Normalize, Policy};
use shardmill_trainer::candle_ops::DropoutKey;

/// Trains AlexNet with candle on the training split of a dataset
#[derive(Parser)]
pub(crate) struct Arguments {
    /// Folder of shards, as `prep ingest` makes it
    #[arg(long)]
    shards: PathBuf,
    /// Multiplies every layer's width; 1 is the paper's
    #[arg(long, default_value_t = 1.0)]
    width: f64,
    /// Images of a step
    #[arg(long, default_value_t = 128)]
    batch_size: usize,
    /// Steps
    #[arg(long, default_value_t = 100)]
    steps: u64,
    /// Learning rate; the paper's, for 1,000 classes, is 0.01
    #[arg(long, default_value_t = 0.002)]
    lr: f32,
    /// cpu or cuda
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// Windows of 7/8 of the images' sides, but at least of the network's 64 pixels; flips, colour noise, and ImageNet's
/// mean subtracted.
fn loader(arguments: &Arguments) -> Result<(Loader, usize)> {
    let dataset = Dataset::open(&arguments.shards, "train")?;
    let side = dataset.shape().height.min(dataset.shape().width);
    let crop = (side * 7 / 8).max(side.min(64));
    let loader = Loader::builder(dataset)
        .batch_size(arguments.batch_size)
        .last_batch(LastBatch::Drop)
        .policy(Policy::Train {
            crop,
            flip: true,
            color_std: 0.1,
        })
        .normalize(Normalize {
            mean: [123.675, 116.28, 103.53],
            std: [1.0; 3],
        })
        .build()?;
    let (rows, images) = (arguments.batch_size, loader.samples());
    ensure!(
        loader.steps() > 0,
        "{images} images make no batch of {rows}; lower --batch-size"
    );
    Ok((loader, crop as usize))
}

/// One step; gives the loss, and how many labels were the first class and among the first five.
fn step(
    network: &AlexNet,
    batch: &Batch,
    key: DropoutKey,
    lr: f32,
    device: &Device,
) -> Result<Vec<f32>> {
    // The one copy of the images; the loader reuses its own memory for a later batch.
    let images = Tensor::from_slice(batch.images_f32(), &batch.shape()[..], device)?;
    let scores = network.forward(&images, batch.labels(), key)?;
    let gradients = scores.get(0)?.backward()?;
    network.update(&gradients, lr)?;
    Ok(scores.to_vec1()?)
}

/// Trains, and gives the loss of the last step.
pub(crate) fn run(arguments: &Arguments) -> Result<f32> {
    let device = match arguments.device.as_str() {
        "cpu" => Device::Cpu,
        "cuda" => {
            Device::new_cuda(0).context("cannot use a GPU; was this built with --features cuda?")?
        }
        other => bail!("--device is {other:?}; expected cpu or cuda"),
    };
    let (steps, lr) = (arguments.steps, arguments.lr);
    ensure!(
        lr.is_finite() && lr >= 0.0,
        "--lr is {lr}; expected a number, 0 or more"
    );
    let (loader, side) = loader(arguments)?;
    let classes = loader.dataset().classes().len();
    let network = AlexNet::new(classes, side, arguments.width, &device)?;
    let mut loss = f32::NAN;
    let batches = (0..).flat_map(|epoch| loader.epoch(epoch));
    for (number, batch) in (1..=steps).zip(batches) {
        let (batch, start) = (batch?, Instant::now());
        let key = DropoutKey {
            seed: 0,
            step: number,
        };
        let scores = step(&network, &batch, key, lr, &device)?;
        loss = scores[0];
        let rows = batch.len() as f32;
        let (top1, speed) = (
            100.0 * scores[1] / rows,
            rows / start.elapsed().as_secs_f32(),
        );
        println!("step {number}/{steps}  loss {loss:.4}  top-1 {top1:.1}%  {speed:.1} images/s");
        ensure!(
            loss.is_finite(),
            "the loss is no number any more; lower --lr"
        );
    }
    Ok(loss)
}

fn main() -> Result<()> {
    run(&Arguments::parse()).map(drop)
}
