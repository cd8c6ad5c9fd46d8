//! `train bench`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::device::DeviceArgs;
use crate::cli::model::ModelArgs;
use crate::cli::{Execute, Format};
use crate::tools::bench::{self, BenchOptions};

/// The flags of `train bench`.
#[derive(Args, Debug)]
pub(super) struct BenchArgs {
    /// Images per batch [default: 128]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Timed steps of each kind, after one to warm up [default: 5]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    #[command(flatten)]
    device: DeviceArgs,
    /// Measure each layer, the optimiser and, with --shards, the loader by themselves; on a GPU each layer within a
    /// step, and what computes the convolutions
    #[arg(long)]
    stages: bool,
    /// Folder of shards, or its address in an object store, whose loading is a stage, on one thread; CPU only
    #[arg(long, value_name = "DIR", requires = "stages")]
    shards: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    format: Format,
}

impl Execute for BenchArgs {
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        let defaults = BenchOptions::default();
        let report = bench::run(&BenchOptions {
            batch_size: self.batch_size.unwrap_or(defaults.batch_size),
            steps: self.steps.unwrap_or(defaults.steps),
            config: self.model.apply(defaults.config),
            stages: self.stages,
            compute: self.device.compute()?,
            shards: self.shards,
        })?;
        self.format.print(&report)?;
        Ok(0)
    }
}
