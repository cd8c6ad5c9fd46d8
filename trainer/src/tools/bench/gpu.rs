//! The speed of training steps and of inference on GPUs, on images that are already in their memory.

use std::sync::Arc;

use shardmill_formats::{Philox, Stream};
use shardmill_loader::Normalize;

use crate::compute::CudaOptions;
use crate::cuda::{AsPixels, LayerAlgorithm, Pixels, StageSeconds};
use crate::engine::{CudaEngine, Engine, check_gpu};
use crate::net::sgd::SgdConfig;
use crate::net::{DropoutKey, Model, TrainState};
use crate::run::error::TrainError;
use crate::tools::bench::{BenchOptions, BenchReport, ConvolutionPass, SEED, Stage, Stages, time};

/// Steps before the clock starts: the first ones find algorithms and allocate memory.
const WARM_UP: u64 = 3;

/// Measures training steps, then inference; the batch is that of all GPUs together. Every step is waited
/// for, as in a peer's bench.
///
/// # Errors
/// A GPU that fails or is missing, a network that only the CPU computes, or shards, whose loading only the CPU
/// measures.
pub(crate) fn run(options: &BenchOptions, cuda: CudaOptions) -> Result<BenchReport, TrainError> {
    if options.shards.is_some() {
        return Err(TrainError::Recipe(
            "`--shards` adds loading to the CPU's stages; leave it out with `--device cuda`, whose images are in GPU \
             memory (`train gpu-check` measures how a GPU is fed)"
                .to_owned(),
        ));
    }
    let batch = options.batch_size.max(1);
    let model = Model::new(&options.config, SEED)?;
    check_gpu(&model)?;
    let state = TrainState::new(model, SgdConfig::default());
    let mut engine = CudaEngine::new(cuda, state, batch)?;
    engine.set_normalization(Normalize::mean([127.5; 3]))?;
    let staged = engine.stage(&Arc::new(Images::new(options)))?;
    let training = time(WARM_UP, options.steps, |step| {
        if engine.metrics_due() {
            engine.drain_metrics()?;
        }
        engine.accumulate_staged(&staged, DropoutKey { seed: SEED, step })?;
        // Costs a whole update and leaves the loss where it is.
        engine.step(&SgdConfig::default().rates(0.0))?;
        engine.synchronize()
    })?;
    let inference = time(WARM_UP, options.steps, |_| {
        engine.infer(&staged)?;
        engine.synchronize()
    })?;
    let mut report = BenchReport {
        device: engine.devices().to_owned(),
        precision: cuda.precision,
        ..BenchReport::new(options, training, inference)
    };
    if options.stages {
        let mut steps = Vec::new();
        for number in 0..options.steps.max(1) as u64 {
            let key = DropoutKey {
                seed: SEED,
                step: WARM_UP + options.steps as u64 + number,
            };
            engine.drain_metrics()?;
            steps.push(engine.time_step(&staged, key, &SgdConfig::default().rates(0.0))?);
        }
        report.stages = Some(Stages {
            peak_gflops: None,
            rows: shortest(&steps),
        });
        let passes = engine.algorithms()?.into_iter().map(ConvolutionPass::from);
        report.convolutions = passes.collect();
    }
    Ok(report)
}

/// The shortest time of each part over some steps.
fn shortest(steps: &[Vec<StageSeconds>]) -> Vec<Stage> {
    let least = |place: usize, pick: fn(&StageSeconds) -> f64| {
        let times = steps.iter().map(|step| pick(&step[place]));
        times.fold(f64::INFINITY, f64::min)
    };
    let parts = steps.first().into_iter().flatten().enumerate();
    let rows = parts.map(|(place, part)| Stage {
        backward: part
            .backward
            .map(|_| least(place, |part| part.backward.unwrap_or_default())),
        ..Stage::whole(&part.stage, least(place, |part| part.forward))
    });
    rows.collect()
}

impl From<LayerAlgorithm> for ConvolutionPass {
    fn from(chosen: LayerAlgorithm) -> Self {
        let report = chosen.report;
        Self {
            layer: chosen.layer,
            rows: chosen.rows,
            pass: report.pass,
            algorithm: report.algorithm,
            math: report.math,
            search_milliseconds: report.milliseconds,
            search_rows: report.timed_rows,
            workspace: report.workspace,
        }
    }
}

/// A batch of random images.
struct Images {
    images: Vec<u8>,
    labels: Vec<i64>,
}

impl Images {
    fn new(options: &BenchOptions) -> Self {
        let (batch, config) = (options.batch_size.max(1), &options.config);
        let labels = (0..batch).map(|row| (row % config.classes) as i64);
        Self {
            images: random_bytes(SEED, batch * config.input_size.pow(2) * 3),
            labels: labels.collect(),
        }
    }
}

impl AsPixels for Images {
    fn pixels(&self) -> Pixels<'_> {
        Pixels {
            images: &self.images,
            shifts: &[],
            areas: &[],
            labels: &self.labels,
        }
    }
}

/// Bytes from a uniform distribution.
fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
    let philox = Philox::new(seed, Stream::Augment);
    let blocks = (0..len.div_ceil(16)).flat_map(|i| philox.block(i as u64, 0));
    blocks.flat_map(u32::to_le_bytes).take(len).collect()
}
