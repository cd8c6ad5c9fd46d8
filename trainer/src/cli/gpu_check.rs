//! `train gpu-check`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use shardmill_formats::{console, errln};

use crate::cli::Execute;
use crate::compute::DeviceSet;
use crate::tools::check::{CheckOptions, CheckPart, check};

/// The flags of `train gpu-check`.
#[derive(Args, Debug)]
pub(super) struct GpuCheckArgs {
    /// Folder of shards with splits of at least a few hundred images of 224 pixels or more
    #[arg(long, value_name = "DIR")]
    shards: PathBuf,
    /// Where to write the report; runs are kept beside it meanwhile
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Number of the GPU
    #[arg(long, value_name = "N", default_value_t = 0)]
    card: usize,
    /// Loader threads [default: all but one]
    #[arg(long, value_name = "T")]
    threads: Option<usize>,
    /// Parts to leave out, which the report says; operations and networks are always checked
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    skip: Vec<CheckPart>,
}

impl Execute for GpuCheckArgs {
    /// The exit code is 0 if everything holds.
    fn execute(self, _: &str) -> anyhow::Result<u8> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut scratch = self.out.clone().into_os_string();
        scratch.push(".runs");
        let options = CheckOptions {
            shards: self.shards,
            scratch: scratch.into(),
            device: DeviceSet::new(&[self.card])
                .with_context(|| format!("there is no GPU number {}", self.card))?,
            threads: self.threads.unwrap_or(cores.saturating_sub(1).max(1)),
            skip: self.skip,
        };
        let report = check(&options, |part| errln!("{part}"))?;
        console::print(&report.markdown)?;
        std::fs::write(&self.out, &report.markdown)
            .with_context(|| format!("cannot write {}", self.out.display()))?;
        Ok(u8::from(!report.passed))
    }
}
