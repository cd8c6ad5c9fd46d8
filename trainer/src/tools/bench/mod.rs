//! The speed of training steps and of inference on images that are already in memory.

mod data;
#[cfg(feature = "cuda")]
mod gpu;
mod stages;
mod table;

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use shardmill_formats::{Philox, Stream};
use shardmill_loader::process;

use crate::compute::{Compute, Precision};
use crate::cpu::Network;
#[cfg(not(feature = "nccl"))]
#[cfg(not(feature = "cuda"))]
use crate::engine::EngineError;
use crate::net::config::ModelConfig;
use crate::net::sgd::{Sgd, SgdConfig};
use crate::net::{DropoutKey, Model};
use crate::run::error::TrainError;

/// Steps run before the clock starts: the first makes the buffers.
const WARM_UP: u64 = 1;

/// Seed of weights and images.
const SEED: u64 = 1;

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct BenchOptions {
    /// Images of a batch.
    pub(crate) batch_size: usize,
    /// Timed steps of each kind.
    pub(crate) steps: usize,
    /// The network.
    pub(crate) config: ModelConfig,
    /// Whether each layer is measured by itself too.
    pub(crate) stages: bool,
    /// Shards whose loading is a stage.
    pub(crate) shards: Option<PathBuf>,
    /// Where the network runs.
    pub(crate) compute: Compute,
}

impl Default for BenchOptions {
    /// The paper's network and batch.
    fn default() -> Self {
        Self {
            batch_size: 128,
            steps: 5,
            config: ModelConfig::alexnet(),
            stages: false,
            shards: None,
            compute: Compute::default(),
        }
    }
}

/// Seconds of the timed steps of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct StepSeconds {
    /// The middle one.
    median: f64,
    /// The shortest.
    min: f64,
    /// The longest.
    max: f64,
}

/// What was measured; serialises to one JSON object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct BenchReport {
    /// Batch size over the median seconds of a training step: forward, backward and update.
    training_images_per_second: f64,
    /// Batch size over the median seconds of a forward pass without dropout.
    inference_images_per_second: f64,
    /// Highest resident memory of the process so far, in MiB; absent where the system does not report it.
    peak_rss_mb: Option<f64>,
    /// Where the network ran.
    device: String,
    /// Its arithmetic.
    precision: Precision,
    /// Threads of the pool.
    threads: usize,
    /// Images of a batch.
    batch_size: usize,
    /// Timed steps of each kind.
    steps: usize,
    /// Training steps.
    training_seconds: StepSeconds,
    /// Forward passes.
    inference_seconds: StepSeconds,
    /// Each layer by itself, where asked for.
    stages: Option<Stages>,
    /// What computes the convolutions on a GPU, beside the stages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    convolutions: Vec<ConvolutionPass>,
}

/// The algorithm that was chosen for a pass of a convolution on a GPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct ConvolutionPass {
    /// The layer.
    layer: String,
    /// Images of the batch.
    rows: usize,
    /// `forward`, `data` (the input's gradient) or `weight`.
    pass: &'static str,
    /// cuDNN's name of the algorithm.
    algorithm: String,
    /// cuDNN's name of the arithmetic.
    math: String,
    /// What it took in the search, in milliseconds; absent where cuDNN's ranking was taken.
    search_milliseconds: Option<f32>,
    /// Images that the search timed it on.
    search_rows: usize,
    /// Bytes of workspace.
    workspace: usize,
}

impl BenchReport {
    /// The report of a bench on the CPU so far, without the layers by themselves.
    fn new(options: &BenchOptions, training: StepSeconds, inference: StepSeconds) -> Self {
        let batch_size = options.batch_size.max(1);
        Self {
            training_images_per_second: batch_size as f64 / training.median,
            inference_images_per_second: batch_size as f64 / inference.median,
            peak_rss_mb: peak_rss_mb(),
            device: "cpu".to_owned(),
            precision: Precision::F32,
            threads: rayon::current_num_threads(),
            batch_size,
            steps: options.steps.max(1),
            training_seconds: training,
            inference_seconds: inference,
            stages: None,
            convolutions: Vec::new(),
        }
    }
}

/// One row of the stage table; times are the shortest of several, in seconds for the whole batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Stage {
    /// The layer, `sgd`, or `data`.
    stage: String,
    /// Seconds of the forward pass, or of the whole stage.
    forward: f64,
    /// Seconds of the backward pass: gradients of the weights and, except for conv1, of the input.
    backward: Option<f64>,
    /// Share of the peak that the multiplications of the forward pass reach, counted as in a direct
    /// sum: minimal filtering needs fewer, and may pass 1.
    forward_of_peak: Option<f64>,
    /// The same of the backward pass.
    backward_of_peak: Option<f64>,
}

impl Stage {
    /// A stage that is not split into passes.
    fn whole(stage: &str, seconds: f64) -> Self {
        Self {
            stage: stage.to_owned(),
            forward: seconds,
            backward: None,
            forward_of_peak: None,
            backward_of_peak: None,
        }
    }
}

/// The table of a network.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Stages {
    /// GFLOP/s of a product of large square matrices on all threads of the CPU; a multiplication and its
    /// addition are two. Absent for a GPU.
    peak_gflops: Option<f64>,
    /// The rows.
    rows: Vec<Stage>,
}

/// Measures training steps, then inference, on random images.
///
/// # Errors
/// A configuration that describes no network, or shards that cannot be read.
pub(crate) fn run(options: &BenchOptions) -> Result<BenchReport, TrainError> {
    match options.compute {
        Compute::Cpu => on_cpu(options),
        #[cfg(feature = "cuda")]
        Compute::Cuda(cuda) => gpu::run(options, cuda),
        #[cfg(not(feature = "cuda"))]
        Compute::Cuda(_) => Err(EngineError::NoCuda.into()),
    }
}

fn on_cpu(options: &BenchOptions) -> Result<BenchReport, TrainError> {
    let (batch, config) = (options.batch_size.max(1), &options.config);
    let mut network = Network::new(Model::new(config, SEED)?);
    let mut sgd = Sgd::new(network.model(), SgdConfig::default());
    let still = SgdConfig::default().rates(0.0);
    let images = random_images(SEED, batch * config.input_size * config.input_size * 3);
    let labels: Vec<i64> = (0..batch)
        .map(|row| (row % config.classes) as i64)
        .collect();

    let training = time(WARM_UP, options.steps, |step| {
        let key = DropoutKey { seed: SEED, step };
        network.train_step(&images, &labels, key)?;
        // A rate of 0 does all of the work and leaves the loss where it is.
        network.update(&mut sgd, &still)
    })?;
    let inference = time(WARM_UP, options.steps, |_| {
        network.logits(&images).map(drop)
    })?;
    let mut report = BenchReport::new(options, training, inference);
    if options.stages {
        let mut table = stages::measure(&mut network, &mut sgd, batch, options.steps)?;
        if let Some(shards) = &options.shards {
            table
                .rows
                .push(data::measure(shards, config, batch, options.steps)?);
        }
        report.stages = Some(table);
    }
    Ok(report)
}

/// Runs `step` a number of times after some to warm up, and returns their seconds.
fn time<E>(
    warm_up: u64,
    steps: usize,
    mut step: impl FnMut(u64) -> Result<(), E>,
) -> Result<StepSeconds, E> {
    for number in 0..warm_up {
        step(number)?;
    }
    let mut seconds = Vec::new();
    for number in 0..steps.max(1) as u64 {
        let start = Instant::now();
        step(warm_up + number)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(StepSeconds::of(seconds))
}

impl StepSeconds {
    /// Sorts out the seconds of at least one step.
    fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let middle = seconds.len() / 2;
        let median = if seconds.len() % 2 == 1 {
            seconds[middle]
        } else {
            (seconds[middle - 1] + seconds[middle]) / 2.0
        };
        Self {
            median,
            min: seconds[0],
            max: seconds[seconds.len() - 1],
        }
    }
}

/// Pixels of mean 0 on the 0-255 scale.
fn random_images(seed: u64, len: usize) -> Vec<f32> {
    let philox = Philox::new(seed, Stream::Augment);
    let blocks = (0..len.div_ceil(4)).flat_map(|i| philox.block(i as u64, 0));
    blocks
        .take(len)
        .map(|word| Philox::unit_f32(word) * 255.0 - 127.5)
        .collect()
}

/// Highest resident memory of this process so far, in MiB, where the system reports it.
fn peak_rss_mb() -> Option<f64> {
    process::peak_rss().map(|bytes| bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_has_its_figures_at_the_top_level() {
        let options = BenchOptions {
            batch_size: 2,
            steps: 2,
            config: ModelConfig {
                width: 0.05,
                input_size: 64,
                classes: 5,
                ..ModelConfig::alexnet()
            },
            stages: true,
            shards: None,
            compute: Compute::Cpu,
        };
        let report = run(&options).unwrap();
        let json = serde_json::to_value(&report).unwrap();
        for figure in ["training_images_per_second", "inference_images_per_second"] {
            assert!(json[figure].as_f64().unwrap() > 0.0, "{json}");
        }
        let stages = report.stages.unwrap();
        let names: Vec<&str> = stages.rows.iter().map(|row| row.stage.as_str()).collect();
        let expected = "conv1 norm1 pool1 conv2 norm2 pool2 conv3 conv4 conv5 pool5 fc6 drop1 fc7 drop2 \
                        fc8 sgd";
        assert_eq!(names.join(" "), expected);
        let timed = |row: &Stage| row.forward > 0.0 && row.backward.is_none_or(|s| s > 0.0);
        assert!(stages.rows.iter().all(timed), "{stages:?}");
        assert!(stages.rows[0].forward_of_peak.is_some());
        assert!(stages.to_string().lines().count() > names.len());
        assert!(report.training_seconds.min <= report.training_seconds.median);
        assert!(report.training_seconds.median <= report.training_seconds.max);
    }
}
