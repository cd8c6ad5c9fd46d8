//! The loader by itself.

use std::path::Path;
use std::time::Instant;

use shardmill_loader::Output;

use crate::checkpoint::RunState;
use crate::net::config::ModelConfig;
use crate::run::data;
use crate::run::error::TrainError;
use crate::tools::bench::Stage;

/// The shortest time that one loader thread takes for a training batch, images verified already.
pub(crate) fn measure(
    shards: &Path,
    config: &ModelConfig,
    batch: usize,
    times: usize,
) -> Result<Stage, TrainError> {
    let dataset = data::open(shards, data::TRAIN)?;
    data::check_crop(shards, &dataset, config.input_size)?;
    let classes = dataset.classes().to_vec();
    let pixels = data::statistics(shards, &dataset)?;
    let mut state = RunState::unborn(config.clone(), classes, pixels);
    state.recipe.batch_size = batch;
    // No thread of its own: the batch is made here, and nothing else is done meanwhile.
    let loader = data::training(&dataset, &state, Output::F32, 0)?;
    let mut seconds = f64::INFINITY;
    // The first time reads and verifies the records.
    for _ in 0..2 {
        let mut batches = loader.epoch(0);
        for _ in 0..times.max(1) {
            let start = Instant::now();
            let Some(filled) = batches.next() else { break };
            if filled?.len() == batch {
                seconds = seconds.min(start.elapsed().as_secs_f64());
            }
        }
    }
    Ok(Stage::whole("data", seconds))
}
