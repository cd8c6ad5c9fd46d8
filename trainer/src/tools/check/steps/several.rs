//! Several GPUs against one, and how fast they are together.

use std::fmt::Write as _;
use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::CudaContext;

use crate::compute::{Compute, CudaOptions, DeviceSet, Precision};
use crate::cuda::device::ErrorContext;
use crate::engine::Engine;
use crate::net::config::ModelConfig;
use crate::net::sgd::SgdConfig;
use crate::net::{DropoutKey, StepMetrics};
use crate::run::error::TrainError;
use crate::tools::bench::{self, BenchOptions};
use crate::tools::check::CheckOptions;
use crate::tools::check::comparisons::{Comparisons, same_bits};
use crate::tools::check::speed::STEPS;
use crate::tools::check::steps::tensors::values;
use crate::tools::check::steps::{LR, ROWS, Random, engine, networks, tolerance};

/// Images of a GPU in the bench.
const BATCHES: [usize; 2] = [128, 512];

/// Steps that are compared: the second starts from the result of the first.
const COMPARED: u64 = 2;

/// Compares two GPUs with one, and measures 2, 4, ... and all; says why if there is only one.
pub(in crate::tools::check) fn run(
    options: &CheckOptions,
    tally: &mut Comparisons,
) -> Result<String, TrainError> {
    let count = CudaContext::device_count().context("count the GPUs")?;
    let count = usize::try_from(count).unwrap_or(0).min(DeviceSet::MAX);
    if count < 2 {
        return Ok("Left out: this machine has one GPU.\n".to_owned());
    }
    for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
        for (what, config) in networks() {
            compare(options, precision, what, &config, tally)?;
        }
    }
    let mut text = String::from(
        "| GPUs | precision | batch of each | training, images/s | inference, images/s |\n\
         |---|---|---|---|---|\n",
    );
    let mut numbers: Vec<usize> = [2, 4, 8, 16].into_iter().filter(|&n| n < count).collect();
    numbers.push(count);
    for gpus in numbers {
        for batch in BATCHES {
            let precision = Precision::Bf16;
            let report = bench::run(&BenchOptions {
                batch_size: batch * gpus,
                steps: STEPS,
                compute: Compute::Cuda(together(0..gpus, precision)),
                ..BenchOptions::default()
            })?;
            let (name, cells) = (precision.name(), report.speed_cells());
            let _ = writeln!(text, "| {gpus} | {name} | {batch} | {cells} |");
        }
    }
    Ok(text)
}

fn together(numbers: impl IntoIterator<Item = usize>, precision: Precision) -> CudaOptions {
    let numbers: Vec<usize> = numbers.into_iter().collect();
    CudaOptions {
        devices: DeviceSet::new(&numbers).expect("some GPUs, each once"),
        precision,
        deterministic: true,
    }
}

/// Steps of one network on one GPU and on two, from the same state: scores, gradients by way of the
/// velocities, and parameters.
fn compare(
    options: &CheckOptions,
    precision: Precision,
    what: &str,
    config: &ModelConfig,
    tally: &mut Comparisons,
) -> Result<(), TrainError> {
    let (t, name) = (tolerance(precision), precision.name());
    let backward = match precision {
        Precision::F32 => Comparisons::compare,
        Precision::Tf32 | Precision::Bf16 => Comparisons::compare_length,
    };
    let number = options.number();
    let pair = [number, usize::from(number == 0)];
    let mut one = engine(together([number], precision), config, 1)?;
    let mut two = engine(together(pair, precision), config, 1)?;
    let rate = SgdConfig::default();
    for step in 0..COMPARED {
        let batch = Arc::new(Random::new(config, 31 + step, ROWS));
        let key = DropoutKey { seed: 3, step };
        one.accumulate_pixels(&batch, key, None)?;
        one.step(&|p| Some(rate.rate(p.kind(), LR)))?;
        two.accumulate_pixels(&batch, key, None)?;
        two.step(&|p| Some(rate.rate(p.kind(), LR)))?;
    }
    let figures = |metrics: Vec<StepMetrics>| -> (Vec<f32>, Vec<f32>) {
        let figures = metrics
            .iter()
            .map(|s| (s.output.loss as f32, s.norm as f32));
        figures.unzip()
    };
    let ((losses, norms), (own_losses, own_norms)) =
        (figures(two.drain_metrics()?), figures(one.drain_metrics()?));
    let title = |part: &str| format!("two GPUs and one, {part} of {what}");
    tally.compare(&title("losses"), name, &losses, &own_losses, t.loss);
    tally.compare(
        &title("gradient norms"),
        name,
        &norms,
        &own_norms,
        t.gradient,
    );
    let agree = two.devices_agree()?;
    let held = values(&two.parameters()?)?;
    let (state, own_state) = (two.host_state()?, one.host_state()?);
    let own_parameters = own_state.model.parameters();
    let parameters = state.model.parameters().iter().zip(own_parameters);
    for (found, own) in parameters {
        let (found, own) = (found.values(), own.values());
        backward(tally, &title("parameters"), name, &found, &own, t.gradient);
    }
    let velocities = state.sgd.velocities();
    for (found, own) in velocities.iter().zip(own_state.sgd.velocities()) {
        backward(tally, &title("velocities"), name, found, own, t.gradient);
    }
    let mut pairs = state.model.parameters().iter().zip(&held);
    tally.expect(
        &format!("two GPUs, candle's tensors hold the parameters of {what}, {name}"),
        pairs.all(|(own, held)| same_bits(&own.values(), held)),
    );
    tally.expect(
        &format!("two GPUs have the same bits of {what}, {name}"),
        agree,
    );
    Ok(())
}
