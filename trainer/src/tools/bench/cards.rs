//! The speed of training steps and of inference on several cards, on images that are there already.

use std::sync::Arc;

use shardmill_loader::Normalize;

use crate::compute::CardsOptions;
use crate::cuda::CardsEngine;
use crate::net::sgd::SgdConfig;
use crate::net::{DropoutKey, Model, TrainState};
use crate::run::error::TrainError;
use crate::tools::bench::card::{Images, STILL, check, time};
use crate::tools::bench::{BenchOptions, BenchReport, peak_rss_mb};

/// Measures training steps, then inference; the batch is that of all cards together. Every step is
/// waited for, as on one card.
///
/// # Errors
/// A card that fails or is not there, or `stages`, which are the CPU's.
pub(crate) fn run(options: &BenchOptions, cards: CardsOptions) -> Result<BenchReport, TrainError> {
    check(options)?;
    let batch = options.batch_size.max(1);
    let model = Model::new(&options.config, options.seed)?;
    let state = TrainState::new(model, SgdConfig::default());
    let mut engine = CardsEngine::new(cards, state, batch)?;
    engine.set_normalization(Normalize::mean([127.5; 3]))?;
    let staged = engine.stage(&Arc::new(Images::new(options)), Images::pixels)?;
    let training = time(options.steps, |step| {
        let seed = options.seed;
        if engine.metrics_full() {
            engine.drain_metrics()?;
        }
        engine.accumulate_staged(&staged, DropoutKey { seed, step })?;
        engine.step(|_| Some(STILL))?;
        Ok(engine.wait()?)
    })?;
    let inference = time(options.steps, |_| {
        engine.infer(&staged)?;
        Ok(engine.wait()?)
    })?;
    Ok(BenchReport {
        training_images_per_second: batch as f64 / training.median,
        inference_images_per_second: batch as f64 / inference.median,
        peak_rss_mb: peak_rss_mb(),
        device: engine.describe(),
        precision: cards.precision,
        threads: rayon::current_num_threads(),
        batch_size: batch,
        steps: options.steps.max(1),
        training_seconds: training,
        inference_seconds: inference,
        stages: None,
    })
}
