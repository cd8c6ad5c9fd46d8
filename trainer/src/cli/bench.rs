//! `train bench`.

use std::path::PathBuf;

use crate::tools::bench::{self, BenchOptions, StepSeconds};
use clap::Args;
use shardmill_formats::{console, outln};

use crate::cli::device::DeviceArgs;
use crate::cli::model::ModelArgs;

/// The flags of `train bench`.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// Images in a step [default: 128]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Timed steps of each kind, after one to warm up [default: 5]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    #[command(flatten)]
    device: DeviceArgs,
    /// Measure each layer, the optimiser and, with --shards, the loader by themselves
    #[arg(long)]
    stages: bool,
    /// Folder of shards whose loading is a stage, on one thread
    #[arg(long, value_name = "DIR", requires = "stages")]
    shards: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl BenchArgs {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let defaults = BenchOptions::default();
        let report = bench::run(&BenchOptions {
            batch_size: self.batch_size.unwrap_or(defaults.batch_size),
            steps: self.steps.unwrap_or(defaults.steps),
            config: self.model.apply(defaults.config),
            stages: self.stages,
            compute: self.device.compute()?,
            shards: self.shards,
            ..defaults
        })?;
        if self.json {
            outln!("{}", serde_json::to_string(&report)?)?;
            return Ok(());
        }
        outln!(
            "{} threads, batches of {}, {} timed steps of each kind",
            report.threads,
            report.batch_size,
            report.steps
        )?;
        let kinds = [
            (
                "training",
                report.training_images_per_second,
                report.training_seconds,
            ),
            (
                "inference",
                report.inference_images_per_second,
                report.inference_seconds,
            ),
        ];
        for (kind, rate, StepSeconds { median, min, max }) in kinds {
            outln!(
                "{kind:<10} {rate:.1} images/s  (a step: median {median:.3} s, {min:.3} to {max:.3} s)"
            )?;
        }
        if let Some(peak) = report.peak_rss_mb {
            outln!("{:<10} {peak:.0} MiB at most", "memory")?;
        }
        if let Some(stages) = &report.stages {
            console::print(&format!("\n{stages}"))?;
        }
        Ok(())
    }
}
