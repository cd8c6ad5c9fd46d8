//! The speed of training steps and of inference on a card, on images that are there already.

use std::time::Instant;

use shardmill_formats::{Philox, Stream};
use shardmill_loader::Normalize;

use crate::compute::CudaOptions;
use crate::cuda::CudaEngine;
use crate::cuda::Pixels;
use crate::net::sgd::{Rate, SgdConfig};
use crate::net::{DropoutKey, Model, TrainState};
use crate::run::error::TrainError;
use crate::tools::bench::{BenchOptions, BenchReport, StepSeconds, peak_rss_mb};

/// Steps before the clock starts: the first finds algorithms and makes the memory.
const WARM_UP: u64 = 3;

/// A rate that does all of the work and leaves the loss where it is.
pub(crate) const STILL: Rate = Rate {
    lr: 0.0,
    decay: 0.0,
};

/// Measures training steps, then inference. Every step is waited for, as a peer's bench does it.
///
/// # Errors
/// A card that fails or is not there, or `stages`, which are the CPU's.
pub(crate) fn run(options: &BenchOptions, cuda: CudaOptions) -> Result<BenchReport, TrainError> {
    check(options)?;
    let (batch, config) = (options.batch_size.max(1), &options.config);
    let model = Model::new(config, options.seed)?;
    let state = TrainState::new(model, SgdConfig::default());
    let mut engine = CudaEngine::new(cuda, state, batch)?;
    engine.set_normalization(Normalize::mean([127.5; 3]))?;
    let images = Images::new(options);
    let staged = engine.stage(images.pixels())?;
    let training = time(options.steps, |step| {
        let key = DropoutKey {
            seed: options.seed,
            step,
        };
        if engine.metrics_full() {
            engine.drain_metrics()?;
        }
        engine.accumulate_staged(&staged, key, None)?;
        engine.step(|_| Some(STILL))?;
        Ok(engine.gpu().wait()?)
    })?;
    let inference = time(options.steps, |_| {
        engine.infer(&staged)?;
        Ok(engine.gpu().wait()?)
    })?;
    Ok(BenchReport {
        training_images_per_second: batch as f64 / training.median,
        inference_images_per_second: batch as f64 / inference.median,
        peak_rss_mb: peak_rss_mb(),
        device: engine.gpu().describe()?,
        precision: cuda.precision,
        threads: rayon::current_num_threads(),
        batch_size: batch,
        steps: options.steps.max(1),
        training_seconds: training,
        inference_seconds: inference,
        stages: None,
    })
}

/// Refuses what is measured on the CPU alone.
pub(crate) fn check(options: &BenchOptions) -> Result<(), TrainError> {
    if options.stages || options.shards.is_some() {
        return Err(TrainError::Recipe(
            "`--stages` measures the CPU's kernels; leave it out with `--device cuda`".to_owned(),
        ));
    }
    Ok(())
}

/// A batch of random images.
pub(crate) struct Images {
    images: Vec<u8>,
    labels: Vec<i64>,
}

impl Images {
    pub(crate) fn new(options: &BenchOptions) -> Self {
        let (batch, config) = (options.batch_size.max(1), &options.config);
        let labels = (0..batch).map(|row| (row % config.classes) as i64);
        Self {
            images: random_pixels(options.seed, batch * config.input_size.pow(2) * 3),
            labels: labels.collect(),
        }
    }

    pub(crate) fn pixels(&self) -> Pixels<'_> {
        Pixels {
            images: &self.images,
            shifts: &[],
            areas: &[],
            labels: &self.labels,
        }
    }
}

pub(crate) fn time(
    steps: usize,
    mut step: impl FnMut(u64) -> Result<(), TrainError>,
) -> Result<StepSeconds, TrainError> {
    for number in 0..WARM_UP {
        step(number)?;
    }
    let mut seconds = Vec::new();
    for number in 0..steps.max(1) as u64 {
        let start = Instant::now();
        step(WARM_UP + number)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(StepSeconds::of(seconds))
}

/// Bytes, all values as likely.
fn random_pixels(seed: u64, len: usize) -> Vec<u8> {
    let philox = Philox::new(seed, Stream::Augment);
    let blocks = (0..len.div_ceil(16)).flat_map(|i| philox.block(i as u64, 0));
    blocks.flat_map(u32::to_le_bytes).take(len).collect()
}
