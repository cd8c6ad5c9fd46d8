//! The loader feeding a GPU: images a second, and how long the GPU's thread waits for them.
//!
//! Every epoch begins with the time that a thread takes for one whole batch, and an epoch of the few images that are
//! brought to a machine has few batches. So that time is told apart from the waits within an epoch, by which the feed
//! is judged; images a second are over all of the time.

use std::sync::Arc;
use std::time::Instant;

use shardmill_loader::Output;

use crate::checkpoint::RunState;
use crate::compute::Precision;
use crate::engine::{CudaEngine, Engine};
use crate::net::config::ModelConfig;
use crate::net::sgd::SgdConfig;
use crate::net::{DropoutKey, Model, TrainState};
use crate::run::data;
use crate::run::error::TrainError;
use crate::tools::check::CheckOptions;
use crate::tools::check::comparisons::Comparisons;

/// Images of a batch.
const BATCH: usize = 256;

/// Seconds before the meter starts, and while it runs.
const WARM_UP: f64 = 2.0;
const SECONDS: f64 = 10.0;

/// The largest allowed share of waiting.
const WAIT: f64 = 0.02;

/// Trains on the shards for a few seconds, epoch after epoch, and reports the figures.
pub(super) fn run(options: &CheckOptions, tally: &mut Comparisons) -> Result<String, TrainError> {
    let dataset = data::open(options.shards(), data::TRAIN)?;
    let classes = dataset.classes().to_vec();
    let config = ModelConfig {
        classes: classes.len(),
        ..ModelConfig::alexnet()
    };
    let pixels = data::statistics(options.shards(), &dataset)?;
    let mut state = RunState::unborn(config, classes, pixels);
    state.recipe.batch_size = BATCH;
    let model = Model::new(&state.model, 1)?;
    let tensors = TrainState::new(model, SgdConfig::default());
    let cuda = options.cuda(Precision::Bf16, false);
    let mut engine = CudaEngine::new(cuda, tensors, BATCH)?;
    engine.set_normalization(data::training_normalize(&state))?;
    let loader = data::training(&dataset, &state, Output::U8, options.threads())?;
    let rate = state.recipe.sgd;
    let (mut clock, mut measuring) = (Instant::now(), false);
    let (mut images, mut waited, mut step) = (0_usize, 0.0, 0_u64);
    // Of the first batches: the time until they were there.
    let (mut begun, mut epochs) = (0.0, 0_u64);
    let mut free = (0, 0);
    'epochs: for epoch in 0.. {
        let start = Instant::now();
        let mut batches = loader.epoch(epoch);
        let mut before = batches.waited();
        let mut is_first = true;
        epochs += 1;
        while let Some(batch) = batches.next() {
            let batch = Arc::new(batch?);
            let now = batches.waited();
            match is_first {
                true => begun += start.elapsed().as_secs_f64(),
                false => waited += (now - before).as_secs_f64(),
            }
            before = now;
            let key = DropoutKey { seed: 1, step };
            engine.accumulate_pixels(&batch, key, None)?;
            engine.step(&|p| Some(rate.rate(p.kind(), 1e-4)))?;
            step += 1;
            images += batch.len();
            is_first = false;
            if engine.metrics_due() {
                engine.drain_metrics()?;
            }
            let seconds = clock.elapsed().as_secs_f64();
            if !measuring && seconds >= WARM_UP {
                engine.drain_metrics()?;
                free.0 = engine.free_memory()?;
                (clock, measuring, images, waited) = (Instant::now(), true, 0, 0.0);
                (begun, epochs) = (0.0, 0);
            } else if measuring && seconds >= SECONDS {
                break 'epochs;
            }
        }
    }
    // Waits for the GPU, so that all images counted are done.
    engine.drain_metrics()?;
    let seconds = clock.elapsed().as_secs_f64();
    free.1 = engine.free_memory()?;
    let wait = waited / seconds;
    tally.expect(
        "memory of the GPU is constant after the first steps",
        free.0 == free.1,
    );
    tally.expect(
        &format!(
            "the GPU's thread waits for the loader {:.1}% of the time; at most {:.0}% is the goal (more \
             loader threads, or raw shards on a faster disk)",
            100.0 * wait,
            100.0 * WAIT
        ),
        wait <= WAIT,
    );
    Ok(format!(
        "The paper's network in bf16, batches of {BATCH}, {} loader threads: {:.0} images/s, waiting for \
         images {:.2}% of the time, besides {begun:.2} s of {seconds:.1} until the first batch of {epochs} epochs was \
         there; {:.2} GiB of the GPU's memory, the same from the first step on: {}.\n",
        options.threads(),
        images as f64 / seconds,
        100.0 * wait,
        engine.bytes()?.iter().sum::<usize>() as f64 / f64::from(1 << 30),
        if free.0 == free.1 { "yes" } else { "**no**" }
    ))
}
